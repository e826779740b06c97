import type { Event, Row, Rules, Where, Write } from "./events.js";
import { concerns, eventsOf, sessionEvent } from "./events.js";
import type { Database, Log, Outbox } from "./outbox.js";
import type { OutboxRow } from "./outbox-row.js";

/** Better Auth's adapter, as far as it writes. */
export interface Adapter extends Database {
  update(call: { model: string; where: Where[]; update: Row }): Promise<Row | null>;
  delete(call: { model: string; where: Where[] }): Promise<void>;
  consumeOne?(call: { model: string; where: Where[] }): Promise<Row | null>;
  transaction<R>(act: (adapter: Adapter) => Promise<R>): Promise<R>;
  options?: { adapterConfig?: { transaction?: unknown; supportsUUIDs?: unknown } } | undefined;
}

type Call = { model: string; where?: Where[]; update?: Row; data?: Row };
type Method = (call: Call) => Promise<unknown>;

const METHODS = {
  create: "create",
  update: "update",
  updateMany: "update",
  delete: "delete",
  deleteMany: "delete",
  consumeOne: "delete",
} as const;
const WATCHED = Symbol.for("@gatehouse/client/better-auth/watched");
const FIND = 10_000;
/** How often a write is made anew that has met rows which nobody had read. */
const TURNS = 3;
/** A user of this age may still be signing up. */
const NEW_MS = 60_000;

/** The database took no row: what was to happen happens without it. */
class NotWritten extends Error {}

/** More was written than had been read: another request came in between. */
class Outrun extends Error {}

/** What a write is about to do, to how many rows. */
interface Found {
  events: Event[];
  rows: number;
}

/**
 * Makes every write that goes through `adapter` write its rows of the outbox first: in its
 * transaction, or in one with it alone.
 *
 * This stands below Better Auth's hooks, because they do not see enough: `user.update.before` and
 * `account.update.before` are not told whom they concern, leaving an organization and deleting
 * one has no hook at all, and of more than a hundred deleted sessions the rest has none either.
 *
 * The object is changed, not wrapped: Better Auth knows its adapter by identity.
 *
 * @returns the adapter as it was
 */
export function watchWrites(adapter: Adapter, outbox: Outbox, rules: Rules, log: Log): Adapter {
  const raw: Adapter = methodsOf(adapter);
  // Without transactions Better Auth's `transaction` runs its statements one by one.
  const atomic = Boolean(adapter.options?.adapterConfig?.transaction);
  for (const name of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
    if (typeof adapter[name] !== "function") continue;
    const run = raw[name] as Method;
    const watched: Method = async (call) => {
      const write: Write = { where: [], ...call, op: METHODS[name] };
      if (!concerns(write, rules)) return run(call);
      const [result, rows] = await (atomic ? inOne(raw, name, call, write) : inTurn(run, call, write));
      await outbox.seen(rows);
      return result;
    };
    (adapter as unknown as Record<string, Method>)[name] = watched;
  }
  adapter.transaction = async (act) => {
    const rows: OutboxRow[] = [];
    const takes = async () => !atomic || outbox.table.takesRows(raw);
    const result = await raw.transaction((inside) => act(inside === adapter ? inside : within(inside, rows, takes)));
    await outbox.seen(rows);
    return result;
  };
  // Better Auth says this of PostgreSQL alone.
  if (atomic && adapter.options?.adapterConfig?.supportsUUIDs === true) outbox.table.refusalsEnd(raw);
  return raw;

  async function inOne(
    all: Adapter,
    name: keyof typeof METHODS,
    call: Call,
    write: Write,
  ): Promise<[unknown, OutboxRow[]]> {
    for (let turn = 1; ; turn++) {
      // Not read in the transaction: SQLite refuses one that reads first and writes then, if another process
      // has written in between. What has come in between is known by the count, and undone.
      const found = await find(all, write, rules, log);
      const many = name === "deleteMany" || name === "updateMany";
      if (found.events.length === 0 && !many) return [await (all[name] as Method)(call), []];
      try {
        return await all.transaction(async (inside) => {
          const rows = await outbox.write(inside, found.events, true).catch((error: unknown) => {
            throw new NotWritten(String(error), { cause: error });
          });
          const result = await (inside[name] as Method)(call);
          if (many && Number(result) > found.rows) {
            if (turn < TURNS) throw new Outrun();
            log.error(`Gatehouse: more rows (${write.model}) have ended than could be read: some are not revoked`);
          }
          return [result, rows];
        });
      } catch (error) {
        if (error instanceof Outrun) continue;
        if (!(error instanceof NotWritten)) throw error;
        return [await (all[name] as Method)(call), held(found.events, error.message)];
      }
    }
  }

  async function inTurn(run: Method, call: Call, write: Write): Promise<[unknown, OutboxRow[]]> {
    const { events } = await find(raw, write, rules, log);
    const rows = await writeOrHold(raw, events, false);
    return [await run(call), rows];
  }

  async function writeOrHold(database: Database, events: Event[], together: boolean): Promise<OutboxRow[]> {
    try {
      return await outbox.write(database, events, together);
    } catch (error) {
      return held(events, error);
    }
  }

  function held(events: Event[], why: unknown): OutboxRow[] {
    const what = events.map(({ kind, reason }) => `a ${kind} (${reason})`).join(", ");
    const until = "so until it does what is to be revoked is in memory alone";
    log.error(`Gatehouse: the outbox takes no row, ${until}: ${what}: ${String(why)}`);
    return outbox.hold(events);
  }

  /** The adapter of a transaction, of which `rows` are marked once it is committed. `takes`: asks whether the table does. */
  function within(inside: Adapter, rows: OutboxRow[], takes: () => Promise<boolean>): Adapter {
    const marked = inside as Adapter & { [WATCHED]?: true };
    if (marked[WATCHED]) return inside;
    marked[WATCHED] = true;
    const bare = methodsOf(inside);
    for (const name of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
      if (typeof inside[name] !== "function") continue;
      const run = bare[name] as Method;
      const watched: Method = async (call) => {
        const write: Write = { where: [], ...call, op: METHODS[name] };
        if (concerns(write, rules)) {
          const { events } = await find(bare, write, rules, log);
          const known = (event: Event) =>
            rows.some((row) => row.kind === event.kind && row.target === event.target);
          const fresh = events.filter((event) => !known(event));
          if (fresh.length > 0) {
            rows.push(
              ...((await takes()) ? await writeOrHold(bare, fresh, atomic) : held(fresh, outbox.table.whyRefused)),
            );
          }
        }
        return run(call);
      };
      (inside as unknown as Record<string, Method>)[name] = watched;
    }
    return inside;
  }
}

