// The promise, against the real server behind a proxy that does it harm: never an allow after a
// revocation beyond max_staleness, and a recovery without a restart.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Unavailable } from "../dist/index.js";
import { GrpcTransport } from "../dist/grpc.js";
import { checkSettings } from "../dist/settings.js";
import { live, Stand, until } from "./support/stand.mjs";

const ISSUER = "https://issuer.test";
// How long an answer may outlive what the stream proved, and what a loaded machine takes.
const MAX_STALENESS_MS = 3000;

let stand;
before(async () => {
  stand = await Stand.start();
});
after(() => stand.stop());

const now = () => Number(process.hrtime.bigint()) / 1e6; // CLOCK_MONOTONIC, as the stand's
const turn = () => new Promise((resolve) => setImmediate(resolve));
let subjects = 0;

/** Somebody new, with a token. */
async function somebody() {
  const subject = `somebody-${process.pid}-${++subjects}`;
  return { subject, token: await stand.mint({ claims: { sub: subject } }) };
}

const revoke = (subject) => stand.do("revoke", { subject: { issuer: ISSUER, subject } });

/** Asks until the token is remembered to be good. */
async function remember(client, token) {
  await until(async () => {
    const decision = await client.verify(token);
    assert.equal(decision.code, "OK");
    return client.remembered(token) !== undefined;
  }, "the token to be remembered");
}

/** Milliseconds from the revocation to the first denial, and from its acknowledgement. */
async function revokedWhileRemembered(client) {
  const { subject, token } = await somebody();
  await remember(client, token);
  const done = revoke(subject);
  const end = now() + 2 * MAX_STALENESS_MS;
  while ((await client.verify(token)).allowed) {
    if (now() > end) throw new Error("allowed still, long after the revocation");
    await turn();
  }
  const deniedAt = now();
  const { began, ended } = await done;
  return { fromCall: deniedAt - began * 1000, fromAnswer: deniedAt - ended * 1000 };
}

const percentile = (values, p) => values.sort((a, b) => a - b)[Math.ceil((values.length * p) / 100) - 1].toFixed(2);

test("revoked while remembered: the next answer after the event is a denial", async (t) => {
  const client = stand.client();
  await live(client);
  const times = [];
  for (let i = 0; i < 200; i++) times.push(await revokedWhileRemembered(client));
  const fromCall = times.map((one) => one.fromCall);
  const fromAnswer = times.map((one) => Math.max(one.fromAnswer, 0));
  t.diagnostic(
    `revoke to deny, 200 times: from the call p50 ${percentile(fromCall, 50)} ms, p99 ${percentile(fromCall, 99)} ms; ` +
      `from its acknowledgement p50 ${percentile(fromAnswer, 50)} ms, p99 ${percentile(fromAnswer, 99)} ms`,
  );
  assert.ok(client.figures().hits >= 200);
});

test("with the stream switched off behind its back the same fails", async () => {
  const settings = { target: stand.grpc, tokenFile: stand.callers.backend };
  const transport = new GrpcTransport(checkSettings(settings));
  const watch = transport.watch.bind(transport);
  // Heartbeats come as ever, changes do not.
  transport.watch = (message, ended) => watch((one) => message({ ...one, changes: [] }), ended);
  const client = stand.client({ parts: { transport } });
  await live(client);
  await assert.rejects(revokedWhileRemembered(client), /allowed still/);
});

test("a reply that its own revocation overtook is not kept", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const { subject, token } = await somebody();
  await stand.proxied("hold");
  const first = client.verify(token);
  await stand.proxied("held");
  const { changes } = client.figures();
  await revoke(subject);
  await until(() => client.figures().changes > changes, "the change to be told");
  await stand.proxied("release");
  assert.equal((await first).code, "OK");
  assert.equal(client.remembered(token), undefined);
  assert.equal((await client.verify(token)).code, "TOKEN_REVOKED");
  await stand.proxied("mend");
});

test("a call that begins after the revocation does not share one from before", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const { subject, token } = await somebody();
  await stand.proxied("hold");
  const first = client.verify(token);
  await stand.proxied("held");
  const { changes } = client.figures();
  await revoke(subject);
  await until(() => client.figures().changes > changes, "the change to be told");
  const second = client.verify(token);
  await stand.proxied("release");
  assert.equal((await first).code, "OK");
  assert.equal((await second).code, "TOKEN_REVOKED");
  await stand.proxied("mend");
});

/**
 * Asks all the time until `recovered`; while `revokedAt` is set, an allow must not come later
 * than max_staleness behind it.
 */
