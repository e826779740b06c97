// The browser's side of the Better Auth plugin: one new token, and one more try.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { createAuthClient } from "better-auth/client";

import { gatehouseClient, tokenFetch } from "../dist/better-auth/client.js";

let server, origin, seen, answers;

before(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      seen.push({ path: request.url, token: request.headers.authorization, method: request.method, body });
      const { status = 200, code, type = "application/json" } = answers(request.headers.authorization ?? "");
      response.writeHead(status, { "content-type": type });
      response.end(JSON.stringify(code ? { detail: "No.", code, status } : { ok: true }));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen = [];
  answers = () => ({});
});

/** A clock that stands still but for what is waited for. */
function fakeClock() {
  const clock = { time: 0, waited: [], now: () => clock.time };
  clock.wait = async (ms) => {
    clock.waited.push(ms);
    clock.time += ms;
  };
  return clock;
}

const token = (number, life = 900) =>
  `${btoa("{}")}.${btoa(JSON.stringify({ jti: `t${number}`, iat: 1000, exp: 1000 + life }))}.signature`;

function make({ life, mint } = {}) {
  const clock = fakeClock();
  const made = { minted: 0, clock };
  const next = mint ?? (() => token(made.minted, life));
  Object.assign(
    made,
    tokenFetch(
      async () => {
        made.minted++;
        await new Promise(setImmediate);
        return next(made.minted);
      },
      { origins: [origin], clock },
    ),
  );
  return made;
}

const denies = (code, ...bad) => (header) =>
  bad.some((number) => header === `Bearer ${token(number)}`) ? { status: 401, code } : {};

test("a token is minted once and sent with every request", async () => {
  const one = make();
  await Promise.all([one.fetch(`${origin}/a`), one.fetch(`${origin}/b`)]);
  await one.fetch(`${origin}/c`);
  assert.equal(one.minted, 1);
  assert.deepEqual([...new Set(seen.map((request) => request.token))], [`Bearer ${token(1)}`]);
});

for (const code of ["TOKEN_REVOKED", "TOKEN_EXPIRED"]) {
  test(`${code} is met with one new token, a second later, and one more try`, async () => {
    answers = denies(code, 1);
    const one = make();
    const response = await one.fetch(`${origin}/notes`, { method: "POST", body: "text" });
    assert.equal(response.status, 200);
    assert.equal(one.minted, 2);
    assert.deepEqual(one.clock.waited, [1000]);
    assert.deepEqual(
      seen.map(({ token: sent, method, body }) => [sent, method, body]),
      [
        [`Bearer ${token(1)}`, "POST", "text"],
        [`Bearer ${token(2)}`, "POST", "text"],
      ],
    );
  });
}

test("a second denial is the answer", async () => {
  answers = () => ({ status: 401, code: "TOKEN_REVOKED" });
  const one = make();
  const response = await one.fetch(`${origin}/notes`);
  assert.equal(response.status, 401);
  assert.equal((await response.json()).code, "TOKEN_REVOKED");
  assert.equal(one.minted, 2);
  assert.equal(seen.length, 2);
});

test("requests that meet it at the same time share the new token", async () => {
  answers = denies("TOKEN_REVOKED", 1);
  const one = make();
  const all = Array.from({ length: 20 }, (_, i) => one.fetch(`${origin}/${i}`));
  for (const response of await Promise.all(all)) assert.equal(response.status, 200);
  assert.equal(one.minted, 2);
  assert.equal(seen.length, 40);
  assert.deepEqual(one.clock.waited, [1000]);
});

test("a request that meets it late takes the token that is there", async () => {
  answers = denies("TOKEN_REVOKED", 1);
  const one = make();
  let release;
  const held = new Promise((done) => (release = done));
  const fetched = globalThis.fetch;
  let first = true;
  globalThis.fetch = async (request) => {
    const response = await fetched(request);
    if (first) {
      first = false;
      await held;
    }
    return response;
  };
  try {
    const slow = one.fetch(`${origin}/slow`);
    await one.fetch(`${origin}/fast`);
    release();
    assert.equal((await slow).status, 200);
  } finally {
    globalThis.fetch = fetched;
  }
  assert.equal(one.minted, 2);
});