/** As much of `secondaryStorage` as tells when a session ends. */
export interface Storage {
  get(key: string): unknown;
  delete(key: string): unknown;
}

const UNWATCHED = Symbol.for("@gatehouse/client/better-auth/unwatched");

/**
 * Where sessions live in `secondaryStorage` alone, the database never hears of their end. They
 * are taken out by their token, which stands in no row.
 */
export function watchStorage(storage: Storage, database: Adapter, outbox: Outbox, rules: Rules, log: Log): void {
  const marked = storage as Storage & { [UNWATCHED]?: Storage["delete"] };
  // A development server makes Better Auth anew around the same storage.
  const run = marked[UNWATCHED] ?? storage.delete.bind(storage);
  marked[UNWATCHED] = run;
  storage.delete = async (key: string) => {
    let rows: OutboxRow[] = [];
    try {
      const event = sessionOf(await storage.get(key), key, rules.now());
      if (event) rows = await outbox.write(database, [event], false).catch(() => outbox.hold([event]));
    } catch (error) {
      log.error(`Gatehouse: could not tell whether a session ends: ${String(error)}`);
    }
    const result = await run(key);
    await outbox.seen(rows);
    return result;
  };
}

function sessionOf(stored: unknown, key: string, now: number): Event | undefined {
  let value: unknown = stored;
  if (typeof stored === "string") {
    // Other things are stored as well.
    if (!stored.startsWith("{")) return undefined;
    try {
      value = JSON.parse(stored);
    } catch {
      return undefined;
    }
  }
  const session = (value as { session?: Row } | null)?.session;
  return session && session.token === key ? sessionEvent(session, now) : undefined;
}

async function find(database: Database, write: Write, rules: Rules, log: Log): Promise<Found> {
  try {
    if (write.data) {
      const signUp = await isSignUp(database, write.data.userId, rules);
      return { events: signUp ? [] : eventsOf(write, [write.data], rules), rows: 0 };
    }
    const rows: Row[] = [];
    for (;;) {
      const page = await database.findMany({
        model: write.model,
        where: write.where,
        limit: FIND,
        // Without an order pages may overlap, and miss what is between them.
        sortBy: { field: "id", direction: "asc" },
        ...(rows.length > 0 ? { offset: rows.length } : {}),
      });
      rows.push(...page);
      if (page.length < FIND) return { events: eventsOf(write, rows, rules), rows: rows.length };
    }
  } catch (error) {
    log.error(`Gatehouse: could not read what is about to change: ${String(error)}`);
    return { events: [], rows: Infinity };
  }
}

/**
 * Whether the first password of this user is a sign-up's, whose own first token, of the same second perhaps, is to stay
 * good: the user is new, and has had neither a session nor another account to make a token by.
 */
async function isSignUp(database: Database, userId: unknown, rules: Rules): Promise<boolean> {
  const has = async (model: string) =>
    (await database.findMany({ model, where: [{ field: "userId", value: userId }], limit: 1 })).length > 0;
  const [user] = await database.findMany({ model: "user", where: [{ field: "id", value: userId }], limit: 1 });
  const isNew = user && rules.now() - new Date(user.createdAt as Date).getTime() < NEW_MS;
  if (!isNew || (await has("account"))) return false;
  return !(await (rules.hasSession ? rules.hasSession(String(userId)) : has("session")));
}

function methodsOf(adapter: Adapter): Adapter {
  const raw = Object.create(adapter) as Record<string, unknown>;
  for (const name of ["create", "findMany", "transaction", ...Object.keys(METHODS)]) {
    const method = (adapter as unknown as Record<string, unknown>)[name];
    if (typeof method === "function") raw[name] = method.bind(adapter);
  }
  return raw as unknown as Adapter;
}
