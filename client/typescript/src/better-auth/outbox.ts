import { InvalidArgument } from "../errors.js";
import type { Event, Row, Where } from "./events.js";
import { type OutboxRow, read, same, stored } from "./outbox-row.js";
import { TABLE } from "./schema.js";
import { Trial } from "./trial.js";
import { bounded, jittered, pause, reasonOf } from "./waits.js";

/** As much of Better Auth's database adapter as is used here. */
export interface Database {
  create(call: { model: string; data: Row }): Promise<Row>;
  findMany(call: {
    model: string;
    where?: Where[];
    limit?: number;
    offset?: number;
    sortBy?: { field: string; direction: "asc" | "desc" };
  }): Promise<Row[]>;
  updateMany(call: { model: string; where: Where[]; update: Row }): Promise<number>;
  deleteMany(call: { model: string; where: Where[] }): Promise<number>;
}

/** A database that can do several things in one. */
export interface Transactions {
  transaction<R>(act: (inside: Database) => Promise<R>): Promise<R>;
}

export interface Log {
  warn(message: string): void;
  error(message: string): void;
}

export interface OutboxOptions {
  database: Database;
  issuer: string;
  /** Makes one revocation; rejects when it was not made. */
  deliver(row: OutboxRow, signal: AbortSignal): Promise<void>;
  /** Whether a session is still alive. */
  sessionLives(row: OutboxRow): Promise<boolean>;
  log: Log;
  /** How long the request that caused it waits for the first try. */
  waitMs: number;
  /** Of one try. */
  tryMs: number;
  /** The pauses between tries while Gatehouse is down double from the one to the other. */
  leastPauseMs: number;
  mostPauseMs: number;
  /** How often the table is looked at for what another process has left behind. */
  pollMs: number;
  now?: () => number;
}

const WORKERS = Symbol.for("@gatehouse/client/better-auth/workers");
const BATCH = 50;
const AT_ONCE = 8;
/** How long a row is left to the process that took it up. */
const LEASE_MS = 10_000;
/** How long after a row was written without a transaction its event may still be under way. */
const GRACE_MS = 10_000;
const LONGEST_PAUSE_MS = 300_000;
const MOST_IN_MEMORY = 10_000;
/** Every token that an older row is about has expired: a token lives a day at most, unless set. */
const KEEP_MS = 30 * 86_400_000;

/**
 * Revocations that are still to be made, in a table of Better Auth's own database. Delivers them,
 * in this process or in any other: a row is only ever taken away once Gatehouse has said yes, so
 * one may be delivered twice, which changes nothing.
 */
export class Outbox {
  private readonly o: OutboxOptions;
  private readonly now: () => number;
  // What the database did not take, until it does. Lost with the process.
  private readonly memory: OutboxRow[] = [];
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;
  // Of each at most one is under way, however long it takes: they may each hold a connection.
  private moving: Promise<void> | undefined;
  private reading: Promise<Row[]> | undefined;
  private running = false;
  private again = false;
  private stopped = false;
  private retired = false;
  private failures = 0;
  private pausedUntil = 0;
  private saidWhy = "";

  /** Whether the table takes rows. */
  readonly table: Trial;

  constructor(options: OutboxOptions) {
    this.o = options;
    this.now = options.now ?? Date.now;
    this.table = new Trial(options.tryMs, this.now, (event) => this.row(event, false), (why) =>
      this.say(why, `the outbox takes no row: ${why}`),
    );
  }

