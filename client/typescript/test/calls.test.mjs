// Which calls are tried again, when, and how often.
import assert from "node:assert/strict";
import { test } from "node:test";

import { remembering, settled } from "./support/fakes.mjs";

for (const status of ["UNAVAILABLE", "CANCELLED"]) {
  test(`${status} is tried again, within the deadline, after a pause`, async () => {
    const { client, clock, transport } = await remembering();
    const answer = client.verify("token");
    await settled();
    await transport.last.fail(status);
    assert.equal(transport.calls.length, 1);
    await clock.pass(39);
    assert.equal(transport.calls.length, 1);
    await clock.pass(1);
    assert.equal(transport.calls.length, 2);
    assert.equal(transport.last.ms, 460);
    await transport.last.answer({});
    assert.equal((await answer).allowed, true);
  });
}

test("no other status is tried again", async () => {
  const { client, clock, transport } = await remembering();
  for (const status of ["DEADLINE_EXCEEDED", "INTERNAL", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"]) {
    const before = transport.calls.length;
    const rejected = assert.rejects(client.verify("other"), { status });
    await settled();
    await transport.last.fail(status);
    await rejected;
    await clock.pass(1000);
    assert.equal(transport.calls.length, before + 1, status);
  }
});

for (const [chance, pauses] of [[0, [20, 150, 300]], [0.5, [30, 250, 500]], [1, [40, 350, 700]]]) {
  test(`the pauses of a call rise, and none has a fifth try (chance ${chance})`, async () => {
    const { client, clock, transport } = await remembering({ deadlineMs: 60_000 });
    clock.chance = chance;
    const rejected = assert.rejects(client.verify("token"), { status: "UNAVAILABLE" });
    await settled();
    for (const [i, pause] of pauses.entries()) {
      await transport.last.fail("UNAVAILABLE");
      await clock.pass(pause - 1);
      assert.equal(transport.calls.length, i + 1);
      await clock.pass(1);
      assert.equal(transport.calls.length, i + 2);
    }
    await transport.last.fail("UNAVAILABLE");
    await rejected;
    await clock.pass(10_000);
    assert.equal(transport.calls.length, 4);
  });

  test(`a call bridges a restart of three tenths of a second (chance ${chance})`, async () => {
    const { client, clock, transport } = await remembering();
    clock.chance = chance;
    const back = clock.time + 300;
    const answer = client.verify("token");
    await settled();
    for (let seen = 0; clock.time < back + 200; await clock.pass(1)) {
      if (transport.calls.length === seen) continue;
      seen = transport.calls.length;
      if (clock.time < back) {
        await transport.last.fail("UNAVAILABLE");
      } else {
        assert.ok(transport.last.ms >= 25, `${transport.last.ms} ms are left for the answer`);
        await transport.last.answer({});
        break;
      }
    }
    assert.equal((await answer).allowed, true);
    assert.ok(client.figures().retries <= 3);
  });
}

test("a pause takes three quarters of the time that is left at most, and 20 ms at least", async () => {
  const { client, clock, transport } = await remembering({ deadlineMs: 40 });
  const rejected = assert.rejects(client.verify("token"), { status: "UNAVAILABLE" });
  await settled();
  await transport.last.fail("UNAVAILABLE");
  await clock.pass(29);
  assert.equal(transport.calls.length, 1);
  await clock.pass(1);
  assert.equal(transport.calls.length, 2);
  assert.equal(transport.last.ms, 10);
  await transport.last.fail("UNAVAILABLE");
  await rejected;
  await clock.pass(1000);
  assert.equal(transport.calls.length, 2);
});

test("later tries come from a budget of a tenth of the calls", async () => {
  const { client, clock, transport } = await remembering();
  const answered = new Set();
  const failAll = async () => {
    for (const call of transport.calls) {
      if (answered.has(call)) continue;
      answered.add(call);
      await call.fail("UNAVAILABLE");
    }
  };
  const results = Array.from({ length: 1000 }, (_, i) => client.verify(`token ${i}`).catch((error) => error.status));
  await settled();
  for (let i = 0; i < 10; i++) {
    await failAll();
    await clock.pass(50);
  }
  assert.ok((await Promise.all(results)).every((status) => status === "UNAVAILABLE"));
  const { retries } = client.figures();
  assert.ok(retries >= 10 && retries <= 110, `${retries} later tries of 1,000 calls`);
});
