// What the Better Auth plugin makes of a write to the database: which revocations, and in whose transaction.
import assert from "node:assert/strict";
import { test } from "node:test";

import { concerns, eventsOf } from "../dist/better-auth/events.js";
import { watchStorage, watchWrites } from "../dist/better-auth/watch-writes.js";
import { make } from "./support/outbox.mjs";

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

/** An adapter whose tables are `rows`, by model; `afterRead` runs once something was read, `around` before it is watched. */
function adapterOf(made, rows, { transaction = true, hasSession, userFields = [], afterRead = () => {}, around = () => {} } = {}) {
  const matching = ({ model, where }) =>
    rows[model].filter((row) =>
      where.every(({ field, value, operator }) => {
        if (operator === "in") return value.includes(row[field]);
        return operator === "not_in" ? !value.includes(row[field]) : row[field] === value;
      }),
    );
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
    updateMany: async (call) => {
      if (own(call)) return made.table.updateMany(call);
      const met = matching(call);
      rows[call.model] = rows[call.model].map((row) => (met.includes(row) ? { ...row, ...call.update } : row));
      return met.length;
    },
    deleteMany: async (call) => {
      if (own(call)) return made.table.deleteMany(call);
      const gone = matching(call);
      rows[call.model] = rows[call.model].filter((row) => !gone.includes(row));
      return gone.length;
    },
    delete: async (call) => void (await plain.deleteMany(call)),
    update: async (call) => void (await plain.updateMany(call)),
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
  around(adapter);
  const log = { warn: (text) => made.said.push(text), error: (text) => made.said.push(text) };
  watchWrites(adapter, made.outbox, { userFields, now: () => made.now, hasSession }, log);
  return adapter;
}

const sessionOf = (id) => ({ id, userId: "u", expiresAt: new Date(9e9) });
const delivered = (made) => made.delivered.map(({ kind, target }) => `${kind} ${target}`).sort();

const OF_U = [{ field: "userId", value: "u" }];
const OF_PHONE = [{ field: "userAgent", value: undefined }];
const alive = (rows) => rows.session.filter(({ expiresAt }) => expiresAt.getTime() > 1_000_500).map(({ id }) => id);
const WAYS = ["by itself", "in a transaction", "without transactions"];
const going = (way) => ({ transaction: way !== "without transactions" });

/** Does it to the adapter, in the way that is named. */
const act = (adapter, way, doing) => (way === "in a transaction" ? adapter.transaction(doing) : doing(adapter));

/** Ends sessions as Better Auth does: by deleting them, or with `preserveSessionInDatabase`. */
const HOW = {
  delete: (where) => (adapter) => adapter.deleteMany({ model: "session", where }),
  update: (where) => (adapter) =>
    adapter.updateMany({ model: "session", where, update: { expiresAt: new Date(1_000_000) } }),
};

for (const known of [[], ["a"]]) {
  test(`a session that begins once ${known.length} were read is revoked with them`, async () => {
    const made = make();
    const rows = { session: known.map(sessionOf) };
    const late = [sessionOf("late")];
    const adapter = adapterOf(made, rows, { afterRead: () => rows.session.push(...late.splice(0)) });
    assert.equal(await adapter.deleteMany({ model: "session", where: OF_U }), known.length + 1);
    assert.deepEqual(delivered(made), [...known, "late"].map((id) => `session ${id}`));
    assert.deepEqual([rows.session, made.table.rows.size, made.said], [[], 0, []]);
  });
}

for (const [how, end] of Object.entries(HOW)) {
  for (const way of WAYS) {
    test(`a session that begins as another one goes is revoked: to ${how}, ${way}`, async () => {
      const made = make();
      const rows = { session: ["a", "b"].map(sessionOf) };
      let reads = 0;
      const afterRead = () => {
        if (reads++ === 0) rows.session = ["b", "late"].map(sessionOf);
      };
      const adapter = adapterOf(made, rows, { afterRead, ...going(way) });
      assert.equal(await act(adapter, way, end(OF_U)), 2);
      const covers = way === "in a transaction" ? "subject u" : "session late";
      assert.ok(delivered(made).includes("session b") && delivered(made).includes(covers), delivered(made).join());
      assert.deepEqual([alive(rows), made.table.rows.size, made.said], [[], 0, []]);
    });

    test(`sessions that begin without end hold up nobody, and none is missed: to ${how}, ${way}`, async () => {
      const made = make();
      const rows = { session: [sessionOf("s0")] };
      let next = 1;
      const afterRead = () => rows.session.push(sessionOf(`s${next++}`));
      const adapter = adapterOf(made, rows, { afterRead, ...going(way) });
      await act(adapter, way, end(OF_U));
      assert.ok(delivered(made).includes("subject u"), delivered(made).join());
      assert.deepEqual([alive(rows), made.table.rows.size, made.said], [[], 0, []]);
    });

    test(`where nothing names whose they are, the sessions that begin without end stay: to ${how}, ${way}`, async () => {
      const made = make();
      const rows = { session: [sessionOf("s0")] };
      let next = 1;
      const afterRead = () => rows.session.push(sessionOf(`s${next++}`));
      const adapter = adapterOf(made, rows, { afterRead, ...going(way) });
      await assert.rejects(act(adapter, way, end(OF_PHONE)), /could not be revoked/);
      const all = Array.from({ length: next }, (_, i) => `s${i}`);
      const revoked = all.filter((id) => delivered(made).includes(`session ${id}`));
      assert.deepEqual(alive(rows), all.filter((id) => !revoked.includes(id)));
      assert.equal(revoked.length, way === "without transactions" ? 3 : 0);
      assert.deepEqual([made.table.rows.size, made.said.length], [0, 1]);
      assert.match(made.said[0], /nothing names whom they concern/);
    });
  }
}

