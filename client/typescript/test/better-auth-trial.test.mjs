// The outbox of the Better Auth plugin where its table is locked, or takes no row for a while: nobody waits, nothing is lost.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { watchWrites } from "../dist/better-auth/watch-writes.js";
import { make, SUBJECT } from "./support/outbox.mjs";

// The bounds of the outbox keep no process alive.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

// Of what would wait for ever if it were wrong.
const BOUNDED = { timeout: 10_000 };

const settled = () => new Promise((done) => setImmediate(done));

/** Holds back what is asked of these methods of the table, until the lock is let go. */
function lock(table, ...names) {
  let letGo;
  const open = new Promise((done) => (letGo = done));
  let waiting = 0;
  for (const name of names) {
    const run = table[name].bind(table);
    table[name] = async (call) => {
      waiting++;
      await open;
      waiting--;
      return run(call);
    };
  }
  return { letGo, waiting: () => waiting };
}

/** Refuses the next so many rows. */
function refuse(table, times, why = "deadlock detected") {
  const run = table.create.bind(table);
  table.create = async (call) => {
    if (times-- > 0) throw new Error(why);
    return run(call);
  };
}

/** An adapter over the table and some users and members. `ends`: a refused statement ends its transaction; `says`: that it does. */
function adapterOf(made, { ends = true, says = ends } = {}) {
  const rows = { user: [], member: ["m0", "m1", "m2", "m3"].map((id) => ({ id, userId: `u-${id}` })) };
  const own = ({ model }) => model === "gatehouseOutbox";
  const plain = {
    create: async (call) => (own(call) ? made.table.create(call) : (rows[call.model].push(call.data), call.data)),
    findMany: async ({ model, where }) => rows[model].filter(({ id }) => id === where[0].value),
    deleteMany: async (call) => {
      if (own(call)) return made.table.deleteMany(call);
      const before = rows[call.model].length;
      const gone = call.where[0].value;
      rows[call.model] = rows[call.model].filter(({ id }) => ![gone].flat().includes(id));
      return before - rows[call.model].length;
    },
  };
  made.transactions = 0;
  const adapter = {
    ...plain,
    async transaction(act) {
      made.transactions++;
      const before = [new Map(made.table.rows), { ...rows }];
      let refused = false;
      const strict = (method) => async (call) => {
        if (refused) throw Object.assign(new Error("current transaction is aborted"), { code: "25P02" });
        return method(call).catch((error) => {
          refused = ends;
          throw error;
        });
      };
      try {
        return await act(Object.fromEntries(Object.entries(plain).map(([name, method]) => [name, strict(method)])));
      } catch (error) {
        [made.table.rows] = before;
        Object.assign(rows, before[1]);
        throw error;
      }
    },
    options: { adapterConfig: { transaction: true, supportsUUIDs: says } },
  };
  const log = { warn: (text) => made.said.push(text), error: (text) => made.said.push(text) };
  watchWrites(adapter, made.outbox, { userFields: [], now: () => made.now }, log);
  return { adapter, rows };
}

const signUp = (adapter) => adapter.transaction((inside) => inside.create({ model: "user", data: { id: "new" } }));
const leave = (adapter, id) =>
  adapter.transaction((inside) => inside.deleteMany({ model: "member", where: [{ field: "id", value: id }] }));
const targets = (made) => [...made.table.rows.values()].map(({ target }) => target).sort();

test("a transaction that revokes nothing does not wait for a locked table", async () => {
  const made = make({ tryMs: 1e9 });
  const { letGo } = lock(made.table, "create");
  const { adapter, rows } = adapterOf(made);
  const done = signUp(adapter);
  await settled();
  assert.equal(rows.user.length, 1);
  letGo();
  await done;
});

