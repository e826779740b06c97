// The README as it stands, in a real application: the packed package, `next build`, `next start`.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { writeReadmeFiles } from "./support/readme.mjs";
import { CASES, Stand, until } from "./support/stand.mjs";

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const APP = fileURLToPath(new URL("./next-app/", import.meta.url));
const ISSUER = "https://issuer.test";

let stand;
let next;
let url;
let env;

before(async () => {
  stand = await Stand.start();
  const policy = structuredClone(CASES.configuration.policy);
  policy.resources.note.actions.edit = { allow: ["owner"] };
  await stand.do("reload", { policy });
  env = {
    ...process.env,
    NEXT_TELEMETRY_DISABLED: "1",
    GATEHOUSE_TARGET: stand.proxy,
    GATEHOUSE_TOKEN_FILE: stand.callers.backend,
    GATEHOUSE_DEADLINE: "5s",
  };
  await install();
  writeReadmeFiles(APP);
  // Without the settings: a build asks nobody.
  const { GATEHOUSE_TARGET, ...without } = env;
  await run(process.execPath, ["node_modules/next/dist/bin/next", "build"], { cwd: APP, env: without });
  next = spawn(process.execPath, ["node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", "0"], {
    cwd: APP,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: next.stdout })) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (url) break;
  }
});

after(async () => {
  if (next?.exitCode === null) {
    next.kill();
    await once(next, "exit");
  }
  await stand?.stop();
});

/** As a user of the package: packed, then installed beside what the application has. */
async function install() {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-pack-"));
  try {
    const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: PACKAGE });
    const [{ filename }] = JSON.parse(stdout);
    const options = ["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--offline", "--no-audit", "--no-fund"];
    await run("npm", [...options, join(folder, filename)], { cwd: APP });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const mint = (sub, more = {}) => stand.mint({ claims: { sub, ...more } });
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const get = (path, headers = {}) => fetch(url + path, { headers, redirect: "manual" });
const put = (path, headers = {}) => fetch(url + path, { method: "PUT", body: "new", headers });

async function assertDenied(response, status, code, challenge) {
  assert.equal(response.status, status);
  const body = await response.json();
  assert.equal(body.code, code);
  assert.equal(body.status, status);
  assert.ok(body.detail);
  assert.deepEqual(Object.keys(body).sort(), ["code", "detail", "status"]);
  assert.equal(response.headers.get("www-authenticate"), challenge);
}
/** The page's paragraph. */
const textOf = (html) => html.replaceAll("<!-- -->", "").split("<p>")[1]?.split("</p>")[0] ?? html.slice(0, 500);
const INVALID = 'Bearer realm="gatehouse", error="invalid_token"';

test("a server component knows who asks, by header and by cookie", async () => {
  const token = await mint("ada");
  for (const headers of [bearer(token), { cookie: `a=1; token=${token}` }]) {
    const response = await get("/notes/1", headers);
    assert.equal(response.status, 200);
    const page = textOf(await response.text());
    assert.ok(page.includes("ada reads the note of ada"), page);
    assert.ok(page.includes("<button>Edit"), page);
  }
  const other = textOf(await (await get("/notes/2", bearer(token))).text());
  assert.ok(other.includes("ada reads the note of bob"), other);
  assert.ok(!other.includes("<button>"), other);
});

test("the proxy sends a browser to sign in, and lets the public pages be", async () => {
  const away = await get("/notes/1?a=b", { accept: "text/html" });
  assert.equal(away.status, 307);
  const to = new URL(away.headers.get("location"), url);
  assert.equal(to.origin, url);
  assert.equal(to.pathname + to.search, "/sign-in?next=%2Fnotes%2F1%3Fa%3Db");
  const { expired } = stand.tokens;
  assert.equal((await get("/notes/1", { accept: "text/html", ...bearer(expired) })).status, 307);
  for (const path of ["/", "/docs/start", "/sign-in?next=%2Fnotes%2F1"]) {
    assert.equal((await get(path, { accept: "text/html" })).status, 200, path);
  }
});

/** The status of a page that a browser asks for without a token, by a path that nobody tidies up before. */
async function statusOf(path) {
  const { hostname, port } = new URL(url);
  const request = httpRequest({ hostname, port, path, headers: { accept: "text/html" } }).end();
  const [response] = await once(request, "response");
  const location = response.headers.location ?? "";
  response.resume();
  await once(response, "end");
  return { status: response.statusCode, location };
}

test("no disguise makes a path a public one, and none leads a browser to another host", async () => {
  for (const path of [
    "/docs/..%2fnotes/1", "/docs/..%2Fnotes%2f1", "/docs/%2e%2e/notes/1", "/docs/%2e%2e%2fnotes/1", "/docs/../notes/1",
    "/docs/..%5cnotes/1", "/docs/..\\notes/1", "/docs/..%252fnotes/1", "/docs//../notes/1", "/docs/start%2f..%2f..%2fnotes/1",
    "//evil.test", "//evil.test/..%2fnotes/1", "/\\evil.test", "///evil.test/notes/1", "//notes/1", "/%6eotes/1",
    "/_next/../notes/1", "/_next/..%2fnotes/1", "/_next//../notes/1", "/notes/1/", "/NOTES/1",
  ]) {
    const { status, location } = await statusOf(path);
    assert.ok([307, 308, 400, 404].includes(status), `${path}: ${status}`);
    const to = new URL(location, url);
    assert.equal(to.host, new URL(url).host, `${path}: ${location}`);
    const next = to.searchParams.get("next") ?? "/";
    assert.equal(new URL(next, url).origin, url, `${path}: ${location}`);
  }
});