test("a table that takes no row misses no session that begins late either", async () => {
  const made = make();
  const rows = { session: [sessionOf("a")] };
  const late = [[], [sessionOf("late")]];
  const adapter = adapterOf(made, rows, { afterRead: () => rows.session.push(...(late.shift() ?? [])) });
  made.table.broken = true;
  await adapter.deleteMany({ model: "session", where: OF_U });
  assert.deepEqual([delivered(made), rows.session], [["session a", "session late"], []]);
});

const by = (field, value, more = {}) => [{ field, value, ...more }];
for (const [what, name, call, expected] of [
  ["a session by its token", "delete", { model: "session", where: by("token", "t") }, undefined],
  ["a session by its id", "delete", { model: "session", where: by("id", "s") }, ["session s"]],
  ["a user's sessions", "deleteMany", { model: "session", where: OF_U }, ["subject u"]],
  ["some sessions of a user", "deleteMany", { model: "session", where: [...by("ip", "x"), ...OF_U] }, ["subject u"]],
  ["two users' sessions", "deleteMany", { model: "session", where: by("userId", ["u", "v"], { operator: "in" }) }, ["subject u", "subject v"]],
  ["sessions of all but one", "deleteMany", { model: "session", where: by("userId", "u", { operator: "ne" }) }, undefined],
  ["a user's sessions, or others", "deleteMany", { model: "session", where: [...OF_U, ...by("ip", "x", { connector: "OR" })] }, undefined],
  ["a user's sessions, in any case", "deleteMany", { model: "session", where: by("userId", "u", { mode: "insensitive" }) }, undefined],
  ["all sessions", "deleteMany", { model: "session", where: [] }, undefined],
  ["a role", "update", { model: "user", where: by("id", "u"), update: { role: "x" } }, ["subject u"]],
  ["a user by address", "delete", { model: "user", where: by("email", "e") }, undefined],
  ["a password", "updateMany", { model: "account", where: OF_U, update: { password: "x" } }, ["subject u"]],
  ["a first password", "create", { model: "account", data: { userId: "u", password: "x" } }, ["subject u"]],
  ["a member", "delete", { model: "member", where: by("id", "m") }, undefined],
  ["a user's membership", "deleteMany", { model: "member", where: [...by("organizationId", "o"), ...OF_U] }, ["subject u"]],
  ["some members", "deleteMany", { model: "member", where: [...by("organizationId", "o"), ...by("role", "x")] }, ["tenant o"]],
  ["an organization", "delete", { model: "organization", where: by("id", "o") }, ["tenant o"]],
  ["an organization by its slug", "delete", { model: "organization", where: by("slug", "o") }, undefined],
]) {
  for (const way of WAYS) {
    test(`${what}, not to be read, means ${expected?.join() ?? "a failure"}, ${way}`, async () => {
      const made = make();
      const model = [{ id: "x", token: "t", email: "e", slug: "o" }];
      const rows = { session: model, user: model, account: model, member: model, organization: model };
      const afterRead = () => {
        throw new Error("cannot read");
      };
      let written = 0;
      const around = (adapter) => {
        const count = (inside) => {
          const run = inside[name];
          inside[name] = async (one) => ((written += one.model === call.model ? 1 : 0), run(one));
        };
        count(adapter);
        const { transaction } = adapter;
        adapter.transaction = (doing) => transaction((inside) => (count(inside), doing(inside)));
      };
      const adapter = adapterOf(made, rows, { afterRead, around, userFields: ["role"], ...going(way) });
      const done = act(adapter, way, (inside) => inside[name](call));
      if (expected) await done;
      else await assert.rejects(done, /cannot be read.*could not be revoked/);
      assert.deepEqual([delivered(made), written], [expected ?? [], expected ? 1 : 0]);
      assert.deepEqual([made.table.rows.size, made.said.length], [0, 1]);
    });
  }
}

