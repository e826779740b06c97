// docs/clients.md, "The stream" and "What outlives a request".
import assert from "node:assert/strict";
import { test } from "node:test";

import { Code } from "../dist/wire/gatehouse/v1/decision.js";
import { remembering, reply, settled } from "./support/fakes.mjs";

test("a ping goes out each second, and rises", async () => {
  const { clock, transport } = await remembering();
  for (let i = 0; i < 3; i++) {
    await clock.pass(1000);
    transport.stream.tell();
  }
  assert.deepEqual(transport.stream.sent.map(({ ping }) => ping), [1, 2, 3, 4]);
  assert.deepEqual(transport.stream.sent.map(({ fromRevision }) => fromRevision), [undefined, undefined, undefined, undefined]);
});

test("with a short max_staleness pings go out more often, and one that is late changes nothing", async () => {
  const { client, clock, transport } = await remembering({ maxStalenessMs: 1200 });
  await clock.pass(400);
  assert.deepEqual(transport.stream.sent.map(({ ping }) => ping), [1, 2]);
  await clock.pass(799);
  assert.equal(client.figures().live, true);
});

test("it resumes where it was, after a pause that doubles up to 2 s", async () => {
  const { clock, transport, isKept, ask } = await remembering();
  await ask();
  transport.stream.change("somebody", 17);
  const pauses = [];
  for (let i = 0; i < 8; i++) {
    transport.stream.end("UNAVAILABLE");
    const [from, streams] = [clock.time, transport.streams.length];
    while (transport.streams.length === streams) await clock.pass(1);
    pauses.push(clock.time - from);
    const [first] = transport.stream.sent;
    assert.deepEqual([first.fromRevision, first.storeId], [17, "store"]);
  }
  assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
  // It has caught up, and what was in the memory counts again.
  assert.equal(isKept(), false);
  transport.stream.tell({ revision: 17 });
  assert.equal(isKept(), true);
  transport.stream.end("UNAVAILABLE");
  const streams = transport.streams.length;
  await clock.pass(50);
  assert.equal(transport.streams.length, streams + 1);
});

test("a pause is chosen by chance between half and all of it", async () => {
  const { clock, transport } = await remembering();
  clock.chance = 0;
  transport.stream.end("UNAVAILABLE");
  await clock.pass(24);
  assert.equal(transport.streams.length, 1);
  await clock.pass(1);
  assert.equal(transport.streams.length, 2);
});

test("a reply of the stream before to a ping of the stream before proves nothing", async () => {
  const { client, clock, transport } = await remembering();
  await clock.pass(1000);
  const { ping } = transport.stream.sent.at(-1);
  transport.stream.end("UNAVAILABLE");
  await clock.pass(2500);
  transport.stream.tell({ ping });
  assert.equal(client.figures().live, false);
  transport.streams[0].tell({ ping: transport.stream.sent.at(-1).ping });
  assert.equal(client.figures().live, false);
});

test("changes are applied before what the message proves", async () => {
  const { clock, transport, ask, isKept } = await remembering();
  await ask();
  await clock.pass(3000);
  transport.stream.change("ada", 11);
  assert.equal(isKept(), false);
});

for (const status of ["FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"]) {
  test(`${status} empties the memory, and the next stream starts from now`, async () => {
    const { client, clock, transport, ask, isKept } = await remembering();
    await ask();
    transport.stream.end(status);
    assert.deepEqual([client.figures().entries, client.figures().live, isKept()], [0, false, false]);
    await clock.pass(50);
    const [first] = transport.stream.sent;
    assert.deepEqual([first.fromRevision, first.storeId], [undefined, ""]);
    // An answer from before the new stream began may be old.
    transport.stream.tell({ storeId: "other", revision: 3 });
    await ask({ storeId: "other", revision: 3 });
    assert.equal(isKept(), true);
  });
}

for (const [status, words] of [
  ["UNAUTHENTICATED", "GATEHOUSE_TOKEN_FILE"],
  ["PERMISSION_DENIED", '"watch"'],
  ["UNIMPLEMENTED", "GATEHOUSE_TARGET"],
]) {
  test(`${status} is told once, and tried again every 30 s`, async () => {
    const { clock, transport, warnings } = await remembering();
    for (let i = 0; i < 3; i++) {
      transport.stream.end(status);
      const streams = transport.streams.length;
      await clock.pass(29_999);
      assert.equal(transport.streams.length, streams);
      await clock.pass(1);
      assert.equal(transport.streams.length, streams + 1);
    }
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0].includes(words), warnings[0]);
  });
}

