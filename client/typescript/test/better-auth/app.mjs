// A real Better Auth with the Gatehouse plugin, for the end-to-end tests.
//   node app.mjs DATABASE --target HOST:PORT [--port N] [--base-url URL] [--no-transactions]
//     [--secondary [--store-sessions [--preserve-sessions]]]
//     [--cookie-cache] [--end-sessions-on-reset] [--kill-after REGEX] [--kill-inside REGEX]
// The environment has BETTER_AUTH_SECRET. Prints "listening URL". The end of the standard input ends it.
//
// --kill-after: ends this process by SIGKILL as soon as a statement that matches is committed;
// --kill-inside: as soon as it was run, in the middle of its transaction.
// --secondary: sessions live in a secondary storage (a map of this process) alone; with
//   --store-sessions in the database too, where --preserve-sessions leaves those that have ended.
// Beside /api/auth it answers
//   GET  /test/outbox           what is still to be revoked
//   GET  /test/reset?email=...  the token of the last mail to reset a password
//   POST /test/sql              {"sql": ..., "values": [...]}

import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";

import { NodeSqliteDialect } from "@better-auth/kysely-adapter/node-sqlite-dialect";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { admin, jwt, organization } from "better-auth/plugins";
import { Kysely } from "kysely";

import { gatehouse, gatehouseClaims } from "@gatehouse/client/better-auth";

const { values: flags, positionals } = parseArgs({
  options: {
    target: { type: "string" },
    port: { type: "string", default: "0" },
    "base-url": { type: "string" },
    "no-transactions": { type: "boolean", default: false },
    secondary: { type: "boolean", default: false },
    "store-sessions": { type: "boolean", default: false },
    "preserve-sessions": { type: "boolean", default: false },
    "cookie-cache": { type: "boolean", default: false },
    "end-sessions-on-reset": { type: "boolean", default: false },
    "kill-after": { type: "string" },
    "kill-inside": { type: "string" },
  },
  allowPositionals: true,
});

const database = new DatabaseSync(positionals[0]);
database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 30000");

let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
await new Promise((done) => server.listen(Number(flags.port), "127.0.0.1", done));
const url = flags["base-url"] ?? `http://127.0.0.1:${server.address().port}`;

const resets = new Map();
const options = {
  baseURL: url,
  secret: process.env.BETTER_AUTH_SECRET,
  database,
  emailAndPassword: {
    enabled: true,
    revokeSessionsOnPasswordReset: flags["end-sessions-on-reset"],
    sendResetPassword: async ({ user, token }) => void resets.set(user.email, token),
    // Nothing here is a secret worth its time.
    password: {
      hash: async (text) => `plain:${text}`,
      verify: async ({ hash, password }) => hash === `plain:${password}`,
    },
  },
  user: { deleteUser: { enabled: true } },
  session: {
    cookieCache: { enabled: flags["cookie-cache"], maxAge: 300 },
    storeSessionInDatabase: flags["store-sessions"],
    preserveSessionInDatabase: flags["preserve-sessions"],
  },
  ...(flags.secondary ? { secondaryStorage: mapStorage() } : {}),
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    jwt(gatehouseClaims()),
    admin(),
    organization(),
    // Patient, so that what a test sees does not hang on how busy the machine is.
    gatehouse({ target: flags.target, waitMs: 30_000, retryMs: 1000 }),
  ],
};
await (await getMigrations(options)).runMigrations();

const last = flags["kill-after"] ?? flags["kill-inside"];
const watched = last ? endAfter(database, new RegExp(last, "i"), "kill-inside" in flags) : database;
const kysely = new Kysely({ dialect: new NodeSqliteDialect({ database: watched }) });
const auth = betterAuth({
  ...options,
  database: { db: kysely, type: "sqlite", transaction: !flags["no-transactions"] },
});
const answer = toNodeHandler(auth);
handle = (request, response) => {
  const to = new URL(request.url, url);
  if (!to.pathname.startsWith("/test/")) return answer(request, response);
  const say = (value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value));
  if (to.pathname === "/test/outbox") return say(database.prepare('SELECT * FROM "gatehouseOutbox"').all());
  if (to.pathname === "/test/reset") return say({ token: resets.get(to.searchParams.get("email")) ?? null });
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const { sql, values } = JSON.parse(body);
    say(database.prepare(sql).run(...values));
  });
};
console.log(`port ${server.address().port}`);
console.log(`listening ${url}`);

process.stdin.resume();
process.stdin.on("close", () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});

/** `database`, but this process is gone once a statement that matches was run or is committed. */
function endAfter(database, wanted, atOnce) {
  let inside = false;
  let met = false;
  const after = (sql) => {
    if (/^begin/i.test(sql)) inside = true;
    if (/^(commit|rollback)/i.test(sql)) inside = false;
    if (wanted.test(sql)) met = true;
    if (met && (atOnce || !inside)) process.kill(process.pid, "SIGKILL");
  };
  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      const ran = (result) => (after(sql), result);
      return {
        columns: () => statement.columns(),
        all: (...values) => ran(statement.all(...values)),
        run: (...values) => ran(statement.run(...values)),
      };
    },
    close: () => database.close(),
  };
}

function mapStorage() {
  const kept = new Map();
  return {
    get: async (key) => kept.get(key) ?? null,
    set: async (key, value) => void kept.set(key, value),
    delete: async (key) => void kept.delete(key),
    getAndDelete: async (key) => {
      const value = kept.get(key) ?? null;
      kept.delete(key);
      return value;
    },
    increment: async (key) => {
      const next = Number(kept.get(key) ?? 0) + 1;
      kept.set(key, String(next));
      return next;
    },
  };
}