test("the proxy itself, given such a path, asks for a token and makes no address of another host", async () => {
  const script = `
    import { gatehouse } from "@gatehouse/client/next";
    const proxy = gatehouse().proxy({ public: ["/", "/docs/*"], signIn: "/sign-in" });
    for (const path of JSON.parse(process.argv[1])) {
      const answer = await proxy(new Request("http://app.test" + path, { headers: { accept: "text/html" } }));
      console.log(JSON.stringify([answer.status, answer.headers.get("location")]));
    }`;
  const ask = async (paths) => {
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script, JSON.stringify(paths)], { cwd: APP, env });
    return stdout.trim().split("\n").map((line) => JSON.parse(line));
  };
  const evil = ["/docs/..%2fadmin", "/docs/..%5Cadmin", "/docs/..%252fadmin", "/docs/a%00", "/docs//evil.test", "//evil.test/docs/*", "//evil.test", "/docs/a;b", "/docs/a%3bb", "/docs/a%0ab", "/docs/a%7F", "/docs/a%3fb", "/docs/a%ff", "/docs/a./b"];
  for (const [i, [status, location]] of (await ask(evil)).entries()) {
    assert.equal(status, 307, evil[i]);
    const to = new URL(location);
    assert.equal(to.origin + to.pathname, "http://app.test/sign-in", evil[i]);
    assert.match(to.searchParams.get("next"), /^\/[^/\\]/, evil[i]);
  }
  assert.deepEqual((await ask(["/", "/docs", "/docs/a%20b", "/docs/ü/c"])).map(([status]) => status), [200, 200, 200, 200]);
});

test("a route handler answers 401, 403 and 200 as the design says", async () => {
  await assertDenied(await put("/api/notes/1"), 401, "TOKEN_MISSING", 'Bearer realm="gatehouse"');
  await assertDenied(await put("/api/notes/1", bearer("nonsense")), 401, "TOKEN_INVALID", INVALID);
  await assertDenied(await put("/api/notes/1", bearer(stand.tokens.expired)), 401, "TOKEN_EXPIRED", INVALID);
  await assertDenied(
    await put("/api/notes/1", bearer(await mint("bob"))),
    403,
    "INSUFFICIENT_PERMISSIONS",
    'Bearer realm="gatehouse", error="insufficient_scope"',
  );
  const response = await put("/api/notes/1", bearer(await mint("ada")));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { text: "new", by: "ada" });
});

test("a cookie changes nothing for another site, and a bearer token may", async () => {
  const token = await mint("ada");
  const cookie = { cookie: `token=${token}` };
  for (const headers of [{}, { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }, { origin: "https://evil.test" }]) {
    const response = await put("/api/notes/1", { ...cookie, ...headers });
    assert.equal(response.status, 403, JSON.stringify(headers));
  }
  for (const headers of [{ "sec-fetch-site": "same-origin" }, { origin: url }]) {
    assert.equal((await put("/api/notes/1", { ...cookie, ...headers })).status, 200, JSON.stringify(headers));
  }
  assert.equal((await put("/api/notes/1", { ...bearer(token), origin: "https://evil.test" })).status, 200);
});

test("the process has one client, whatever the bundler made of it", async () => {
  const token = await mint("ada");
  await get("/notes/1", bearer(token));
  await put("/api/notes/1", bearer(token));
  const { clients, hits, live } = await (await get("/api/clients", bearer(token))).json();
  assert.equal(clients, 1);
  assert.equal(live, true);
  assert.ok(hits > 0);
});

test("a revocation is seen by the next request", async () => {
  const token = await mint("leaver");
  const page = () => get("/api/clients", bearer(token));
  await until(async () => (await page()).status === 200, "the answer");
  await stand.do("revoke", { subject: { issuer: ISSUER, subject: "leaver" } });
  await until(async () => (await page()).status === 401, "the denial");
  await assertDenied(await page(), 401, "TOKEN_REVOKED", INVALID);
});

test("without a decision it is 503, never signed out, and right again later", async () => {
  const token = await mint("ada");
  assert.equal((await get("/api/clients", bearer(token))).status, 200);
  await stand.do("kill");
  const page = (one, headers) => get("/notes/1", { ...bearer(one), ...headers });
  const other = await stand.mint({ claims: { sub: "somebody else" } });
  const response = await page(other, { accept: "text/html" });
  await assertDenied(response, 503, "UNAVAILABLE", null);
  assert.equal(response.headers.get("retry-after"), "1");
  await until(async () => (await page(token)).status === 503, "the memory to be stale");
  await stand.do("start");
  await until(async () => (await page(token)).status === 200, "the answer");
});

test("the README's lines without a framework", async () => {
  const token = await mint("ada", { jti: "readme" });
  const { stdout } = await run(process.execPath, ["ask.mjs"], { cwd: APP, env: { ...env, TOKEN: token } });
  const lines = stdout.split("\n");
  assert.equal(lines[0], "ada true OK 200");
  assert.match(stdout, /'OK', 'INSUFFICIENT_PERMISSIONS'/);
  assert.match(stdout, /TOKEN_REVOKED/);
});