async function watchOver(client, token, state) {
  while (!state.over) {
    const asked = now();
    const answer = await client.verify(token, { deadlineMs: 300 }).catch((error) => {
      assert.ok(error instanceof Unavailable, String(error));
      return undefined;
    });
    if (answer?.allowed && state.revokedAt !== undefined) {
      const late = asked - state.revokedAt;
      assert.ok(late <= MAX_STALENESS_MS, `allowed ${late.toFixed(0)} ms after the revocation`);
    }
    if (answer?.code === "TOKEN_REVOKED") state.denied = true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [what, way] of [["both ways", "both"], ["on the way to the client", "down"], ["on the way to the server", "up"]]) {
  test(`partitioned ${what}: no allow beyond max_staleness, and a recovery`, async () => {
    const client = stand.client({ through: stand.proxy });
    await live(client);
    const { subject, token } = await somebody();
    await remember(client, token);
    const state = {};
    const over = watchOver(client, token, state);
    await stand.proxied("partition", { way });
    state.revokedAt = (await revoke(subject)).ended * 1000;
    await until(() => !client.figures().live, "the stream to be stale");
    await assert.rejects(client.verify(token, { deadlineMs: 300 }), Unavailable);
    await stand.proxied("mend");
    await until(() => state.denied, "the denial");
    await live(client);
    state.over = true;
    await over;
  });
}

for (const [what, harm] of [
  ["its connections cut", () => stand.proxied("cut")],
  ["its connections half-closed by the server", () => stand.proxied("half_close", { way: "down" })],
  ["its connections half-closed to the server", () => stand.proxied("half_close", { way: "up" })],
]) {
  test(`${what}: the client comes back, and goes on remembering`, async () => {
    const client = stand.client({ through: stand.proxy });
    await live(client);
    const { subject, token } = await somebody();
    await remember(client, token);
    await harm();
    const state = { revokedAt: (await revoke(subject)).ended * 1000 };
    const over = watchOver(client, token, state);
    await until(() => state.denied, "the denial");
    await live(client);
    state.over = true;
    await over;
    await remember(client, (await somebody()).token);
    await stand.proxied("mend");
  });
}

test("everything delayed by a second: answers are right, if slow", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const { subject, token } = await somebody();
  await remember(client, token);
  await stand.proxied("delay", { seconds: 1 });
  const state = { revokedAt: (await revoke(subject)).ended * 1000 };
  const over = watchOver(client, token, state);
  await until(() => state.denied || (state.over ? true : client.figures().changes > 0 && client.remembered(token) === undefined), "the change");
  await stand.proxied("mend");
  await until(() => state.denied, "the denial");
  state.over = true;
  await over;
});

test("killed and started again: remembered for max_staleness, then 503, then right again, without a herd", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const good = await somebody();
  const bad = await somebody();
  await remember(client, good.token);
  await remember(client, bad.token);
  await stand.do("kill");
  assert.equal((await client.verify(good.token)).code, "OK");
  await until(() => !client.figures().live, "the stream to be stale");
  const before = client.figures();
  // A thousand callers at once while the server is away.
  const asked = await Promise.allSettled(
    Array.from({ length: 1000 }, (_, i) => client.authorize(good.token, `note/${i}`, "read", { deadlineMs: 1000 })),
  );
  assert.ok(asked.every(({ status, reason }) => status === "rejected" && reason instanceof Unavailable));
  const { retries } = client.figures();
  assert.ok(retries - before.retries <= 110, `${retries - before.retries} later tries of 1,000 calls`);
  await stand.do("start");
  await revoke(bad.subject);
  await live(client);
  assert.equal((await client.verify(bad.token)).code, "TOKEN_REVOKED");
  assert.equal((await client.verify(good.token)).code, "OK");
  const { rpcs } = client.figures();
  const watches = Object.entries(rpcs).filter(([name]) => name.startsWith("Watch ")).reduce((sum, [, count]) => sum + count, 0);
  assert.ok(watches <= 20, `${watches} streams were tried`);
});

test("restarted: the memory goes on where it was", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const { subject, token } = await somebody();
  await remember(client, token);
  await stand.do("restart");
  // The old stream's word still counts: only an answer tells that the server was found again.
  await until(() => client.verify(token, { fresh: true }).then(() => true, () => false), "an answer");
  await live(client);
  assert.equal((await revokedWhileRemembered(client)) !== undefined, true);
  await revoke(subject);
  await until(async () => (await client.verify(token)).code === "TOKEN_REVOKED", "the denial");
});

