// What is wrong with the plugin's settings is said at start, in the developer's words.
import assert from "node:assert/strict";
import { test } from "node:test";

import { memoryAdapter } from "better-auth/adapters/memory";
import { betterAuth } from "better-auth/minimal";
import { jwt } from "better-auth/plugins";

import { gatehouse, gatehouseClaims } from "../dist/better-auth/index.js";
import { SettingError } from "../dist/index.js";

const client = { revoke: async () => {} };

function start(plugins, more = {}) {
  const tables = { user: [], session: [], account: [], verification: [], jwks: [], gatehouseOutbox: [] };
  const auth = betterAuth({
    baseURL: "http://localhost:3000",
    secret: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-secret",
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    plugins,
    ...more,
  });
  return auth.$context.then(() => auth);
}

for (const [what, make, setting, words] of [
  ["no target", () => gatehouse(), "target", /GATEHOUSE_TARGET/],
  ["a target that is none", () => gatehouse({ target: "http://localhost:7070" }), "target", /URL/],
  ["a setting that there is not", () => gatehouse({ target: "localhost:7070", tokenfile: "x" }), "tokenfile", /no setting tokenfile/],
  ["a client that cannot revoke", () => gatehouse({ client: {} }), "client", /revoke/],
  ["a client and a target", () => gatehouse({ client, target: "localhost:7070" }), "target", /beside `client`/],
  ["fields that are no list", () => gatehouse({ client, userFields: "role" }), "userFields", /list/],
  ["a wait that is no number", () => gatehouse({ client, waitMs: "1s" }), "waitMs", /milliseconds/],
]) {
  test(`${what} is told where the plugin is made`, () => {
    delete process.env.GATEHOUSE_TARGET;
    assert.throws(make, (error) => {
      assert.ok(error instanceof SettingError);
      assert.equal(error.setting, setting);
      assert.match(error.message, words);
      return true;
    });
  });
}

for (const [what, plugins, words, more] of [
  ["no jwt()", () => [gatehouse({ client })], /jwt\(gatehouseClaims\(\)\)/],
  ["a jwt() whose tokens name no session", () => [jwt(), gatehouse({ client })], /signing out would refuse none/],
  ["no issuer", () => [jwt(gatehouseClaims()), gatehouse({ client })], /issuer/, { baseURL: undefined }],
]) {
  test(`${what} is told at start`, async () => {
    await assert.rejects(start(plugins(), more), (error) => {
      assert.ok(error instanceof SettingError);
      assert.match(error.message, words);
      return true;
    });
  });
}

test("with an adapter without transactions, and a client of the application's own, it revokes", async () => {
  const revoked = [];
  const own = { revoke: async (target, options) => void revoked.push([target, options.reason]) };
  const auth = await start([jwt(gatehouseClaims()), gatehouse({ client: own })]);
  const { headers, response } = await auth.api.signUpEmail({
    body: { email: "ada@example.com", password: "a password", name: "Ada" },
    returnHeaders: true,
  });
  const cookie = headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  const { token } = await auth.api.getToken({ headers: { cookie } });
  const claims = JSON.parse(atob(token.split(".")[1]));
  assert.equal(claims.sub, response.user.id);
  await auth.api.signOut({ headers: { cookie } });
  assert.deepEqual(revoked, [
    [{ issuer: "http://localhost:3000", sessionId: claims.sid }, "Better Auth: session ended"],
  ]);
});

test("gatehouseClaims() alone mints nothing", async () => {
  const { definePayload } = gatehouseClaims().jwt;
  await assert.rejects(definePayload({ user: { id: "u" }, session: { id: "s" } }), /needs the gatehouse\(\) plugin/);
});

test("claims of one's own stand beside the others, and cannot replace them", async () => {
  const auth = async (claims) => {
    const made = await start([jwt(gatehouseClaims({ claims })), gatehouse({ client })]);
    const { headers } = await made.api.signUpEmail({
      body: { email: "ada@example.com", password: "a password", name: "Ada" },
      returnHeaders: true,
    });
    const cookie = headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
    const { token } = await made.api.getToken({ headers: { cookie } });
    return JSON.parse(atob(token.split(".")[1]));
  };
  assert.equal((await auth(({ user }) => ({ name: user.name }))).name, "Ada");
  await assert.rejects(auth(() => ({ sid: "another" })), /sid is not for `claims` to set/);
});
