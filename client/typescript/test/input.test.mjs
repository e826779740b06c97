// Bad input: an error in the developer's words, at the start or at the call, that names the setting.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import * as grpc from "@grpc/grpc-js";

import { Gatehouse, GatehouseError, SettingError, settingsFromEnv, Unavailable } from "../dist/index.js";
import { gatehouse } from "../dist/next/index.js";
import { AuthorizationServiceService as service } from "../dist/wire/gatehouse/v1/authorization_service.js";
import { reply } from "./support/fakes.mjs";
import { Stand, until } from "./support/stand.mjs";

let stand;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-input-"));
  stand = await Stand.start();
});
after(async () => {
  await stand.stop();
  rmSync(folder, { recursive: true });
});

function file(name, text) {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** Both names of the setting stand in the error. */
function assertNames(error, setting, variable) {
  assert.ok(error instanceof SettingError && error instanceof GatehouseError, String(error));
  assert.equal(error.setting, setting);
  assert.ok(error.message.includes(setting) && error.message.includes(variable), error.message);
  return true;
}

test("a setting that is wrong is said at the start, by its names", () => {
  const PEM = file("some.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
  const target = "localhost:7070";
  for (const [settings, setting, variable] of [
    [{ target: undefined }, "target", "GATEHOUSE_TARGET"],
    [{ target: "" }, "target", "GATEHOUSE_TARGET"],
    [{ target: 7070 }, "target", "GATEHOUSE_TARGET"],
    [{ target: "http://localhost:7070" }, "target", "GATEHOUSE_TARGET"],
    [{ target: "localhost" }, "target", "GATEHOUSE_TARGET"],
    [{ target: "localhost:port" }, "target", "GATEHOUSE_TARGET"],
    [{ target: "localhost:70700" }, "target", "GATEHOUSE_TARGET"],
    [{ target: "gatehouse:7070" }, "caFile", "GATEHOUSE_CA_FILE"],
    [{ target: "dns:///gatehouse:7070" }, "caFile", "GATEHOUSE_PLAINTEXT_BEHIND_MESH"],
    [{ target, tokenFile: join(folder, "none") }, "tokenFile", "GATEHOUSE_TOKEN_FILE"],
    [{ target, tokenFile: folder }, "tokenFile", "EISDIR"],
    [{ target, tokenFile: file("empty", "\n") }, "tokenFile", "GATEHOUSE_TOKEN_FILE"],
    [{ target, tokenFile: file("spaced", "a b\n") }, "tokenFile", "white space"],
    [{ target, tokenFile: 7 }, "tokenFile", "GATEHOUSE_TOKEN_FILE"],
    [{ target, caFile: join(folder, "none") }, "caFile", "GATEHOUSE_CA_FILE"],
    [{ target, caFile: file("ca", "no certificate") }, "caFile", "no PEM"],
    [{ target, caFile: PEM, certFile: PEM }, "keyFile", "GATEHOUSE_KEY_FILE"],
    [{ target, caFile: PEM, keyFile: PEM }, "certFile", "GATEHOUSE_CERT_FILE"],
    [{ target, certFile: PEM, keyFile: PEM }, "caFile", "GATEHOUSE_CA_FILE"],
    [{ target, deadlineMs: 0 }, "deadlineMs", "GATEHOUSE_DEADLINE"],
    [{ target, deadlineMs: "500ms" }, "deadlineMs", "GATEHOUSE_DEADLINE"],
    [{ target, maxStalenessMs: 999 }, "maxStalenessMs", "GATEHOUSE_MAX_STALENESS"],
    [{ target, memoryEntries: -1 }, "memoryEntries", "GATEHOUSE_MEMORY_ENTRIES"],
    [{ target, memoryMib: NaN }, "memoryMib", "GATEHOUSE_MEMORY_MIB"],
    [{ target, deadline: 500 }, "deadline", "deadlineMs"],
  ]) {
    assert.throws(() => new Gatehouse(settings), (error) => assertNames(error, setting, variable), JSON.stringify(settings));
  }
});

test("a variable that is wrong is said by its names", () => {
  const GATEHOUSE_TARGET = "localhost:7070";
  for (const [env, setting, variable] of [
    [{}, "target", "GATEHOUSE_TARGET"],
    [{ GATEHOUSE_TARGET: "" }, "target", "GATEHOUSE_TARGET"],
    [{ GATEHOUSE_TARGET, GATEHOUSE_DEADLINE: "500" }, "deadlineMs", "GATEHOUSE_DEADLINE"],
    [{ GATEHOUSE_TARGET, GATEHOUSE_MAX_STALENESS: "soon" }, "maxStalenessMs", "GATEHOUSE_MAX_STALENESS"],
    [{ GATEHOUSE_TARGET, GATEHOUSE_MEMORY_ENTRIES: "many" }, "memoryEntries", "GATEHOUSE_MEMORY_ENTRIES"],
    [{ GATEHOUSE_TARGET, GATEHOUSE_PLAINTEXT_BEHIND_MESH: "yes" }, "plaintextBehindMesh", "GATEHOUSE_PLAINTEXT_BEHIND_MESH"],
  ]) {
    assert.throws(() => settingsFromEnv(env), (error) => assertNames(error, setting, variable), JSON.stringify(env));
  }
  const settings = settingsFromEnv({ GATEHOUSE_TARGET, GATEHOUSE_DEADLINE: "1.5s", GATEHOUSE_MEMORY_ENTRIES: "0" });
  assert.equal(settings.deadlineMs, 1500);
  assert.equal(settings.memoryEntries, 0);
});

test("no error holds the caller's token", () => {
  const secret = "s3cret-of-the-caller";
  assert.throws(() => new Gatehouse({ target: "localhost:1", tokenFile: file("two", `${secret} ${secret}`) }), (error) => {
    assert.ok(!error.message.includes(secret));
    return true;
  });
});

test("targets of every form are taken", () => {
  for (const target of ["localhost:1", "127.0.0.1:1", "[::1]:1", "dns:///localhost:1", "unix:/tmp/none.sock", "unix:///tmp/none.sock"]) {
    new Gatehouse({ target }).close();
  }
  new Gatehouse({ target: "gatehouse:1", plaintextBehindMesh: true }).close();
});

async function assertUnavailable(client, status, ...words) {
  await assert.rejects(client.verify("token", { deadlineMs: 2000 }), (error) => {
    assert.ok(error instanceof Unavailable, String(error));
    assert.equal(error.httpStatus, 503);
    if (status) assert.equal(error.status, status);
    for (const word of words) assert.ok(error.message.includes(word), error.message);
    return true;
  });
}

async function closedPort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("a target where nobody listens, one of another protocol, a name that does not resolve", async () => {
  for (const through of [`127.0.0.1:${await closedPort()}`, stand.http, "dns:///does-not-exist.invalid:1"]) {
    const client = stand.client({ through, plaintextBehindMesh: true });
    await assertUnavailable(client, undefined, "target (GATEHOUSE_TARGET)");
  }
});

test("a caller that is not known names the token's file, one without the right its rights", async () => {
  await assertUnavailable(stand.client({ caller: "unknown" }), "UNAUTHENTICATED", "tokenFile (GATEHOUSE_TOKEN_FILE)");
  const asker = stand.client({ caller: "asker" });
  await assert.rejects(asker.filter("token", "note", "read"), { status: "PERMISSION_DENIED", message: /"may"/ });
});

test("a token file that was written anew is read again", async () => {
  const path = file("caller.token", "not-the-token\n");
  const client = new Gatehouse({ target: stand.grpc, tokenFile: path, deadlineMs: 5000, onWarning() {} });
  await assertUnavailable(client, "UNAUTHENTICATED");
  copyFileSync(stand.callers.backend, path);
  chmodSync(path, 0o600);
  await until(() => client.verify("x").then((answer) => answer.code === "TOKEN_INVALID", () => false), "the new token");
  client.close();
});

test("a server of an older version: what it does not know is said, and what it knows is answered", async () => {
  const { grpc: target } = await stand.do("stub", {
    replies: { verify: { decision: { effect: 1, code: 1, http_status: 200 }, principal: { issuer: "i", subject: "ada" } } },
  });
  const warnings = [];
  const client = stand.client({ through: target, onWarning: (text) => warnings.push(text) });
  assert.equal((await client.verify("token")).principal.subject, "ada");
  await until(() => warnings.length > 0, "the warning");
  assert.match(warnings[0], /older version/);
  assert.equal(client.remembered("token"), undefined);
  await assert.rejects(client.filter("token", "note", "read"), { status: "UNIMPLEMENTED", message: /older version.*GATEHOUSE_TARGET/ });
});

/** A server with a certificate for localhost, signed by a CA of its own. */
async function tlsServer(name) {
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const [ca, key, cert] = ["ca", "key", "crt"].map((end) => join(folder, `${name}.${end}`));
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", `/CN=${name}`, "-keyout", `${name}.cakey`, "-out", ca);
  openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", `${name}.csr`);
  writeFileSync(join(folder, `${name}.ext`), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", ca, "-CAkey", `${name}.cakey`, "-CAcreateserial", "-days", "1", "-extfile", `${name}.ext`, "-out", cert);
  const server = new grpc.Server();
  server.addService({ verify: service.verify }, { verify: (_, callback) => callback(null, reply()) });
  const { readFileSync } = await import("node:fs");
  const pair = { private_key: readFileSync(key), cert_chain: readFileSync(cert) };
  const port = await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createSsl(null, [pair]), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { server, target: `127.0.0.1:${port}`, ca };
}

test("the right CA is taken; a wrong one, and plaintext to TLS, name the setting", async () => {
  const right = await tlsServer("right");
  const wrong = await tlsServer("wrong");
  try {
    const settings = { caller: "none", through: right.target };
    assert.equal((await stand.client({ ...settings, caFile: right.ca }).verify("token")).allowed, true);
    const changing = join(folder, "changing.ca");
    copyFileSync(wrong.ca, changing);
    const client = stand.client({ ...settings, caFile: changing });
    await assertUnavailable(client, "UNAVAILABLE", "caFile (GATEHOUSE_CA_FILE)");
    // Written anew, it is read again.
    copyFileSync(right.ca, changing);
    await until(() => client.verify("token").then(({ allowed }) => allowed, () => false), "the right CA");
    await assertUnavailable(stand.client(settings), "UNAVAILABLE", "GATEHOUSE_CA_FILE");
    await assertUnavailable(stand.client({ caller: "none", through: stand.grpc, caFile: right.ca }), "UNAVAILABLE", "GATEHOUSE_CA_FILE");
  } finally {
    right.server.forceShutdown();
    wrong.server.forceShutdown();
  }
});

test("the settings of gatehouse() for Next are checked where it stands", () => {
  for (const settings of [
    { cookies: "token" }, { cookie: "a b" }, { cookie: 7 }, { header: "a:b" }, { token: "t" }, { token: () => "", cookie: "c" },
    { realm: 'a"b' }, { origins: ["app.example.com"] }, { origins: ["https://app.example.com/"] }, { onDenied: true },
  ]) {
    assert.throws(() => gatehouse(settings), SettingError, JSON.stringify(settings));
  }
});
