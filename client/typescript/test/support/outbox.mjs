// An outbox of the Better Auth plugin over a table in memory, which does nothing by itself.
import { Outbox } from "../../dist/better-auth/outbox.js";

/** A table in memory that speaks as Better Auth's adapter does. */
class Table {
  rows = new Map();
  broken = false;
  #next = 1;

  #check() {
    if (this.broken) throw new Error("no such table");
  }
  #matching(where = []) {
    const fits = (row) =>
      where.every(({ field, value, operator = "eq" }) =>
        operator === "in" ? value.includes(row[field]) : operator === "lte" ? row[field] <= value : row[field] === value,
      );
    return [...this.rows.values()].filter(fits);
  }
  async create({ data }) {
    this.#check();
    const row = { ...data, id: String(this.#next++) };
    this.rows.set(row.id, row);
    return row;
  }
  async findMany({ where, limit = 100, sortBy }) {
    this.#check();
    const found = this.#matching(where).map((row) => ({ ...row }));
    if (sortBy) found.sort((a, b) => a[sortBy.field] - b[sortBy.field]);
    return found.slice(0, limit);
  }
  async updateMany({ where, update }) {
    this.#check();
    const found = this.#matching(where);
    for (const row of found) Object.assign(row, update);
    return found.length;
  }
  async deleteMany({ where }) {
    this.#check();
    const found = this.#matching(where);
    for (const row of found) this.rows.delete(row.id);
    return found.length;
  }
}

export const SESSION = { kind: "session", target: "s1", reason: "session ended", userId: "u1", endsAt: 10_000_000 };
export const SUBJECT = { kind: "subject", target: "u1", reason: "user banned" };

export function make(options = {}) {
  const made = { now: 1_000_500, delivered: [], said: [], down: false, lives: false, table: new Table() };
  made.outbox = new Outbox({
    database: made.table,
    issuer: "https://issuer",
    deliver: async (row) => {
      if (made.down) throw made.down === true ? new Error("down") : made.down;
      made.delivered.push({ kind: row.kind, target: row.target, seenAt: row.seenAt });
    },
    sessionLives: async () => made.lives,
    log: { warn: (text) => made.said.push(text), error: (text) => made.said.push(text) },
    waitMs: 100,
    tryMs: 50,
    leastPauseMs: 250,
    mostPauseMs: 10_000,
    pollMs: 5000,
    now: () => made.now,
    ...options,
  });
  // Nothing happens by itself.
  made.outbox.stop();
  return made;
}
