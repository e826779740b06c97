// The outbox of the Better Auth plugin, by itself: when it tries again, and what it may take away.
import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidArgument } from "../dist/index.js";
import { make, SESSION, SUBJECT } from "./support/outbox.mjs";

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
