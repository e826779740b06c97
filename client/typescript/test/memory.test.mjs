// docs/clients.md, rule by rule: what is kept, for how long, and what drops it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidArgument, Unavailable } from "../dist/index.js";
import { Code } from "../dist/wire/gatehouse/v1/decision.js";
import { remembering, reply, settled, tag } from "./support/fakes.mjs";

const ADAS = { owner: "ada" };
const NOTE = { resource: "note/1", action: "read", ...ADAS };
const TWO = { resource: "note/2", action: "read" };

test("a decision is kept, and given again without a call", async () => {
  const { client, transport, ask } = await remembering();
  const first = await ask();
  assert.equal(first.allowed, true);
  assert.equal(await client.verify("token"), first);
  assert.equal(transport.calls.length, 1);
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.principal) && Object.isFrozen(first.principal.roles));
});

test("a denial is kept as an allow is", async () => {
  const { client, transport, ask } = await remembering();
  await ask({ ...reply({ code: Code.TOKEN_REVOKED }) });
  assert.equal((await client.verify("token")).code, "TOKEN_REVOKED");
  assert.equal(transport.calls.length, 1);
});

for (const [what, fields] of [
  ["without remember_for", { rememberFor: undefined }],
  ["with a remember_for of zero", { rememberFor: { seconds: 0, nanos: 0 } }],
  ["without tags", { tags: [] }],
  ["of another store", { storeId: "other" }],
  ["under other rules", { rules: "other" }],
  ["of a revision that the stream's changes do not reach back to", { revision: 9 }],
]) {
  test(`an answer ${what} is not kept`, async () => {
    const { ask, isKept } = await remembering();
    await ask(fields);
    assert.equal(isKept(), false);
  });
}

test("an answer of a newer revision than the stream's is kept", async () => {
  const { ask, isKept } = await remembering();
  await ask({ revision: 12 });
  assert.equal(isKept(), true);
});

for (const [changed, kept] of [["ada", false], ["bob", true]]) {
  test(`an answer of ada's that a change of ${changed}'s overtook is ${kept ? "" : "not "}kept`, async () => {
    const { client, transport, isKept } = await remembering();
    const answer = client.verify("token");
    await settled();
    transport.stream.change(changed, 11);
    await transport.last.answer({ revision: 10, tags: [tag("ada")] });
    assert.equal((await answer).allowed, true);
    assert.equal(isKept(), kept);
  });
}

test("an answer that a key without a revision overtook is not kept", async () => {
  const { client, transport, isKept } = await remembering();
  const answer = client.verify("token");
  await settled();
  transport.stream.tell({ changes: [{ kind: 3, tag: tag("ada"), revision: 0 }] });
  await transport.last.answer({});
  await answer;
  assert.equal(isKept(), false);
});

test("of 4,096 changes each is known, of one more the first is not", async () => {
  for (const [changes, kept] of [[4096, true], [4097, false]]) {
    const { client, transport, isKept } = await remembering();
    for (let i = 1; i <= changes; i++) transport.stream.change(`somebody ${i}`, 10 + i);
    const answer = client.verify("token");
    await settled();
    await transport.last.answer({ revision: 10 });
    await answer;
    assert.equal(isKept(), kept, `${changes} changes`);
  }
});

for (const [changed, kept] of [["ada", false], ["bob", true]]) {
  test(`an answer of ada's from before a known change of ${changed}'s is ${kept ? "" : "not "}kept`, async () => {
    const { transport, ask, isKept } = await remembering();
    transport.stream.change(changed, 11);
    await ask({ revision: 10 });
    assert.equal(isKept(), kept);
  });
}

test("an answer is not kept where more changes came meanwhile than are remembered", async () => {
  const { client, transport, isKept } = await remembering();
  const answer = client.verify("token");
  await settled();
  transport.stream.tell({ changes: [{ kind: 3, tag: tag("ada"), revision: 0 }] });
  for (let i = 1; i <= 4096; i++) transport.stream.change(`somebody ${i}`, 10 + i);
  await transport.last.answer({ revision: 10 + 4096 });
  await answer;
  assert.equal(isKept(), false);
});

test("remember_for counts from before the request was sent", async () => {
  const { client, clock, transport, isKept } = await remembering({ deadlineMs: 5000 });
  const answer = client.verify("token");
  await settled();
  await clock.pass(2000);
  transport.stream.tell();
  await transport.last.answer({ rememberFor: { seconds: 4, nanos: 0 } });
  await answer;
  await clock.pass(1999);
  transport.stream.tell();
  assert.equal(isKept(), true);
  await clock.pass(1);
  assert.equal(isKept(), false);
});