test("a stream that says nothing is given up, with its connection", async () => {
  const { clock, transport } = await remembering();
  await clock.pass(3999);
  assert.equal(transport.renewed, 0);
  await clock.pass(1);
  assert.equal(transport.renewed, 1);
  assert.equal(transport.streams[0].cancelled, true);
  await clock.pass(50);
  assert.equal(transport.streams.length, 2);
});

/** A client, and what it called back with. */
async function listening(settings) {
  const all = await remembering(settings);
  const told = [];
  const end = all.client.onRevoked("token", (decision) => told.push(decision.code));
  await settled();
  return { ...all, told, end };
}

test("onRevoked calls back once when a change of the token's tags is a denial", async () => {
  const { transport, told } = await listening();
  await transport.last.answer({});
  transport.stream.change("somebody", 11);
  await settled();
  assert.equal(transport.calls.length, 1);
  transport.stream.change("ada", 12);
  await settled();
  assert.equal(transport.calls.length, 2);
  await transport.last.answer({ ...reply({ code: Code.TOKEN_REVOKED }) });
  transport.stream.change("ada", 13);
  await settled();
  assert.deepEqual(told, ["TOKEN_REVOKED"]);
});

test("onRevoked says nothing where the answer is an allow still", async () => {
  const { transport, told } = await listening();
  await transport.last.answer({});
  transport.stream.change("ada", 11);
  await settled();
  await transport.last.answer({});
  transport.stream.change("ada", 12);
  await settled();
  await transport.last.answer({ ...reply({ code: Code.TOKEN_REVOKED }) });
  assert.deepEqual(told, ["TOKEN_REVOKED"]);
});

test("a change that comes while onRevoked asks has it ask again", async () => {
  const { clock, transport, told } = await listening();
  // The tags are not known yet: whatever comes may be the token's.
  transport.stream.change("ada", 11);
  await transport.last.answer({ revision: 10 });
  await clock.pass(200);
  assert.equal(transport.calls.length, 2);
  assert.equal(transport.last.request.minRevision, 11);
  await transport.last.answer({ ...reply({ code: Code.TOKEN_REVOKED, revision: 11 }) });
  assert.deepEqual(told, ["TOKEN_REVOKED"]);
});

for (const [what, happen] of [
  ["fell_behind", (stream) => stream.tell({ fellBehind: true })],
  ["other rules", (stream) => stream.tell({ rules: "other" })],
  ["another store", (stream) => stream.end("FAILED_PRECONDITION")],
  ["a stream that was too slow", (stream) => stream.end("RESOURCE_EXHAUSTED")],
]) {
  test(`onRevoked asks anew, within a second by chance, on ${what}`, async () => {
    const { clock, transport, told } = await listening();
    await transport.last.answer({});
    happen(transport.stream);
    clock.chance = 0.999;
    await settled();
    assert.equal(transport.calls.length, 1);
    await clock.pass(1000);
    assert.equal(transport.calls.length, 2);
    await transport.last.answer({ ...reply({ code: Code.TOKEN_REVOKED }) });
    assert.deepEqual(told, ["TOKEN_REVOKED"]);
  });
}

test("onRevoked asks again after an error", async () => {
  const { clock, transport, told } = await listening();
  await transport.last.fail("INTERNAL");
  await clock.pass(200);
  assert.equal(transport.calls.length, 2);
  await transport.last.answer({ ...reply({ code: Code.TOKEN_EXPIRED }) });
  assert.deepEqual(told, ["TOKEN_EXPIRED"]);
});

test("onRevoked calls back when the token expires", async () => {
  const { clock, transport, told } = await listening();
  await transport.last.answer(reply({ expire: new Date(Date.now() + 60_000) }));
  for (let i = 0; i < 59; i++) {
    await clock.pass(1000);
    transport.stream.tell();
  }
  assert.equal(transport.calls.length, 1);
  await clock.pass(1000);
  assert.equal(transport.calls.length, 2);
  await transport.last.answer({ ...reply({ code: Code.TOKEN_EXPIRED }) });
  assert.deepEqual(told, ["TOKEN_EXPIRED"]);
});

test("whoever ends onRevoked hears nothing more", async () => {
  const { transport, told, end } = await listening();
  await transport.last.answer({});
  end();
  transport.stream.change("ada", 11);
  await settled();
  assert.equal(transport.calls.length, 1);
  assert.deepEqual(told, []);
});
