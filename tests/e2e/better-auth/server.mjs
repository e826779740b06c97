// A real Better Auth for the end-to-end tests: e-mail and password, the JWT
// plugin, SQLite.
//   node server.mjs DATABASE [--port N] [--payload]
// Without --payload the JWT plugin is as it comes. With it, definePayload adds
// what Gatehouse can make use of: sid, jti, roles.
// The environment has BETTER_AUTH_SECRET. Prints "listening URL". On the standard
// input the line "expire-keys" ends the life of all signing keys; the answer is
// "keys expired". The end of the standard input ends the server.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const { values: flags, positionals } = parseArgs({
  options: { port: { type: "string", default: "0" }, payload: { type: "boolean", default: false } },
  allowPositionals: true,
});
const database = new DatabaseSync(positionals[0]);

// The address comes before Better Auth, which wants to know it.
let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
await new Promise((done) => server.listen(Number(flags.port), "127.0.0.1", done));
const url = `http://127.0.0.1:${server.address().port}`;

const definePayload = ({ user, session }) => ({
  email: user.email,
  sid: session.id,
  jti: randomUUID(),
  roles: ["member"],
});
const options = {
  baseURL: url,
  secret: process.env.BETTER_AUTH_SECRET,
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [flags.payload ? jwt({ jwt: { definePayload } }) : jwt()],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
handle = toNodeHandler(betterAuth(options));
console.log(`listening ${url}`);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (line !== "expire-keys") throw new Error(`unknown command: ${line}`);
  const past = new Date(Date.now() - 1000).toISOString();
  database.prepare("UPDATE jwks SET expiresAt = ?").run(past);
  console.log("keys expired");
});
lines.on("close", () => {
  server.closeAllConnections();
  server.close(() => database.close());
});