test("what cannot be read in a storage is not deleted from it", async () => {
  const made = make();
  const gone = [];
  let broken = true;
  const storage = {
    get: async () => {
      if (broken) throw new Error("cannot read");
      return JSON.stringify({ session: { ...sessionOf("s"), token: "t" } });
    },
    delete: async (key) => gone.push(key),
  };
  const log = { warn() {}, error: (text) => made.said.push(text) };
  watchStorage(storage, made.table, made.outbox, { userFields: [], now: () => made.now }, log);
  await assert.rejects(storage.delete("t"), /cannot be read/);
  assert.deepEqual([gone, delivered(made), made.said.length], [[], [], 1]);
  broken = false;
  await storage.delete("t");
  assert.deepEqual([gone, delivered(made)], [["t"], ["session s"]]);
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

/** As PostgreSQL's: a statement that is refused ends it. */
function strict(adapter, made) {
  adapter.options.adapterConfig.supportsUUIDs = true;
  const run = adapter.transaction;
  made.transactions = 0;
  adapter.transaction = (act) => {
    made.transactions++;
    let refused = false;
    const watched = (method) => async (call) => {
      if (refused) throw new Error("current transaction is aborted");
      return method(call).catch((error) => {
        refused = true;
        throw error;
      });
    };
    return run((inside) => {
      const methods = Object.entries(inside).filter(([, value]) => typeof value === "function");
      return act(Object.fromEntries(methods.map(([name, method]) => [name, watched(method)])));
    });
  };
}

function members(made, count = 3) {
  const ids = Array.from({ length: count }, (_, i) => `m${i}`);
  const rows = { member: ids.map((id) => ({ id, userId: `u-${id}` })) };
  return { rows, adapter: adapterOf(made, rows, { around: (adapter) => strict(adapter, made) }) };
}

const leave = (adapter, id) =>
  adapter.transaction((inside) => inside.deleteMany({ model: "member", where: [{ field: "id", value: id }] }));

test("a table that takes no row is known before a transaction that it would end", async () => {
  const made = make();
  made.table.broken = true;
  const { adapter, rows } = members(made);
  await Promise.all([leave(adapter, "m0"), leave(adapter, "m1")]);
  assert.deepEqual(delivered(made), ["subject u-m0", "subject u-m1"]);
  assert.deepEqual(rows.member.map(({ id }) => id), ["m2"]);
  assert.match(made.said.join(), /the outbox takes no row/);
  // Tried twice for both, since once may be chance, and not again for a while.
  assert.equal(made.transactions, 4);
  await leave(adapter, "m2");
  assert.equal(made.transactions, 5);
});

test("a table that takes rows is tried once, without a trace, by all who begin at once", async () => {
  const made = make();
  const { adapter } = members(made);
  made.down = true;
  await Promise.all([leave(adapter, "m0"), leave(adapter, "m1")]);
  await leave(adapter, "m2");
  assert.deepEqual([...made.table.rows.values()].map(({ target }) => target).sort(), ["u-m0", "u-m1", "u-m2"]);
  assert.equal(made.transactions, 4);
});

test("the first row that is refused fails its event, the next wait in memory, until the table takes one", async () => {
  const made = make();
  const { adapter, rows } = members(made, 4);
  await leave(adapter, "m0");
  made.table.broken = true;
  await assert.rejects(leave(adapter, "m1"), /aborted/);
  assert.equal(rows.member.length, 3);
  await leave(adapter, "m1");
  made.table.broken = false;
  made.down = true;
  await leave(adapter, "m2");
  assert.equal(made.table.rows.size, 0);
  made.now += 5000;
  await leave(adapter, "m3");
  assert.equal(made.table.rows.size, 1);
  await made.outbox.sweep();
  assert.deepEqual([...made.table.rows.values()].map(({ target }) => target).sort(), ["u-m2", "u-m3"]);
});

test("more rows than are read at once are read in an order, for pages of none may miss some", async () => {
  const made = make();
  const expired = Array.from({ length: 10_006 }, (_, i) => ({ id: `e${i}`, userId: "u", expiresAt: new Date(0) }));
  let all = [...expired, sessionOf("z")];
  let turn = 0;
  const plain = {
    // As a database may that was told no order.
    findMany: async ({ sortBy, offset = 0, limit }) => {
      const first = sortBy ? 0 : turn++ * 10_000;
      return [...all.slice(first), ...all.slice(0, first)].slice(offset, offset + limit);
    },
    create: (call) => made.table.create(call),
    deleteMany: async ({ model, where }) => {
      if (model !== "session") return made.table.deleteMany({ where });
      const ids = where.find(({ operator }) => operator === "in")?.value;
      const before = all.length;
      all = all.filter(({ id }) => ids && !ids.includes(id));
      return before - all.length;
    },
  };
  const adapter = { ...plain, transaction: (act) => act(plain), options: { adapterConfig: { transaction: true } } };
  watchWrites(adapter, made.outbox, { userFields: [], now: () => made.now }, { warn() {}, error() {} });
  assert.equal(await adapter.deleteMany({ model: "session", where: OF_U }), 10_007);
  assert.deepEqual(delivered(made), ["session z"]);
});
