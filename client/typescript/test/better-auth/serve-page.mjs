// Serves the auth.ts that docs/better-auth.md shows.
//   node serve-page.mjs FILE PORT
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";

const [file, port] = process.argv.slice(2);
const { auth } = await import(pathToFileURL(file));
await (await getMigrations(auth.options)).runMigrations();
createServer(toNodeHandler(auth)).listen(Number(port), "127.0.0.1", () => console.log("listening"));
process.stdin.resume();
process.stdin.on("close", () => process.exit(0));