test("restored from a backup: another store, so everything is asked anew", async () => {
  const client = stand.client({ through: stand.proxy });
  await live(client);
  const [before, between] = [await somebody(), await somebody()];
  await revoke(before.subject);
  const { path } = await stand.do("backup", { name: "copy.db" });
  await revoke(between.subject);
  await until(async () => (await client.verify(between.token)).code === "TOKEN_REVOKED", "the denial");
  await stand.do("restore", { path });
  await live(client);
  // What was revoked since the backup is no more: the service says so, and the client with it.
  await until(async () => {
    const answer = await client.verify(between.token).catch(() => undefined);
    return answer?.code === "OK";
  }, "the answer of the new store");
  assert.equal((await client.verify(before.token)).code, "TOKEN_REVOKED");
  await revokedWhileRemembered(client);
});

test("other rules: what was decided under the old ones is asked anew", async () => {
  const client = stand.client();
  await live(client);
  const { subject, token } = await somebody();
  const note = ["note/1", "read", { owner: subject }];
  await until(async () => {
    assert.equal((await client.authorize(token, ...note)).allowed, true);
    return client.remembered(token, ...note) !== undefined;
  }, "the decision to be remembered");
  const { configuration } = (await import("./support/stand.mjs")).CASES;
  const policy = structuredClone(configuration.policy);
  policy.resources.note.actions.read.allow = ["role:support"];
  await stand.do("reload", { policy });
  await until(async () => (await client.authorize(token, ...note)).code === "INSUFFICIENT_PERMISSIONS", "the other rules");
  await stand.do("reload", { policy: configuration.policy });
  await until(async () => (await client.authorize(token, ...note)).allowed, "the first rules");
});

test("10,000 questions at once cost one RPC for each that is distinct", async () => {
  const client = stand.client();
  await live(client);
  const { subject, token } = await somebody();
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, (_, i) => client.authorize(token, `note/${i % 100}`, "read", { owner: subject })),
  );
  assert.ok(answers.every(({ allowed }) => allowed));
  assert.equal(client.figures().rpcs["Authorize OK"], 100);
  assert.equal(client.figures().shared, 9900);
});

test("a batch of any size is asked in parts, and answered in order", async () => {
  const client = stand.client();
  await live(client);
  const { subject, token } = await somebody();
  const questions = Array.from({ length: 2500 }, (_, i) => ({
    resource: `note/${i}`.padEnd(100, "x"),
    action: "read",
    owner: i % 3 === 0 ? subject : "somebody else",
  }));
  const { token: whole, decisions } = await client.batchAuthorize(token, questions);
  assert.equal(whole.code, "OK");
  assert.deepEqual(decisions.map(({ allowed }) => allowed), questions.map((_, i) => i % 3 === 0));
  assert.ok(client.figures().rpcs["BatchAuthorize OK"] >= 3);
  await client.batchAuthorize(token, questions);
  assert.equal(client.figures().hits, 2500);
});

test("onRevoked calls back when the session ends", async (t) => {
  const client = stand.client();
  await live(client);
  const token = await stand.mint({ claims: { sub: "ada", sid: "listened" } });
  const began = await new Promise((resolve) => {
    const called = client.onRevoked(token, (decision) => resolve({ decision, at: now() }));
    assert.equal(typeof called, "function");
    void until(() => client.figures().rpcs["Verify OK"] > 0, "the first answer").then(async () => {
      await stand.do("revoke", { session: { issuer: ISSUER, session_id: "listened" } });
    });
  });
  assert.equal(began.decision.code, "TOKEN_REVOKED");
  t.diagnostic("called back");
});

test("a caller without the right to watch is answered, and warned once", async () => {
  const warnings = [];
  const client = stand.client({ caller: "unwatched", onWarning: (text) => warnings.push(text) });
  const { token } = await somebody();
  await until(() => warnings.length > 0, "the warning");
  assert.equal((await client.verify(token)).code, "OK");
  assert.equal(client.remembered(token), undefined);
  assert.match(warnings[0], /"watch"/);
  assert.equal(warnings.length, 1);
});

test("close ends the process, with a stream that was open", async () => {
  const script = `
    import { Gatehouse } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url))};
    const client = new Gatehouse({ target: process.argv[1], tokenFile: process.argv[2], deadlineMs: 5000 });
    await client.verify("nonsense");
    while (!client.figures().live) await new Promise((resolve) => setTimeout(resolve, 5));
    client.onRevoked("nonsense", () => {});
    client.close();
    console.log("closed");`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", script, stand.grpc, stand.callers.backend],
    { timeout: 20_000 },
  );
  assert.equal(stdout.trim(), "closed");
});

test("no log of the server holds a token", async () => {
  assert.deepEqual((await stand.do("leaks")).leaks, []);
});
