/** What a write is about to meet, and what to do where that cannot be known. */
import { type Event, eventsOf, namedEvents, type Row, type Rules, type Write } from "./events.js";
import type { Database, Log } from "./outbox.js";
import type { Call, Method } from "./watch-writes.js";

const FIND = 10_000;
/** Ids in one statement: SQLite takes 32,766 values, PostgreSQL 65,535. */
const KNOWN = 1000;
const UNKNOWN = 20_000;
/** A user of this age may still be signing up. */
const NEW_MS = 60_000;

export interface Found {
  events: Event[];
  rows: Row[];
  /** Of the rows. Undefined: not read, and the events cover whatever the write meets. */
  ids?: unknown[];
}

/** What a write is about to do. Rejects where its rows cannot be read, and its where clause names nobody. */
export async function find(database: Database, write: Write, rules: Rules, log: Log): Promise<Found> {
  try {
    if (write.data) {
      const signUp = await isSignUp(database, write.data.userId, rules);
      return { events: signUp ? [] : eventsOf(write, [write.data], rules), rows: [] };
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
      if (page.length < FIND) return { events: eventsOf(write, rows, rules), rows, ids: rows.map(({ id }) => id) };
    }
  } catch (error) {
    const events = write.data ? eventsOf(write, [write.data], rules) : namedEvents(write, rules);
    const what = `Gatehouse: what is about to change (${write.model}) cannot be read`;
    if (!events) {
      log.error(`${what}, and nothing names whom it concerns, so it is not changed: ${String(error)}`);
      throw new Error(`${what}, so it is not changed: it could not be revoked`, { cause: error });
    }
    log.warn(`${what}, so all tokens of whom it concerns are revoked: ${String(error)}`);
    return { events, rows: [] };
  }
}

/** What covers rows that nobody has read, however many. Throws if nothing names whose they are. */
export function wider(write: Write, rules: Rules, log: Log): Event[] {
  const events = namedEvents(write, rules);
  if (events) return events;
  const what = `Gatehouse: more rows (${write.model}) come than can be read, and nothing names whom they concern`;
  log.error(`${what}, so they are not changed`);
  throw new Error(`${what}, so they are not changed: they could not be revoked`);
}

/** Runs a write over the rows of these ids, and then over what else it finds: `late` says whether that was any. */
export async function runApart(run: Method, call: Call, ids: unknown[]): Promise<{ count: number; late: boolean }> {
  const count = await runKnown(run, call, ids);
  // Of what is updated no more is told apart. What began since is left as if it had begun after the write.
  if (call.update && ids.length > UNKNOWN) return { count, late: false };
  // What was deleted is found no more.
  const others = call.update && ids.length > 0 ? [{ field: "id", operator: "not_in", value: ids }] : [];
  const late = Number(await run({ ...call, where: [...(call.where ?? []), ...others] }));
  return { count: count + late, late: late > 0 };
}

export async function runKnown(run: Method, call: Call, ids: unknown[]): Promise<number> {
  let count = 0;
  for (let i = 0; i < ids.length; i += KNOWN) {
    const these = { field: "id", operator: "in", value: ids.slice(i, i + KNOWN) };
    count += Number(await run({ ...call, where: [...(call.where ?? []), these] }));
  }
  return count;
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