  /** Begins to look at the table. One does in a process: bundlers and reloads make several of it. */
  start(): void {
    const workers = ((globalThis as Record<symbol, unknown>)[WORKERS] ??= new Map()) as Map<string, Outbox>;
    const before = workers.get(this.o.issuer);
    if (before) before.retired = true;
    workers.set(this.o.issuer, this);
    this.schedule(0);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Writes them through `database`, a transaction's perhaps. Rejects if one is refused twice. */
  async write(database: Database, events: Event[], together: boolean): Promise<OutboxRow[]> {
    const rows: OutboxRow[] = [];
    for (const event of events) {
      const row = this.row(event, together);
      rows.push({ ...row, id: await this.table.write(database, row) });
    }
    if (this.memory.length > 0) this.schedule(0);
    return rows;
  }

  /** Of events that the table did not take: they are delivered, unless this process ends before it takes them. */
  hold(events: Event[]): OutboxRow[] {
    return events.map((event) => this.row(event, true));
  }

  /**
   * To be called when the events of these rows are committed. Gives each its second, and waits a
   * little for the first try. Never rejects.
   */
  async seen(rows: OutboxRow[]): Promise<void> {
    if (rows.length === 0) return;
    const seenAt = Math.floor(this.now() / 1000);
    const dueAt = this.now() + LEASE_MS;
    const ids = rows.flatMap((row) => row.id ?? []);
    const mine = rows.map((row) => ({ ...row, seenAt, dueAt }));
    this.keepInMemory(mine.filter((row) => row.id === undefined));
    try {
      if (ids.length > 0) {
        await this.o.database.updateMany({
          model: TABLE,
          where: [{ field: "id", value: ids, operator: "in" }],
          update: { seenAt, dueAt },
        });
      }
    } catch (error) {
      // The rows stand there without their second, and the next sweep gives it to them.
      this.say("mark", `could not mark what is to be revoked: ${reasonOf(error)}`);
    }
    if (this.now() < this.pausedUntil) {
      await this.postpone(mine, this.pausedUntil);
      return;
    }
    const done = this.deliverAll(mine).catch(() => {});
    if (this.failures === 0) await Promise.race([done, pause(this.o.waitMs)]);
  }

  /** Looks at the table once. Whether there may be more. */
  async sweep(): Promise<boolean> {
    const now = this.now();
    const held = this.memory.filter((row) => row.dueAt <= now).slice(0, BATCH);
    for (const row of held) row.dueAt = now + LEASE_MS;
    // Before the table is touched, which may be locked.
    await this.deliverAll(held);
    await this.moveHeld();
    const found = this.retired ? [] : await this.due(now);
    const ready: OutboxRow[] = [];
    for (const each of found) {
      const row = await this.claim(read(each));
      if (row) ready.push(row);
    }
    await this.deliverAll(ready);
    return found.length === BATCH && this.failures === 0;
  }

  private due(now: number): Promise<Row[]> {
    const reading = (this.reading ??= this.o.database
      .findMany({
        model: TABLE,
        where: [{ field: "dueAt", value: now, operator: "lte" }],
        sortBy: { field: "dueAt", direction: "asc" },
        limit: BATCH,
      })
      .finally(() => (this.reading = undefined)));
    return bounded(() => reading, this.o.tryMs);
  }

  /** From memory to the table, if it takes rows again. Never rejects. */
  private async moveHeld(): Promise<void> {
    if (this.memory.length === 0) return;
    try {
      const moving = (this.moving ??= this.moveAll().finally(() => (this.moving = undefined)));
      await bounded(() => moving, this.o.tryMs);
    } catch (error) {
      const why = reasonOf(error);
      this.say(why, `the outbox takes no row, so ${this.memory.length} are in memory alone: ${why}`);
    }
  }

  private async moveAll(): Promise<void> {
    for (const row of [...this.memory]) {
      if (!this.memory.includes(row)) continue;
      // Whoever is delivering it takes away what stands in the table.
      row.id = await this.table.write(this.o.database, row);
      const at = this.memory.indexOf(row);
      if (at >= 0) this.memory.splice(at, 1);
      else await this.remove(row);
    }
  }

  /** Ours for a while, with its second; undefined if another has it, or if there is nothing to revoke. */
  private async claim(row: OutboxRow): Promise<OutboxRow | undefined> {
    const now = this.now();
    const mark: Row = { dueAt: now + LEASE_MS };
    if (now - row.createdAt > KEEP_MS) {
      this.say("", `gave up on revoking the ${row.kind} of ${new Date(row.createdAt).toISOString()}: it is too old`);
      await this.remove(row);
      return undefined;
    }
    let happened = true;
    if (row.seenAt === undefined) {
      happened = row.together || row.kind !== "session" || !(await this.lives(row));
      // A living session must not be revoked. Its row goes when the session has ended by itself:
      // until then the process that wrote it might only have been slow.
      if (!happened && (row.endsAt ?? row.createdAt + KEEP_MS) <= now) {
        await this.remove(row);
        return undefined;
      }
      if (happened) mark.seenAt = Math.floor(this.now() / 1000);
      else mark.dueAt = now + Math.min(LONGEST_PAUSE_MS, Math.max(GRACE_MS, now - row.createdAt));
    }
    const won = await this.o.database.updateMany({
      model: TABLE,
      where: [
        { field: "id", value: row.id },
        { field: "dueAt", value: row.dueAt },
      ],
      update: mark,
    });
    return won > 0 && happened ? { ...row, ...mark } : undefined;
  }

  private async lives(row: OutboxRow): Promise<boolean> {
    try {
      return await this.o.sessionLives(row);
    } catch (error) {
      this.say("sessions", `could not tell whether a session is alive: ${reasonOf(error)}`);
      return true;
    }
  }

  private async deliverAll(rows: OutboxRow[]): Promise<void> {
    const left = [...rows];
    const one = async () => {
      for (let row = left.shift(); row; row = left.shift()) {
        if (this.now() < this.pausedUntil) await this.postpone([row], this.pausedUntil);
        else await this.deliver(row);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, left.length) }, one));
  }

  private async deliver(row: OutboxRow): Promise<void> {
    try {
      await bounded((signal) => this.o.deliver(row, signal), this.o.tryMs);
    } catch (error) {
      const malformed = error instanceof InvalidArgument;
      const attempts = row.attempts + 1;
      let wait: number;
      if (malformed) {
        // Of this row alone: the others go on.
        wait = jittered(Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** attempts));
      } else {
        if (this.now() >= this.pausedUntil) this.failures += 1;
        wait = jittered(Math.min(this.o.mostPauseMs, this.o.leastPauseMs * 2 ** (this.failures - 1)));
        this.pausedUntil = Math.max(this.pausedUntil, this.now() + wait);
      }
      const why = reasonOf(error);
      const whose = malformed ? ` of the issuer ${row.issuer}` : "";
      this.say(why, `could not revoke a ${row.kind}${whose} (${row.reason}), and will try again: ${why}`);
      await this.postpone([{ ...row, attempts }], this.now() + wait);
      return;
    }
    if (this.failures > 0) this.say("", "revoking again");
    this.failures = 0;
    this.pausedUntil = 0;
    await this.remove(row);
  }

  private async postpone(rows: OutboxRow[], dueAt: number): Promise<void> {
    try {
      for (const row of rows) {
        if (row.id === undefined) {
          const held = this.memory.find((other) => same(other, row));
          if (held) Object.assign(held, { dueAt, attempts: row.attempts });
          continue;
        }
        await this.o.database.updateMany({
          model: TABLE,
          where: [{ field: "id", value: row.id }],
          update: { dueAt, attempts: row.attempts },
        });
      }
    } catch (error) {
      this.say("postpone", `could not postpone a revocation: ${reasonOf(error)}`);
    }
    this.schedule(dueAt - this.now());
  }

  private async remove(row: OutboxRow): Promise<void> {
    if (row.id === undefined) {
      const at = this.memory.findIndex((other) => same(other, row));
      if (at >= 0) this.memory.splice(at, 1);
      return;
    }
    try {
      await this.o.database.deleteMany({ model: TABLE, where: [{ field: "id", value: row.id }] });
    } catch (error) {
      this.say("take", `could not take a revocation off the outbox: ${reasonOf(error)}`);
    }
  }

  private row(event: Event, together: boolean): OutboxRow {
    const createdAt = this.now();
    // In one transaction with its event it is good as soon as it can be seen; left a moment to
    // the process that wrote it.
    const dueAt = createdAt + (together ? 1000 : GRACE_MS);
    return { ...event, issuer: this.o.issuer, together, dueAt, attempts: 0, createdAt };
  }

  private keepInMemory(rows: OutboxRow[]): void {
    for (const row of rows) {
      if (this.memory.length >= MOST_IN_MEMORY) {
        this.say("lost", "lost a revocation: the outbox's table takes none, and the memory is full");
        return;
      }
      this.memory.push(row);
    }
    if (rows.length > 0) this.schedule(this.o.leastPauseMs);
  }

  private schedule(inMs: number): void {
    // Whoever came after it has the table now; it keeps what is in its memory alone.
    if (this.stopped || (this.retired && this.memory.length === 0)) return;
    const at = this.now() + Math.max(0, inMs);
    if (this.timer && this.timerAt <= at) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(() => void this.run(), Math.max(0, inMs));
    // The outbox keeps no process alive: what is left is taken up by the next one.
    this.timer.unref();
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    this.timerAt = Infinity;
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    let next = jittered(this.o.pollMs);
    try {
      if (this.now() < this.pausedUntil) {
        await this.moveHeld();
        next = Math.max(0, this.pausedUntil - this.now());
        if (this.memory.length > 0) next = Math.min(next, jittered(this.o.pollMs));
      } else if (await this.sweep()) next = 0;
      else if (this.failures > 0) next = Math.max(0, this.pausedUntil - this.now());
    } catch (error) {
      this.say("read", `could not read the outbox: ${reasonOf(error)}`);
    }
    this.running = false;
    if (this.again) next = Math.min(next, this.o.leastPauseMs);
    this.again = false;
    this.schedule(next);
  }

  // Once for each reason, not for each row and try.
  private say(why: string, message: string): void {
    if (why !== "" && why === this.saidWhy) return;
    this.saidWhy = why;
    this.o.log.warn(`Gatehouse: ${message}`);
  }
}
