// The outbox of the Better Auth plugin, by itself: when it tries again, and what it may take away.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../dist/better-auth/outbox.js";
import { concerns, eventsOf } from "../dist/better-auth/events.js";
import { watchWrites } from "../dist/better-auth/watch-writes.js";
import { InvalidArgument } from "../dist/index.js";

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

const SESSION = { kind: "session", target: "s1", reason: "session ended", userId: "u1", endsAt: 10_000_000 };
const SUBJECT = { kind: "subject", target: "u1", reason: "user banned" };

function make(options = {}) {
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

const sweep = async (made, ms) => {
  made.now += ms;
  await made.outbox.sweep();
};

test("what is seen is delivered with the second it was seen in, and taken away", async () => {
  const made = make();
  const rows = await made.outbox.write(made.table, [SUBJECT], true);
  made.now = 1_002_999;
  await made.outbox.seen(rows);
  assert.deepEqual(made.delivered, [{ kind: "subject", target: "u1", seenAt: 1002 }]);
  assert.equal(made.table.rows.size, 0);
});

test("what could not be delivered keeps its second", async () => {
  const made = make();
  made.down = true;
  const rows = await made.outbox.write(made.table, [SUBJECT], true);
  await made.outbox.seen(rows);
  made.down = false;
  await sweep(made, 3_600_000);
  assert.deepEqual(made.delivered, [{ kind: "subject", target: "u1", seenAt: 1000 }]);
});

test("a row that nobody marked gets the second of the sweep", async () => {
  const made = make();
  await made.outbox.write(made.table, [SUBJECT], true);
  await sweep(made, 5000);
  assert.deepEqual(made.delivered, [{ kind: "subject", target: "u1", seenAt: 1005 }]);
});

test("a row without a transaction is left alone while its event may be under way", async () => {
  const made = make();
  await made.outbox.write(made.table, [SUBJECT], false);
  await sweep(made, 9_000);
  assert.deepEqual(made.delivered, []);
  await sweep(made, 1_000);
  assert.equal(made.delivered.length, 1);
});

test("of a living session nothing is revoked, and its row waits until it has ended by itself", async () => {
  const made = make();
  made.lives = true;
  await made.outbox.write(made.table, [SESSION], false);
  for (let turn = 0; turn < 10; turn++) await sweep(made, 300_000);
  assert.deepEqual(made.delivered, []);
  assert.equal(made.table.rows.size, 1);
  made.lives = false;
  await sweep(made, 300_000);
  assert.deepEqual(made.delivered, [{ kind: "session", target: "s1", seenAt: 4300 }]);

  const other = make();
  other.lives = true;
  await other.outbox.write(other.table, [SESSION], false);
  await sweep(other, 10_000_000);
  assert.deepEqual([other.delivered, other.table.rows.size], [[], 0]);
});

test("a session of which nobody can tell is asked about again", async () => {
  const made = make({
    sessionLives: async () => {
      throw new Error("storage is down");
    },
  });
  await made.outbox.write(made.table, [SESSION], false);
  await sweep(made, 20_000);
  assert.deepEqual([made.delivered, made.table.rows.size], [[], 1]);
});

test("while Gatehouse is down the tries become rare, and one failure stops the batch", async () => {
  let tries = 0;
  const made = make({
    deliver: async () => {
      tries++;
      throw new Error("down");
    },
  });
  const events = Array.from({ length: 40 }, (_, i) => ({ ...SUBJECT, target: `u${i}` }));
  await made.outbox.seen(await made.outbox.write(made.table, events, true));
  assert.ok(tries <= 8, `${tries} tries at once`);
  const before = tries;
  for (let second = 0; second < 600; second++) await sweep(made, 1000);
  // Every 5 to 10 seconds, eight at once at most.
  assert.ok(tries - before <= (600 / 5 + 10) * 8, `${tries - before} tries in ten minutes`);
  assert.ok(tries - before >= 60, `${tries - before} tries in ten minutes`);
  assert.equal(made.table.rows.size, 40);
  assert.ok(made.said.length <= 3, made.said.join("\n"));
});

test("a row that Gatehouse calls malformed does not hold up the others", async () => {
  const made = make({
    deliver: async (row) => {
      if (row.target === "bad") throw new InvalidArgument("issuer is not the name of a trusted issuer");
      made.delivered.push(row.target);
    },
  });
  const events = [{ ...SUBJECT, target: "bad" }, SUBJECT, { ...SUBJECT, target: "u2" }];
  await made.outbox.seen(await made.outbox.write(made.table, events, true));
  assert.deepEqual(made.delivered.sort(), ["u1", "u2"]);
  assert.equal(made.table.rows.size, 1);
  assert.match(made.said.join(), /of the issuer \S+ .*not the name of a trusted issuer/);
});

test("a row is taken up by one of two processes", async () => {
  const made = make();
  await made.outbox.write(made.table, [SUBJECT], true);
  const other = make({ database: made.table });
  made.now = other.now = 2_000_000;
  await Promise.all([made.outbox.sweep(), other.outbox.sweep()]);
  assert.equal(made.delivered.length + other.delivered.length, 1);
});

test("a row whose process has died is taken up by another when its time is over", async () => {
  const made = make({ deliver: () => new Promise(() => {}), tryMs: 1e6, waitMs: 1 });
  await made.outbox.seen(await made.outbox.write(made.table, [SUBJECT], true));
  const other = make({ database: made.table });
  await sweep(other, 9_000);
  assert.deepEqual(other.delivered, []);
  await sweep(other, 1_000);
  assert.deepEqual(other.delivered, [{ kind: "subject", target: "u1", seenAt: 1000 }]);
});

test("of several in a process the latest alone looks at the table", async () => {
  const [first, second] = [make(), make()];
  first.outbox.start();
  second.outbox.start();
  await first.outbox.write(first.table, [SUBJECT], true);
  await sweep(first, 60_000);
  assert.deepEqual(first.delivered, []);
  await second.outbox.write(second.table, [SUBJECT], true);
  await sweep(second, 60_000);
  assert.equal(second.delivered.length, 1);
  // It still delivers what it has seen itself.
  first.down = true;
  await first.outbox.seen(first.outbox.hold([SUBJECT]));
  first.down = false;
  await sweep(first, 60_000);
  assert.equal(first.delivered.length, 1);
});

test("nothing that is wrong with the table or with Gatehouse reaches the caller", async () => {
  const made = make();
  const rows = await made.outbox.write(made.table, [SUBJECT], true);
  made.table.broken = true;
  await made.outbox.seen(rows);
  assert.equal(made.delivered.length, 1);
  made.down = true;
  await made.outbox.seen(rows);
  const mute = make({ deliver: () => new Promise(() => {}) });
  await mute.outbox.seen(await mute.outbox.write(mute.table, [SUBJECT], true));
  assert.equal(mute.table.rows.size, 1);
});

test("what the table does not take is delivered from memory", async () => {
  const made = make();
  made.down = true;
  await made.outbox.seen(made.outbox.hold([SUBJECT]));
  assert.deepEqual(made.delivered, []);
  made.down = false;
  await sweep(made, 60_000);
  await sweep(made, 60_000);
  assert.deepEqual(made.delivered, [{ kind: "subject", target: "u1", seenAt: 1000 }]);
});

test("a row that is older than any token is dropped", async () => {
  const made = make();
  made.down = true;
  await made.outbox.seen(await made.outbox.write(made.table, [SUBJECT], true));
  made.down = false;
  await sweep(made, 31 * 86_400_000);
  assert.deepEqual([made.delivered, made.table.rows.size], [[], 0]);
  assert.match(made.said.join(), /too old/);
});

const rules = { userFields: ["role", "plan"], now: () => 1000 };

for (const [what, write, rows, events] of [
  ["a deleted session", { op: "delete", model: "session" }, [{ id: "s", userId: "u", expiresAt: new Date(2000) }], ["session s"]],
  ["an expired session", { op: "delete", model: "session" }, [{ id: "s", userId: "u", expiresAt: new Date(1000) }], []],
  ["a preserved session", { op: "update", model: "session", update: { expiresAt: new Date(1000) } }, [{ id: "s", expiresAt: new Date(2000) }], ["session s"]],
  ["a prolonged session", { op: "update", model: "session", update: { expiresAt: new Date(9000) } }, undefined, []],
  ["a new field of claims", { op: "update", model: "user", update: { plan: "free" } }, [{ id: "u", plan: "pro" }], ["subject u"]],
  // Another write that sets another one may be under way.
  ["the same role", { op: "update", model: "user", update: { role: "user" } }, [{ id: "u", role: "user" }], ["subject u"]],
  ["a member's same role", { op: "update", model: "member", update: { role: "member" } }, [{ userId: "u", role: "member" }], ["subject u"]],
  ["the same plan", { op: "update", model: "user", update: { plan: "pro" } }, [{ id: "u", plan: "pro" }], []],
  ["a first password", { op: "create", model: "account", data: { password: "x" } }, [{ userId: "u" }], ["subject u"]],
  ["a provider's account", { op: "create", model: "account", data: { accessToken: "x" } }, undefined, []],
  ["a new session", { op: "create", model: "session", data: { userId: "u" } }, undefined, []],
  ["a role taken away", { op: "update", model: "user", update: { role: null } }, [{ id: "u", role: "admin" }], ["subject u"]],
  ["a ban", { op: "update", model: "user", update: { banned: true } }, [{ id: "u" }], ["subject u"]],
  ["a ban taken back", { op: "update", model: "user", update: { banned: false } }, undefined, []],
  ["a new name", { op: "update", model: "user", update: { name: "x" } }, undefined, []],
  ["a password", { op: "update", model: "account", update: { password: "x" } }, [{ id: "a", userId: "u" }], ["subject u"]],
  ["a provider's token", { op: "update", model: "account", update: { accessToken: "x" } }, undefined, []],
  ["all members", { op: "delete", model: "member", where: [{ field: "organizationId", value: "o" }] }, [{ userId: "u" }, { userId: "v" }], ["tenant o"]],
  ["some members", { op: "delete", model: "member", where: [{ field: "organizationId", value: "o", operator: "in" }] }, [{ userId: "u" }], ["subject u"]],
]) {
  test(`${what} means ${events.join() || "nothing"}`, () => {
    const whole = { where: [], ...write };
    assert.equal(concerns(whole, rules), rows !== undefined);
    const found = rows ? eventsOf(whole, rows, rules) : [];
    assert.deepEqual(found.map(({ kind, target }) => `${kind} ${target}`), events);
  });
}

test("a transaction that is rolled back delivers nothing", async () => {
  const made = make();
  const adapter = {
    create: (call) => made.table.create(call),
    findMany: async () => [{ id: "s", userId: "u", expiresAt: new Date(9e9) }],
    updateMany: (call) => made.table.updateMany(call),
    deleteMany: (call) => made.table.deleteMany(call),
    update: async () => null,
    delete: async () => {
      throw new Error("constraint");
    },
    async transaction(act) {
      const before = new Map(made.table.rows);
      try {
        return await act({ ...adapter, ...plain });
      } catch (error) {
        made.table.rows = before;
        throw error;
      }
    },
    options: { adapterConfig: { transaction: true } },
  };
  const plain = { ...adapter };
  watchWrites(adapter, made.outbox, { userFields: [], now: () => made.now }, { warn() {}, error() {} });
  await assert.rejects(adapter.delete({ model: "session", where: [] }), /constraint/);
  await assert.rejects(
    adapter.transaction((inside) => inside.delete({ model: "session", where: [] })),
    /constraint/,
  );
  assert.deepEqual([made.delivered, made.table.rows.size], [[], 0]);
});

/** An adapter whose tables are `rows`, by model; `afterRead` runs once something was read. */
function adapterOf(made, rows, { transaction = true, hasSession, afterRead = () => {} } = {}) {
  const matching = ({ model, where }) =>
    rows[model].filter((row) => where.every(({ field, value }) => row[field] === value));
  const own = ({ model }) => model === "gatehouseOutbox";
  const plain = {
    create: async (call) => {
      if (own(call)) return made.table.create(call);
      rows[call.model].push(call.data);
      return call.data;
    },
    findMany: async (call) => {
      const found = matching(call);
      afterRead();
      return found;
    },
    updateMany: (call) => made.table.updateMany(call),
    deleteMany: async (call) => {
      if (own(call)) return made.table.deleteMany(call);
      const gone = matching(call);
      rows[call.model] = rows[call.model].filter((row) => !gone.includes(row));
      return gone.length;
    },
  };
  const adapter = {
    ...plain,
    async transaction(act) {
      const before = [new Map(made.table.rows), { ...rows }];
      try {
        return await act({ ...plain });
      } catch (error) {
        [made.table.rows] = before;
        Object.assign(rows, before[1]);
        throw error;
      }
    },
    options: { adapterConfig: { transaction } },
  };
  const log = { warn() {}, error: (text) => made.said.push(text) };
  watchWrites(adapter, made.outbox, { userFields: [], now: () => made.now, hasSession }, log);
  return adapter;
}

const sessionOf = (id) => ({ id, userId: "u", expiresAt: new Date(9e9) });
const delivered = (made) => made.delivered.map(({ kind, target }) => `${kind} ${target}`).sort();

for (const known of [[], ["a"]]) {
  test(`a session that begins once ${known.length} were read is revoked with them`, async () => {
    const made = make();
    const rows = { session: known.map(sessionOf) };
    const late = [sessionOf("late")];
    const adapter = adapterOf(made, rows, { afterRead: () => rows.session.push(...late.splice(0)) });
    assert.equal(await adapter.deleteMany({ model: "session", where: [{ field: "userId", value: "u" }] }), known.length + 1);
    assert.deepEqual(delivered(made), [...known, "late"].map((id) => `session ${id}`));
    assert.deepEqual([rows.session, made.table.rows.size, made.said], [[], 0, []]);
  });
}

test("sessions that begin without end hold up nobody", async () => {
  const made = make();
  const rows = { session: [sessionOf("s0")] };
  let next = 1;
  const adapter = adapterOf(made, rows, { afterRead: () => rows.session.push(sessionOf(`s${next++}`)) });
  await adapter.deleteMany({ model: "session", where: [{ field: "userId", value: "u" }] });
  assert.deepEqual([rows.session, made.delivered.length], [[], 3]);
  assert.match(made.said.join(), /some are not revoked/);
});

const password = { model: "account", data: { id: "c", userId: "u", providerId: "credential", password: "x" } };
const young = { id: "u", createdAt: new Date(1_000_000) };
const old = { id: "u", createdAt: new Date(0) };

for (const [what, { user = [young], session = [], account = [], ...options }, expected] of [
  ["a sign-up", {}, []],
  ["a sign-up, the sessions elsewhere", { session: undefined, hasSession: async () => false }, []],
  ["a user of some age", { user: [old] }, ["subject u"]],
  ["a user with a session", { session: [sessionOf("a")] }, ["subject u"]],
  ["a user with a session elsewhere", { hasSession: async (id) => id === "u" }, ["subject u"]],
  ["a user with another account", { account: [{ userId: "u", providerId: "github" }] }, ["subject u"]],
  ["a user with others beside", { account: [{ userId: "v" }], session: [{ userId: "v" }] }, []],
  ["a user whom nobody can find", { user: [] }, ["subject u"]],
]) {
  for (const way of ["by itself", "in a transaction", "without transactions"]) {
    test(`the first password of ${what} means ${expected.join() || "nothing"}, ${way}`, async () => {
      const made = make();
      const transaction = way !== "without transactions";
      const rows = { user: [...user], account: [...account] };
      if (!options.hasSession) rows.session = [...session];
      made.now = 1_059_999;
      const adapter = adapterOf(made, rows, { ...options, transaction });
      if (way === "in a transaction") await adapter.transaction((inside) => inside.create(password));
      else await adapter.create(password);
      assert.deepEqual(delivered(made), expected);
      assert.ok(rows.account.includes(password.data));
      assert.deepEqual([made.table.rows.size, made.said], [0, []]);
    });
  }
}
