// A question that is none is refused in the developer's words, whatever is remembered.
import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidArgument } from "../dist/index.js";
import { keyOf } from "../dist/question.js";
import { remembering, settled } from "./support/fakes.mjs";

const hole = [, "u1"];

for (const [what, facts] of [
  ["relations in a Map", { relations: new Map([["blocked", ["u1"]]]) }],
  ["relations in an array", { relations: [] }],
  ["relations in a string", { relations: "" }],
  ["a relation to no array", { relations: { blocked: "u1" } }],
  ["a relation to a Set", { relations: { blocked: new Set(["u1"]) } }],
  ["a relation with a hole", { relations: { blocked: hole } }],
  ["a relation to nobody", { relations: { blocked: [null] } }],
  ["a relation to a bigint", { relations: { blocked: [1n] } }],
  ["attributes in a Map", { attributes: new Map([["plan", "pro"]]) }],
  ["a bigint attribute", { attributes: { size: 1n } }],
  ["a number attribute", { attributes: { size: 1 } }],
  ["an attribute of nothing", { attributes: { size: undefined } }],
]) {
  test(`${what}: refused, though others are remembered`, async () => {
    const { client, transport, ask } = await remembering();
    for (const known of [{}, { relations: {} }, { attributes: {} }, { relations: { blocked: [] } }]) {
      await ask({}, () => client.authorize("token", "note/1", "read", known));
    }
    const calls = transport.calls.length;
    assert.equal(keyOf("note/1", "read", facts), undefined);
    assert.equal(client.remembered("token", "note/1", "read", facts), undefined);
    const answer = client.authorize("token", "note/1", "read", facts);
    await assert.rejects(answer, InvalidArgument);
    const batch = client.batchAuthorize("token", [{ resource: "note/1", action: "read", ...facts }]);
    await assert.rejects(batch, InvalidArgument);
    await settled();
    assert.equal(transport.calls.length, calls);
  });
}

test("what is taken has a key: a class's object, one without a prototype, and null", async () => {
  const keys = [{ plan: "pro" }, Object.assign(Object.create(null), { plan: "pro" }), new (class { plan = "pro"; })()].map(
    (attributes) => keyOf("note/1", "read", { attributes }),
  );
  assert.deepEqual([typeof keys[0], new Set(keys).size], ["string", 1]);
  assert.equal(typeof keyOf("note/1", "read", { relations: null, attributes: null }), "string");
});