for (const [what, answer] of [
  ["another 401", { status: 401, code: "TOKEN_INVALID" }],
  ["a 403", { status: 403, code: "INSUFFICIENT_PERMISSIONS" }],
  ["a 503", { status: 503, code: "TOKEN_REVOKED" }],
  ["a 401 that is no JSON", { status: 401, code: "TOKEN_REVOKED", type: "text/plain" }],
]) {
  test(`${what} is the answer at once`, async () => {
    answers = () => answer;
    const one = make();
    assert.equal((await one.fetch(`${origin}/notes`)).status, answer.status);
    assert.equal(seen.length, 1);
    assert.equal(one.minted, 1);
  });
}

test("whoever has been signed out gets the denial", async () => {
  answers = () => ({ status: 401, code: "TOKEN_REVOKED" });
  const one = make({ mint: (number) => (number === 1 ? token(1) : null) });
  const response = await one.fetch(`${origin}/notes`);
  assert.equal((await response.json()).code, "TOKEN_REVOKED");
  assert.equal(seen.length, 1);
});

test("a minting that fails leaves the denial", async () => {
  answers = () => ({ status: 401, code: "TOKEN_EXPIRED" });
  const one = make({
    mint: (number) => {
      if (number > 1) throw new Error("offline");
      return token(1);
    },
  });
  assert.equal((await one.fetch(`${origin}/notes`)).status, 401);
  assert.equal(seen.length, 1);
});

test("a token is renewed before its end, by its own word", async () => {
  const one = make();
  await one.token();
  one.clock.time = 869_000;
  await one.token();
  assert.equal(one.minted, 1);
  one.clock.time = 870_000;
  await one.token();
  assert.equal(one.minted, 2);
  const short = make({ life: 20 });
  await short.token();
  await short.token();
  assert.equal(short.minted, 1);
});

test("no other origin gets the token", async () => {
  const clock = fakeClock();
  const other = tokenFetch(async () => token(1), { origins: ["http://localhost:1"], clock });
  await other.fetch(`${origin}/notes`);
  assert.equal(seen[0].token, undefined);
});

test("a request that brings its own credentials keeps them", async () => {
  const one = make();
  await one.fetch(`${origin}/notes`, { headers: { authorization: "Basic abc" } });
  assert.equal(seen[0].token, "Basic abc");
  assert.equal(one.minted, 0);
});

test("what is forgotten does not come back from a minting that was under way", async () => {
  const one = make();
  const early = one.token();
  one.forget();
  assert.equal(await early, token(2));
  assert.equal(await one.token(), token(2));
  assert.equal(one.minted, 2);
});

test("a client of Better Auth has it, and forgets the token where somebody signs out", async () => {
  const asked = [];
  const auth = createAuthClient({
    baseURL: "http://localhost:1",
    plugins: [gatehouseClient({ origins: [origin] })],
    fetchOptions: {
      customFetchImpl: async (input) => {
        asked.push(new URL(input).pathname);
        const number = asked.filter((path) => path.endsWith("/token")).length;
        return Response.json(String(input).includes("/token") ? { token: token(number) } : { success: true });
      },
    },
  });
  assert.equal((await auth.gatehouse.fetch(`${origin}/notes`)).status, 200);
  assert.deepEqual(asked, ["/api/auth/token"]);
  assert.equal(seen[0].token, `Bearer ${token(1)}`);
  await auth.signOut();
  while ((await auth.gatehouse.token()) === token(1)) await new Promise(setImmediate);
  assert.equal(await auth.gatehouse.token(), token(2));
});