test("the memory is used until max_staleness after the ping that was answered was sent", async () => {
  const { client, clock, transport, ask, isKept } = await remembering();
  await ask();
  await clock.pass(2999);
  assert.equal(isKept(), true);
  await clock.pass(1);
  assert.equal(isKept(), false);
  assert.equal(client.figures().live, false);
  // What is in it stays, and counts again.
  transport.stream.tell();
  assert.equal(isKept(), true);
});

test("a late reply to an old ping is old", async () => {
  const { client, clock, transport, ask, isKept } = await remembering();
  await ask();
  const old = transport.stream.sent.at(-1).ping;
  await clock.pass(2500);
  transport.stream.tell({ ping: old });
  await clock.pass(500);
  assert.equal(isKept(), false);
  assert.equal(client.figures().staleness, 3);
});

test("an answer is not kept while the stream is not live", async () => {
  const { clock, transport, ask, isKept } = await remembering();
  await clock.pass(3000);
  await ask();
  transport.stream.tell();
  assert.equal(isKept(), false);
});

test("a change drops the decisions that have its tag alone", async () => {
  const { client, transport, ask, isKept } = await remembering();
  await ask();
  await ask({}, () => client.authorize("token", "note/1", "read", ADAS));
  await ask({ tags: [tag("bob")] }, () => client.verify("other"));
  transport.stream.change("ada", 11);
  assert.equal(isKept(), false);
  assert.equal(client.remembered("token", "note/1", "read", ADAS), undefined);
  assert.equal(isKept("other"), true);
  assert.equal(client.figures().dropped, 2);
});

for (const [what, fields] of [
  ["other rules", { rules: "other" }],
  ["fell_behind", { fellBehind: true, revision: 20 }],
  ["another store", { storeId: "other" }],
  ["a change of no kind", { changes: [{ kind: 0, tag: new Uint8Array(), revision: 0 }] }],
  ["a change of a kind that is not known", { changes: [{ kind: 4, tag: tag("bob"), revision: 11 }], revision: 11 }],
]) {
  test(`${what} drops everything`, async () => {
    const { client, transport, ask, isKept } = await remembering();
    await ask();
    transport.stream.tell(fields);
    assert.equal(isKept(), false);
    assert.equal(client.figures().entries, 0);
  });
}

test("after fell_behind no older answer is kept", async () => {
  const { transport, ask, isKept } = await remembering();
  transport.stream.tell({ fellBehind: true, revision: 20 });
  await ask({ revision: 19 });
  assert.equal(isKept(), false);
  await ask({ revision: 20 });
  assert.equal(isKept(), true);
});

test("the key is the whole question", async () => {
  const { client, transport, ask } = await remembering();
  const questions = [
    ["note/1", "read", ADAS], ["note/1", "edit", ADAS], ["note/2", "read", ADAS], ["task/1", "read", ADAS],
    ["note/1", "read", { owner: "bob" }], ["note/1", "read", { owner: "" }], ["note/1", "read", { ...ADAS, tenant: "t" }],
    ["note/1r", "ead", ADAS], ["note/", "1read", ADAS], ["note/1", "reada", { owner: "da" }], ["note/1", "rea", { owner: "dada" }],
    ["note/1", "read", { owner: "ad", tenant: "a" }], ["note/1", "read", { tenant: "ada" }],
    ["note/1", "read", { ...ADAS, relations: { a: ["x"] } }], ["note/1", "read", { ...ADAS, relations: { a: ["x", "y"] } }],
    ["note/1", "read", { ...ADAS, relations: { a: ["x"], b: [] } }], ["note/1", "read", { ...ADAS, attributes: { a: "x" } }],
    ["note/1", "read", { ...ADAS, attributes: { a: "y" } }], ["note/1", "", ADAS],
  ];
  for (const [i, question] of questions.entries()) {
    const decision = reply({ id: `${i}` }).decision;
    await ask({ decision }, () => client.authorize("token", ...question));
  }
  assert.equal(transport.calls.length, questions.length);
  for (const [i, question] of questions.entries()) {
    assert.equal(client.remembered("token", ...question)?.id, `${i}`);
    assert.equal(client.remembered("other", ...question), undefined);
  }
  // The same in another order is the same.
  const facts = { attributes: { a: "1", b: "2" } };
  await ask({}, () => client.authorize("token", "note/1", "read", { ...ADAS, ...facts }));
  assert.ok(client.remembered("token", "note/1", "read", { ...ADAS, attributes: { b: "2", a: "1" } }));
  // Verify is no Authorize of nothing.
  assert.equal(client.remembered("token"), undefined);
});

