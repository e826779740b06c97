/** What a write to Better Auth's database means for tokens that are out. */

/** One revocation to be made. */
export interface Event {
  kind: "session" | "subject" | "tenant";
  /** The id of the session, user or organization. */
  target: string;
  reason: string;
  /** Of a session: whose it is, and when it would end by itself, in ms. */
  userId?: string;
  endsAt?: number;
}

export interface Where {
  field: string;
  value: unknown;
  operator?: string | undefined;
  connector?: "AND" | "OR" | undefined;
  mode?: string | undefined;
}

export interface Write {
  op: "create" | "update" | "delete";
  model: string;
  /** Empty for what is created. */
  where: Where[];
  update?: Row;
  /** What is created. */
  data?: Row;
}

export type Row = Record<string, unknown>;

export interface Rules {
  /** Fields of the user that stand in tokens: a change of one revokes. */
  userFields: readonly string[];
  now(): number;
  /** Whether a user has a session, where those are not in the database. */
  hasSession?: ((userId: string) => Promise<boolean>) | undefined;
}

/** Whether the rows that it touches must be read to know what it means. */
export function concerns(write: Write, rules: Rules): boolean {
  const { update } = write;
  // A password for a user who had none, unless it is a sign-up's.
  if (write.op === "create") return write.model === "account" && typeof write.data?.password === "string";
  switch (write.model) {
    case "session":
      return write.op === "delete" || endsSession(update, rules);
    case "user":
      return (
        write.op === "delete" || update?.banned === true || rules.userFields.some((field) => has(update, field))
      );
    case "account":
      return write.op === "update" && has(update, "password");
    case "member":
      return write.op === "delete" || has(update, "role");
    case "organization":
      return write.op === "delete";
    default:
      return false;
  }
}

/** What a write means that finds `rows` as they are. */
export function eventsOf(write: Write, rows: Row[], rules: Rules): Event[] {
  switch (write.model) {
    case "session":
      // One that has ended by itself is not revoked: its last token's end is near.
      return rows.flatMap((row) => sessionEvent(row, rules.now()) ?? []);
    case "user":
      return rows.flatMap((row) => subject(row.id, userReason(write, row, rules)));
    case "account":
      return rows.flatMap((row) => subject(row.userId, "password changed"));
    case "member":
      if (write.op === "delete") {
        const all = wholeOrganization(write);
        if (all !== undefined) return tenant(all);
        return rows.flatMap((row) => subject(row.userId, "no longer a member"));
      }
      return rows.flatMap((row) => subject(row.userId, "member's role changed"));
    case "organization":
      return rows.flatMap((row) => tenant(row.id));
    default:
      return [];
  }
}

/**
 * What a write means by its where clause alone, whatever rows it meets: more than they would say, never less.
 *
 * @returns undefined if the clause names nobody
 */
export function namedEvents(write: Write, rules: Rules): Event[] | undefined {
  const users = named(write.where, write.model === "user" ? "id" : "userId");
  if (write.model === "session" && users) return users.flatMap((id) => subject(id, "sessions ended"));
  if (write.model === "member" && !users) {
    return named(write.where, "organizationId")?.flatMap((id) => tenant(id, "members changed"));
  }
  if (users) return eventsOf(write, users.map((id) => ({ id, userId: id })), rules);
  if (write.model !== "session" && write.model !== "organization") return undefined;
  return named(write.where, "id")?.flatMap((id) => eventsOf(write, [{ id }], rules));
}

/** The only values that a field may have in what `where` finds. */
function named(where: Where[], field: string): unknown[] | undefined {
  // Adapters differ in what an OR is joined to.
  if (where.some(({ connector }) => connector === "OR")) return undefined;
  for (const clause of where) {
    if (clause.field !== field || clause.mode === "insensitive") continue;
    const { operator = "eq", value } = clause;
    if (operator === "eq" && value !== undefined && value !== null) return [value];
    if (operator === "in" && Array.isArray(value)) return value;
  }
  return undefined;
}

export function sessionEvent(row: Row, now: number): Event | undefined {
  const endsAt = new Date(row.expiresAt as string | number | Date).getTime();
  if (typeof row.id !== "string" && typeof row.id !== "number") return undefined;
  if (endsAt <= now) return undefined;
  const event: Event = { kind: "session", target: String(row.id), reason: "session ended" };
  if (row.userId !== undefined && row.userId !== null) event.userId = String(row.userId);
  if (Number.isFinite(endsAt)) event.endsAt = endsAt;
  return event;
}

// `preserveSessionInDatabase` keeps the row and moves its end to now.
function endsSession(update: Row | undefined, rules: Rules): boolean {
  const end = update?.expiresAt;
  return end instanceof Date && end.getTime() <= rules.now();
}

function userReason(write: Write, row: Row, rules: Rules): string | undefined {
  if (write.op === "delete") return "user removed";
  if (write.update?.banned === true) return "user banned";
  // A role that is there already may be what another write, under way, has not yet replaced.
  const changed = rules.userFields.find(
    (field) => has(write.update, field) && (field === "role" || !same(row[field], write.update?.[field])),
  );
  return changed === undefined ? undefined : `user's ${changed} changed`;
}

function wholeOrganization(write: Write): unknown {
  const [only, ...more] = write.where;
  const whole = only?.field === "organizationId" && (only.operator ?? "eq") === "eq" && more.length === 0;
  return whole ? only.value : undefined;
}

function subject(id: unknown, reason: string | undefined): Event[] {
  if (reason === undefined || id === undefined || id === null) return [];
  return [{ kind: "subject", target: String(id), reason }];
}

function tenant(id: unknown, reason = "organization deleted"): Event[] {
  return id === undefined || id === null ? [] : [{ kind: "tenant", target: String(id), reason }];
}

function has(update: Row | undefined, field: string): boolean {
  return update !== undefined && update[field] !== undefined;
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime());
}
