import type { Event, Row, Rules, Where, Write } from "./events.js";
import { concerns, eventsOf, sessionEvent } from "./events.js";
import { find, runApart, runKnown, wider } from "./found.js";
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

export type Call = { model: string; where?: Where[]; update?: Row; data?: Row };
export type Method = (call: Call) => Promise<unknown>;

const METHODS = {
  create: "create",
  update: "update",
  updateMany: "update",
  delete: "delete",
  deleteMany: "delete",
  consumeOne: "delete",
} as const;
const WATCHED = Symbol.for("@gatehouse/client/better-auth/watched");
/** How often a write is made anew that has met rows which nobody had read. */
const TURNS = 3;

/** The database took no row: what was to happen happens without it. */
class NotWritten extends Error {}

/** More was written than had been read: another request came in between. */
class Outrun extends Error {}

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
      const [result, rows] = await (atomic
        ? inOne(raw, name, call, write)
        : inTurn(raw, name, run, call, write));
      await outbox.seen(rows);
      return result;
    };
    (adapter as unknown as Record<string, Method>)[name] = watched;
  }
  adapter.transaction = async (act) => {
    const rows: OutboxRow[] = [];
    const takes = async () => atomic && outbox.table.takesRows(raw);
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
    let refused: NotWritten | undefined;
    for (let turn = 1; ; ) {
      // Not read in the transaction: SQLite refuses one that reads first and writes then, if another process
      // has written in between. What has come in between is seen when it is met, and undone.
      const { events, ids } = await find(all, write, rules, log);
      if (events.length === 0 && !isMany(name)) return [await (all[name] as Method)(call), []];
      const put = async (inside: Adapter, more: Event[]) => {
        if (refused) return held(more, refused.message);
        return outbox.write(inside, more, true).catch((error: unknown) => {
          throw new NotWritten(String(error), { cause: error });
        });
      };
      try {
        return await all.transaction(async (inside) => {
          const rows = await put(inside, events);
          const run = inside[name] as Method;
          if (!isMany(name) || !ids) return [await run(call), rows];
          const { count, late } = await runApart(run, call, ids);
          if (late && turn < TURNS) throw new Outrun();
          if (late) rows.push(...(await put(inside, wider(write, rules, log))));
          return [count, rows];
        });
      } catch (error) {
        if (error instanceof Outrun) turn++;
        else if (error instanceof NotWritten) refused = error;
        else throw error;
      }
    }
  }

  /** Nothing can be undone: rows of the outbox come first, and nothing ends that was not read. */
  async function inTurn(
    database: Database,
    name: keyof typeof METHODS,
    run: Method,
    call: Call,
    write: Write,
  ): Promise<[unknown, OutboxRow[]]> {
    let found = await find(database, write, rules, log);
    if (!isMany(name)) {
      const rows = await writeOrHold(database, found.events, false);
      return [await run(call), rows];
    }
    const known = new Set<unknown>();
    const done: OutboxRow[] = [];
    let count = 0;
    try {
      for (let turn = 1; ; turn++) {
        const fresh = found.rows.filter(({ id }) => !known.has(id));
        if (found.ids && fresh.length === 0) return [count, done];
        const whole = !found.ids || turn > TURNS;
        const events = whole ? wider(write, rules, log) : eventsOf(write, fresh, rules);
        const rows = await writeOrHold(database, events, false);
        const ids = fresh.map(({ id }) => id);
        count += whole ? Number(await run(call)) : await runKnown(run, call, ids);
        done.push(...rows);
        if (whole) return [count, done];
        for (const id of ids) known.add(id);
        found = await find(database, write, rules, log);
      }
    } catch (error) {
      // What has ended so far is revoked.
      await outbox.seen(done);
      throw error;
    }
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
    const put = async (events: Event[]) => {
      const known = (event: Event) => rows.some((row) => row.kind === event.kind && row.target === event.target);
      const fresh = events.filter((event) => !known(event));
      if (fresh.length === 0) return;
      rows.push(...((await takes()) ? await writeOrHold(bare, fresh, true) : held(fresh, outbox.table.whyRefused)));
    };
    for (const name of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
      if (typeof inside[name] !== "function") continue;
      const run = bare[name] as Method;
      const watched: Method = async (call) => {
        const write: Write = { where: [], ...call, op: METHODS[name] };
        if (!concerns(write, rules)) return run(call);
        if (!atomic) {
          const [result, made] = await inTurn(bare, name, run, call, write);
          await outbox.seen(made);
          return result;
        }
        const { events, ids } = await find(bare, write, rules, log);
        await put(events);
        if (!isMany(name) || !ids) return run(call);
        const { count, late } = await runApart(run, call, ids);
        if (late) await put(wider(write, rules, log));
        return count;
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
    const event = sessionOf(await read(key), key, rules.now());
    const rows = event ? await outbox.write(database, [event], false).catch(() => outbox.hold([event])) : [];
    const result = await run(key);
    await outbox.seen(rows);
    return result;
  };

  async function read(key: string): Promise<unknown> {
    try {
      return await storage.get(key);
    } catch (error) {
      const why = "Gatehouse: what is to be deleted from the storage cannot be read, so it stays: a session would end unrevoked";
      log.error(`${why}: ${String(error)}`);
      throw new Error(why, { cause: error });
    }
  }
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

const isMany = (name: keyof typeof METHODS) => name === "deleteMany" || name === "updateMany";

function methodsOf(adapter: Adapter): Adapter {
  const raw = Object.create(adapter) as Record<string, unknown>;
  for (const name of ["create", "findMany", "transaction", ...Object.keys(METHODS)]) {
    const method = (adapter as unknown as Record<string, unknown>)[name];
    if (typeof method === "function") raw[name] = method.bind(adapter);
  }
  return raw as unknown as Adapter;
}