test("the memory is bounded, and the least recently used goes first", async () => {
  const { client, ask, isKept } = await remembering({ memoryEntries: 3 });
  for (const token of ["a", "b", "c"]) await ask({}, () => client.verify(token));
  isKept("a");
  await ask({}, () => client.verify("d"));
  assert.deepEqual(["a", "b", "c", "d"].filter(isKept), ["a", "c", "d"]);
  assert.equal(client.figures().entries, 3);
  assert.equal(client.figures().evicted, 1);
});

test("the memory is bounded in bytes", async () => {
  const { client, ask } = await remembering({ memoryMib: 1 });
  for (let i = 0; i < 200; i++) await ask({}, () => client.verify(`${i}`.padEnd(8192, "x")));
  const { bytes, entries } = client.figures();
  assert.ok(bytes <= 2 ** 20 && entries > 50 && entries < 200, `${entries} entries, ${bytes} bytes`);
});

test("what was dropped leaves nothing behind", async () => {
  const { client, transport, ask } = await remembering();
  for (let i = 0; i < 50; i++) {
    await ask({ tags: [tag(`${i}`), tag("all")] }, () => client.verify(`token ${i}`));
  }
  transport.stream.change("all", 11);
  assert.equal(client.figures().entries, 0);
  assert.equal(client.figures().bytes, 0);
});

test("with 0 entries nothing is remembered", async () => {
  const { ask, isKept } = await remembering({ memoryEntries: 0 });
  await ask();
  assert.equal(isKept(), false);
});

test("fresh does not read the memory, and its answer may be kept", async () => {
  const { client, transport, ask } = await remembering();
  await ask();
  const decision = reply({ id: "2" }).decision;
  const anew = await ask({ decision }, () => client.verify("token", { fresh: true }));
  assert.equal(anew.id, "2");
  assert.equal((await client.verify("token")).id, "2");
  assert.equal(transport.calls.length, 2);
});

test("explain and withClaims go past the memory", async () => {
  const { client, transport, ask, isKept } = await remembering();
  await ask({}, () => client.verify("token", { explain: true }));
  await ask({}, () => client.verify("token", { withClaims: true }));
  await ask({}, () => client.authorize("token", "note/1", "read", { ...ADAS, explain: true }));
  assert.equal(isKept(), false);
  assert.equal(client.remembered("token", "note/1", "read", ADAS), undefined);
  assert.equal(transport.calls.length, 3);
});

test("a batch asks for what is not remembered, and each check is kept for itself", async () => {
  const { client, transport, ask } = await remembering();
  await ask({}, () => client.authorize("token", "note/1", "read", ADAS));
  const { decision } = reply();
  const batch = () => client.batchAuthorize("token", [NOTE, TWO]);
  const first = await ask({ decisions: [decision] }, batch);
  assert.deepEqual(transport.last.request.checks.map(({ resource }) => resource), ["note/2"]);
  assert.deepEqual(first.decisions.map(({ allowed }) => allowed), [true, true]);
  await batch();
  assert.ok(client.remembered("token", "note/2", "read"));
  assert.equal(transport.calls.length, 2);
});

test("an error names the check by its place among all of them", async () => {
  const { client, transport, ask } = await remembering();
  await ask({}, () => client.authorize("token", "note/1", "read", ADAS));
  const rejected = assert.rejects(client.batchAuthorize("token", [NOTE, TWO, NOTE, { resource: "bad", action: "read" }]), {
    name: "InvalidArgument",
    message: /checks\[3\]\.resource: is malformed/,
  });
  await settled();
  await transport.last.fail("INVALID_ARGUMENT", "checks[1].resource: is malformed");
  await rejected;
});

for (const code of [Code.TOKEN_REVOKED, 99]) {
  test(`a batch whose token turns out bad (code ${code}) denies what was remembered as well`, async () => {
    const { client, ask } = await remembering();
    await ask({}, () => client.authorize("token", "note/1", "read", ADAS));
    const { decision, principal } = reply({ code });
    const batch = await ask({ decision, principal, decisions: [decision] }, () =>
      client.batchAuthorize("token", [NOTE, TWO]),
    );
    assert.equal(batch.token.allowed, false);
    assert.deepEqual(batch.decisions, [batch.token, batch.token]);
  });
}

