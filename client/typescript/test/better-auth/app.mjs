// A real Better Auth with the Gatehouse plugin, for the end-to-end tests.
//   node app.mjs DATABASE --target HOST:PORT [--port N] [--base-url URL] [--no-transactions]
//     [--secondary [--store-sessions [--preserve-sessions]]]
//     [--cookie-cache] [--end-sessions-on-reset] [--ids serial|uuid] [--kill-after REGEX] [--kill-inside REGEX]
// DATABASE is the path of a file of SQLite, or a URL of PostgreSQL. The environment has BETTER_AUTH_SECRET.
// Prints "listening URL". The end of the standard input ends it.
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
import { json } from "node:stream/consumers";
import { parseArgs } from "node:util";

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { admin, jwt, organization } from "better-auth/plugins";

import { gatehouse, gatehouseClaims } from "@gatehouse/client/better-auth";

import { openDatabase } from "./databases.mjs";

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
    ids: { type: "string" },
    "kill-after": { type: "string" },
    "kill-inside": { type: "string" },
  },
  allowPositionals: true,
});

const opened = openDatabase(positionals[0], { transactions: !flags["no-transactions"] });

let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
await new Promise((done) => server.listen(Number(flags.port), "127.0.0.1", done));
const url = flags["base-url"] ?? `http://127.0.0.1:${server.address().port}`;

const resets = new Map();
const options = {
  baseURL: url,
  secret: process.env.BETTER_AUTH_SECRET,
  database: opened.database,
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
  ...(flags.ids ? { advanced: { database: { generateId: flags.ids } } } : {}),
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    jwt(gatehouseClaims()),
    admin(),
    // With `--ids serial` it would otherwise ask for a verified address.
    organization({ requireEmailVerificationOnInvitation: false }),
    // Patient, so that what a test sees does not hang on how busy the machine is.
    gatehouse({ target: flags.target, waitMs: 30_000, retryMs: 1000 }),
  ],
};
await (await getMigrations(options)).runMigrations();

const last = flags["kill-after"] ?? flags["kill-inside"];
const database = last ? opened.watched(new RegExp(last, "i"), "kill-inside" in flags) : opened.database;
const auth = betterAuth({ ...options, database });
const answer = toNodeHandler(auth);
handle = async (request, response) => {
  const to = new URL(request.url, url);
  if (!to.pathname.startsWith("/test/")) return answer(request, response);
  const say = (value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value));
  if (to.pathname === "/test/outbox") return say(await opened.rows('SELECT * FROM "gatehouseOutbox"'));
  if (to.pathname === "/test/reset") return say({ token: resets.get(to.searchParams.get("email")) ?? null });
  const { sql, values } = await json(request);
  await opened.run(sql, values);
  return say(null);
};
console.log(`port ${server.address().port}`);
console.log(`listening ${url}`);

process.stdin.resume();
process.stdin.on("close", () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});

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