test("one that does waits for a locked table as long as for one try, and its revocation is made", BOUNDED, async () => {
  const made = make();
  const { letGo, waiting } = lock(made.table, "create");
  const { adapter, rows } = adapterOf(made);
  await Promise.all([leave(adapter, "m0"), leave(adapter, "m1")]);
  assert.deepEqual(made.delivered.map(({ target }) => target).sort(), ["u-m0", "u-m1"]);
  assert.match(made.said.join(), /takes no row.* a subject \(.*no answer within 50 ms/);
  // However often it is tried, one connection waits for the lock.
  made.now += 5000;
  await leave(adapter, "m2");
  assert.equal(waiting(), 1);
  letGo();
  await settled();
  made.down = true;
  await leave(adapter, "m3");
  assert.deepEqual([targets(made), rows.member], [["u-m3"], []]);
});

test("one refusal that has passed keeps no revocation from the table", async () => {
  const made = make();
  made.down = true;
  refuse(made.table, 1);
  const { adapter } = adapterOf(made);
  await leave(adapter, "m0");
  assert.deepEqual(targets(made), ["u-m0"]);
  assert.doesNotMatch(made.said.join(), /takes no row/);
});

test("where a refusal ends no transaction nothing is tried before, and a row is tried twice", async () => {
  const made = make();
  made.down = true;
  const { adapter } = adapterOf(made, { ends: false });
  refuse(made.table, 1, "SQLITE_BUSY");
  await leave(adapter, "m0");
  assert.deepEqual([targets(made), made.transactions], [["u-m0"], 1]);
  refuse(made.table, 2, "SQLITE_BUSY");
  await leave(adapter, "m1");
  assert.deepEqual(targets(made), ["u-m0"]);
  assert.match(made.said.join(), /takes no row.* a subject \(.*SQLITE_BUSY/);
  // What the one before left behind holds up nothing.
  await leave(adapter, "m2");
  assert.deepEqual([targets(made), made.transactions], [["u-m0", "u-m2"], 3]);
});

test("a database that does not say that a refusal ends its transactions shows it by the first", async () => {
  const made = make();
  const { adapter, rows } = adapterOf(made, { says: false });
  made.table.broken = true;
  await assert.rejects(leave(adapter, "m0"), /aborted/);
  await leave(adapter, "m0");
  assert.equal(rows.member.length, 3);
  assert.deepEqual(made.delivered.map(({ target }) => target), ["u-m0"]);
  assert.match(made.said.at(-1), /no such table/);
});

test("what is in memory goes to the table once that takes rows, Gatehouse away or not", async () => {
  const made = make();
  made.down = true;
  made.table.broken = true;
  await made.outbox.seen(made.outbox.hold([SUBJECT]));
  await assert.rejects(made.outbox.sweep());
  assert.match(made.said.join(), /takes no row, so 1 are in memory alone: no such table/);
  made.table.broken = false;
  await made.outbox.sweep();
  assert.deepEqual(targets(made), ["u1"]);
  // This process ends.
  const next = make({ database: made.table });
  next.now += 3_600_000;
  await next.outbox.sweep();
  assert.deepEqual(next.delivered, [{ kind: "subject", target: "u1", seenAt: 1000 }]);
  assert.equal(made.table.rows.size, 0);
});

test("the table is looked for by itself, while Gatehouse is away too", BOUNDED, async () => {
  const made = make({ leastPauseMs: 1, mostPauseMs: 600_000, pollMs: 1 });
  made.outbox.stopped = false;
  made.down = new Error("away");
  await made.outbox.seen(made.outbox.hold([SUBJECT]));
  while (made.table.rows.size === 0) await settled();
  assert.deepEqual(made.delivered, []);
  made.outbox.stop();
});

test("what is delivered while it goes to the table stays in neither", BOUNDED, async () => {
  const made = make();
  made.down = true;
  await made.outbox.seen(made.outbox.hold([SUBJECT]));
  const { letGo } = lock(made.table, "create");
  const moves = made.outbox.sweep();
  await settled();
  made.down = false;
  await moves;
  made.now += 60_000;
  await made.outbox.sweep();
  assert.equal(made.delivered.length, 1);
  letGo();
  await settled();
  assert.equal(made.table.rows.size, 0);
});

test("a locked table keeps what is in memory from no delivery, and one look at it waits", BOUNDED, async () => {
  const made = make();
  made.down = true;
  await made.outbox.seen(made.outbox.hold([SUBJECT]));
  const { letGo, waiting } = lock(made.table, "create", "findMany", "updateMany", "deleteMany");
  made.down = false;
  made.now += 60_000;
  await assert.rejects(made.outbox.sweep(), /no answer within/);
  assert.equal(made.delivered.length, 1);
  await assert.rejects(made.outbox.sweep(), /no answer within/);
  assert.equal(waiting(), 1);
  letGo();
});