test("calls that ask the same at the same time share one RPC", async () => {
  const { client, transport } = await remembering();
  const answers = Array.from({ length: 100 }, () => client.authorize("token", "note/1", "read", ADAS));
  await settled();
  assert.equal(transport.calls.length, 1);
  await transport.last.answer({});
  const [first] = await Promise.all(answers);
  for (const answer of answers) assert.equal(await answer, first);
  assert.equal(client.figures().shared, 99);
});

test("a call that begins after a change shares none that was sent before it", async () => {
  const { client, transport } = await remembering();
  const before = client.verify("token");
  await settled();
  transport.stream.change("somebody", 11);
  const behind = client.verify("token");
  await settled();
  assert.equal(transport.calls.length, 2);
  await transport.calls[0].answer({});
  await transport.calls[1].answer(reply({ code: Code.TOKEN_REVOKED, revision: 11 }));
  assert.equal((await before).allowed, true);
  assert.equal((await behind).allowed, false);
});

test("a call that begins under other rules shares none that was sent before them", async () => {
  const { client, transport } = await remembering();
  void client.verify("token");
  await settled();
  transport.stream.tell({ rules: "other" });
  void client.verify("token");
  await settled();
  assert.equal(transport.calls.length, 2);
  for (const call of transport.calls) await call.answer({});
});

test("a call shares none that was sent max_staleness ago", async () => {
  const { client, clock, transport } = await remembering({ deadlineMs: 60_000 });
  const first = client.verify("token");
  transport.stream.end("UNAVAILABLE");
  await clock.pass(2999);
  const second = client.verify("token");
  assert.equal(transport.calls.length, 1);
  await clock.pass(1);
  const third = client.verify("token");
  await settled();
  assert.equal(transport.calls.length, 2);
  await transport.calls[0].answer({});
  await transport.calls[1].answer({ ...reply({ code: Code.TOKEN_REVOKED }) });
  const answers = await Promise.all([first, second, third]);
  assert.deepEqual(answers.map(({ code }) => code), ["OK", "OK", "TOKEN_REVOKED"]);
});

test("fresh shares no call that was under way", async () => {
  const { client, transport } = await remembering();
  void client.verify("token");
  void client.verify("token", { fresh: true });
  await settled();
  assert.equal(transport.calls.length, 2);
  for (const call of transport.calls) await call.answer({});
});

test("when the first caller gives up, the others still get the answer", async () => {
  const { client, transport } = await remembering();
  const first = new AbortController();
  const given = client.verify("token", { signal: first.signal });
  const other = client.verify("token");
  await settled();
  first.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  assert.equal(transport.last.signal.aborted, false);
  await transport.last.answer({});
  assert.equal((await other).allowed, true);
});

test("when all have given up, the RPC is cancelled, and nobody joins it", async () => {
  const { client, transport } = await remembering();
  const abort = new AbortController();
  const given = client.verify("token", { signal: abort.signal });
  await settled();
  abort.abort();
  await assert.rejects(given, { name: "AbortError" });
  assert.equal(transport.last.signal.aborted, true);
  void client.verify("token");
  await settled();
  assert.equal(transport.calls.length, 2);
  await transport.last.answer({});
});

test("a caller's own short deadline is not that of those who share", async () => {
  const { client, clock, transport } = await remembering();
  const hurried = client.verify("token", { deadlineMs: 10 });
  const other = client.verify("token");
  await settled();
  assert.equal(transport.last.ms, 500);
  const rejected = assert.rejects(hurried, { name: "Unavailable", status: "DEADLINE_EXCEEDED" });
  await clock.pass(10);
  await rejected;
  await transport.last.answer({});
  assert.equal((await other).allowed, true);
});

test("an error is shared", async () => {
  const { client, transport } = await remembering();
  const answers = [client.verify("token"), client.verify("token")];
  await settled();
  const rejected = answers.map((answer) => assert.rejects(answer, { status: "RESOURCE_EXHAUSTED", httpStatus: 503 }));
  await transport.last.fail("RESOURCE_EXHAUSTED");
  await Promise.all(rejected);
  assert.equal(transport.calls.length, 1);
});

