import type { Event, Row } from "./events.js";

/** One revocation, as it stands in the outbox. */
export interface OutboxRow extends Event {
  /** Absent: in memory only, since the database refused it. */
  id?: string;
  issuer: string;
  together: boolean;
  seenAt?: number;
  dueAt: number;
  attempts: number;
  createdAt: number;
}

export function stored(row: OutboxRow): Row {
  return { ...row, userId: row.userId ?? null, endsAt: row.endsAt ?? null, seenAt: row.seenAt ?? null };
}

// Some drivers give a bigint as text.
export function read(row: Row): OutboxRow {
  const number = (value: unknown) => (value === null || value === undefined ? undefined : Number(value));
  const made: OutboxRow = {
    id: row.id as string,
    kind: row.kind as Event["kind"],
    target: row.target as string,
    issuer: row.issuer as string,
    reason: row.reason as string,
    together: Boolean(row.together),
    dueAt: number(row.dueAt) ?? 0,
    attempts: number(row.attempts) ?? 0,
    createdAt: number(row.createdAt) ?? 0,
  };
  const [endsAt, seenAt] = [number(row.endsAt), number(row.seenAt)];
  if (endsAt !== undefined) made.endsAt = endsAt;
  if (seenAt !== undefined) made.seenAt = seenAt;
  if (row.userId) made.userId = row.userId as string;
  return made;
}

export function same(a: OutboxRow, b: OutboxRow): boolean {
  return a.id === b.id && a.kind === b.kind && a.target === b.target && a.createdAt === b.createdAt;
}
