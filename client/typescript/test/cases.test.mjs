// Every case of tests/clients/cases.json against the real server: what Python and C++ answer,
// TypeScript answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { GatehouseError, selects } from "../dist/index.js";
import { CASES, Stand } from "./support/stand.mjs";

let stand;
const clients = new Map();
let last;

before(async () => {
  stand = await Stand.start();
});
after(() => stand.stop());

function clientOf(caller = "backend") {
  if (!clients.has(caller)) clients.set(caller, stand.client({ caller }));
  return clients.get(caller);
}

function textOf(value) {
  return typeof value === "object" && value !== null ? value.repeat.repeat(value.times) : value;
}

function checkOf({ resource, action, owner, tenant, relations, attributes }) {
  return { resource, action, owner: textOf(owner), tenant, relations, attributes };
}

const fromNow = (seconds) => (seconds === undefined ? undefined : new Date(Date.now() + seconds * 1000));

function targetOf({ token, token_id, session, subject, tenant, client, key }) {
  if (token !== undefined) return { token: stand.tokens[token] };
  if (token_id) return { issuer: token_id.issuer, tokenId: token_id.token_id };
  if (session) return { issuer: session.issuer, sessionId: session.session_id };
  if (key) return { issuer: key.issuer, keyId: key.key_id };
  const who = subject ?? tenant ?? client;
  if (who === undefined) return {};
  const { issuer, issued_until_in } = who;
  const issuedUntil = fromNow(issued_until_in);
  if (subject) return { issuer, subject: subject.subject, issuedUntil };
  return tenant ? { issuer, tenant: tenant.tenant, issuedUntil } : { issuer, clientId: client.client_id, issuedUntil };
}

function ask(client, { call, with: given, raw_token }) {
  const token = raw_token ? given.token : stand.tokens[given.token];
  const options = { explain: given.explain, withClaims: given.with_claims };
  switch (call) {
    case "verify":
      return client.verify(token, options);
    case "authorize": {
      const { resource, action, ...facts } = checkOf(given);
      return client.authorize(token, resource, action, { ...facts, ...options });
    }
    case "batch":
      return client.batchAuthorize(token, given.checks.map(checkOf));
    case "filter":
      return client.filter(token, given.resource_type, given.action);
    case "revoke":
      return client.revoke(targetOf(given), { reason: given.reason, expireTime: fromNow(given.expire_in) });
    case "reinstate":
      return client.reinstate(given.revocation === "last" ? last.id : given.revocation, { reason: given.reason });
  }
}

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** Of a batch: what the token is worth. */
const decisionOf = (answer) => answer.token ?? answer.decision ?? answer;

function compare(answer, expected) {
  const decision = decisionOf(answer);
  for (const [name, value] of Object.entries(expected)) {
    switch (name) {
      case "code":
      case "status":
        assert.equal(decision[name], value);
        break;
      case "principal":
        for (const [field, one] of Object.entries(value)) assert.deepEqual(decision.principal[camel(field)], one, field);
        break;
      case "claims": {
        const claims = JSON.parse(decision.principal.claims);
        for (const [claim, one] of Object.entries(value)) assert.deepEqual(claims[claim], one);
        break;
      }
      case "explained":
        assert.equal(decision.explanation.length > 0, value);
        break;
      case "decisions":
        assert.deepEqual(answer.decisions.map(({ code }) => code), value);
        break;
      case "selects":
      case "leaves":
        for (const row of value) assert.equal(selects(answer, row), name === "selects", JSON.stringify(row));
        break;
      case "kind":
      case "existed":
        assert.equal(answer[name], value);
        break;
      case "still_revoked":
        assert.equal(answer.stillRevoked, value);
        break;
      default:
        assert.fail(`the table expects ${name}, which this test does not know`);
    }
  }
  if ("code" in expected) assert.equal(decision.allowed, expected.code === "OK");
}

async function take(step) {
  const { error, names, ...expected } = step.expect;
  const client = clientOf(step.caller);
  if (error === undefined) {
    const answer = await ask(client, step);
    if (step.call === "revoke") last = answer;
    return compare(answer, expected);
  }
  await assert.rejects(ask(client, step), (thrown) => {
    assert.ok(thrown instanceof GatehouseError, String(thrown));
    assert.equal(thrown.status, error, thrown.message);
    if (names !== undefined) assert.ok(thrown.message.includes(names), thrown.message);
    return true;
  });
}

for (const one of CASES.cases) {
  test(one.name, async () => {
    for (const step of one.steps ?? [one]) await take(step);
  });
}

for (const { name, call, reply, expect } of CASES.replies) {
  test(`a server that replies: ${name}`, async () => {
    const { grpc } = await stand.do("stub", { replies: { [call]: reply } });
    const client = stand.client({ through: grpc });
    const checks = [1, 2, 3].map((id) => ({ resource: `note/${id}`, action: "read" }));
    const given = { token: "ada", resource: "note/1", action: "read", resource_type: "note", checks };
    const answer = await ask(client, { call, with: given });
    const { allowed, decisions, ...others } = expect;
    assert.equal(decisionOf(answer).allowed, allowed);
    if (decisions) assert.deepEqual(answer.decisions.map((one) => one.allowed), decisions);
    compare(answer, others);
  });
}