test("who revokes reads their own write: the memory, the calls under way and those to come", async () => {
  const { client, transport, ask, isKept } = await remembering();
  const revocation = { id: "r", target: { $case: "subject", value: { issuer: "i", subject: "ada", issuedUntil: undefined } } };
  // SHA-256 over 4, "i" and "ada" with their lengths.
  const { createHash } = await import("node:crypto");
  const subject = createHash("sha256").update(Buffer.from("\x04\0\0\0\x01i\0\0\0\x03ada", "latin1")).digest().subarray(0, 16);
  await ask({ tags: [subject] });
  const under = client.verify("token", { fresh: true });
  await settled();
  const underWay = transport.last;
  assert.equal(isKept(), true);
  await ask({ revocation, revision: 11, storeId: "store", existed: false }, () => client.revoke({ issuer: "i", subject: "ada" }));
  assert.equal(isKept(), false);
  const behind = client.verify("token");
  await settled();
  assert.notEqual(transport.last, underWay);
  assert.deepEqual([transport.last.request.minRevision, transport.last.request.storeId], [11, "store"]);
  await underWay.answer({ tags: [subject] });
  await under;
  assert.equal(isKept(), false);
  await transport.last.answer(reply({ code: Code.TOKEN_REVOKED, revision: 11 }));
  assert.equal((await behind).code, "TOKEN_REVOKED");
  // The stream has come as far: no more is asked for.
  transport.stream.tell({ revision: 11 });
  void client.verify("other");
  await settled();
  assert.equal(transport.last.request.minRevision, 0);
  await transport.last.answer({});
});

test("another store's revision is forgotten, and the call made once more", async () => {
  const { client, transport, ask } = await remembering();
  const revocation = { id: "r", target: { $case: "session", value: { issuer: "i", sessionId: "s" } } };
  await ask({ revocation, revision: 11, storeId: "old" }, () => client.revoke({ issuer: "i", sessionId: "s" }));
  const answer = client.verify("token");
  await settled();
  assert.equal(transport.last.request.minRevision, 11);
  await transport.last.fail("FAILED_PRECONDITION");
  assert.equal(transport.last.request.minRevision, 0);
  await transport.last.answer({});
  assert.equal((await answer).allowed, true);
});

test("a closed client answers nothing, and leaves no timer", async () => {
  const { client, clock, transport, ask } = await remembering();
  await ask();
  const under = client.verify("other");
  await settled();
  client.close();
  await assert.rejects(under, Unavailable);
  await assert.rejects(client.verify("token"), Unavailable);
  assert.equal(client.remembered("token"), undefined);
  assert.equal(transport.closed && transport.stream.cancelled, true);
  assert.equal(clock.waiting, 0);
});

test("what is no question is refused before anybody is asked", async () => {
  const { client, transport } = await remembering();
  for (const [words, ask] of [
    ["token must be a string, not a number", () => client.verify(42)],
    ["token must be a string, not undefined", () => client.verify(undefined)],
    ["resource must be a string, not a number: write String(resource)", () => client.authorize("t", 1, "read")],
    ["resource must be a string, not an object", () => client.authorize("t", NOTE, "read")],
    ["resource must be a string, not undefined", () => client.authorize("t", undefined, "read")],
    ["action must be a string, not an object", () => client.authorize("t", "note/1", ADAS)],
    ["owner must be a string, not an array", () => client.authorize("t", "note/1", "read", { owner: ["ada"] })],
    ["owner is not well-formed", () => client.authorize("t", "note/1", "read", { owner: "\ud800" })],
    ["relations.editor must be an array", () => client.authorize("t", "note/1", "read", { relations: { editor: "ada" } })],
    ["relations.editor[1] must be a string", () => client.authorize("t", "note/1", "read", { relations: { editor: ["a", 2] } })],
    ["attributes.size must be a string, not a number", () => client.authorize("t", "note/1", "read", { attributes: { size: 3 } })],
    ["attributes must be an object of names and values, not an object (Map)", () => client.authorize("t", "note/1", "read", { attributes: new Map() })],
    ["relations must be an object of names and values, not an array", () => client.authorize("t", "note/1", "read", { relations: ["ada"] })],
    ["checks[1].resource must be a string", () => client.batchAuthorize("t", [NOTE, { action: "read" }])],
    ["checks[0] must be an object", () => client.batchAuthorize("t", [undefined])],
    ["checks must be an array", () => client.batchAuthorize("t", {})],
    ["deadlineMs must be a number above 0", () => client.verify("t", { deadlineMs: 0 })],
    ["names one of token", () => client.revoke({ issuer: "i" })],
    ["names one of token", () => client.revoke({ issuer: "i", subject: "s", tenant: "t" })],
    ["issuedUntil must be a valid Date", () => client.revoke({ issuer: "i", subject: "s", issuedUntil: 5 })],
    ["issuedUntil is not for", () => client.revoke({ issuer: "i", sessionId: "s", issuedUntil: new Date() })],
  ]) {
    await assert.rejects(ask, (error) => {
      assert.ok(error instanceof InvalidArgument, String(error));
      assert.ok(error.message.includes(words), error.message);
      return true;
    });
  }
  assert.equal(transport.calls.length, 0);
});
