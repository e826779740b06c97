import type { Event } from "./events.js";
import type { Database, Transactions } from "./outbox.js";
import { type OutboxRow, stored } from "./outbox-row.js";
import { TABLE } from "./schema.js";
import { bounded, reasonOf } from "./waits.js";

/** How often a table is tried that took no row. */
const TRY_TABLE_MS = 5000;
/** So many refusals in a row are no passing one. */
const REFUSALS = 2;
const NOTHING: Event = { kind: "session", target: "", reason: "none" };

/** Whether the outbox's table takes rows. */
export class Trial {
  // Whether it took the last row that it was given.
  private takes = false;
  private refusedAt = -Infinity;
  private refusal = "";
  private refusalEnds = false;
  private asked: Promise<boolean> | undefined;
  // Of these one is under way, however long it takes: each may hold a connection.
  private trying: Promise<void> | undefined;

  constructor(
    private readonly tryMs: number,
    private readonly now: () => number,
    private readonly rowOf: (event: Event) => OutboxRow,
    private readonly onRefused: (why: string) => void,
  ) {}

  /** Why it took no row when it was last given one. */
  get whyRefused(): string {
    return this.refusal;
  }

  /** Writes a row, and gives its id. Rejects if it is refused twice. */
  async write(database: Database, row: OutboxRow): Promise<string> {
    const create = () => database.create({ model: TABLE, data: stored(row) });
    try {
      const made = await create().catch((first: unknown) =>
        create().catch((second: unknown) => {
          if (!endedBefore(second)) throw second;
          this.refusalEnds = true;
          throw first;
        }),
      );
      this.takes = true;
      return made.id as string;
    } catch (error) {
      this.refused(error);
      throw error;
    }
  }

  /** Of a database as PostgreSQL: a refused statement ends its transaction. Tries the table, and waits for nothing. */
  refusalsEnd(database: Transactions): void {
    this.refusalEnds = true;
    void this.takesRows(database);
  }

  /**
   * Whether a row may be written in a transaction that is not ours to lose. Where a refusal would end it the table is
   * tried before, unless it took the last row, by one that nobody sees, for `tryMs` at most. Never rejects.
   */
  async takesRows(database: Transactions): Promise<boolean> {
    if (this.takes || !this.refusalEnds) return true;
    if (!this.asked && this.now() - this.refusedAt < TRY_TABLE_MS) return false;
    this.asked ??= this.ask(database).finally(() => (this.asked = undefined));
    return this.asked;
  }

  private async ask(database: Transactions): Promise<boolean> {
    try {
      const trying = (this.trying ??= this.try(database).finally(() => (this.trying = undefined)));
      await bounded(() => trying, this.tryMs);
      return true;
    } catch (error) {
      this.refused(error);
      this.refusedAt = this.now();
      this.onRefused(this.refusal);
      return false;
    }
  }

  private async try(database: Transactions): Promise<void> {
    for (let turn = 1; ; turn++) {
      try {
        return await database.transaction(async (inside) => {
          const id = await this.write(inside, this.rowOf(NOTHING));
          await inside.deleteMany({ model: TABLE, where: [{ field: "id", value: id }] });
        });
      } catch (error) {
        // It may have been this connection, or another transaction.
        if (turn === REFUSALS) throw error;
      }
    }
  }

  private refused(why: unknown): void {
    this.takes = false;
    this.refusal = reasonOf(why);
  }
}

/** Whether a statement was refused because one before it was, in its transaction. Adapters may say so in other words. */
function endedBefore(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return code === "25P02" || /25P02|transaction is aborted/.test(error.message) || endedBefore(cause);
}
