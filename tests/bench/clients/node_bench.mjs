// What a check costs in Node with the TypeScript client: remembered, and asked for.
//   GATEHOUSE_BIN=build/release .cache/venv/bin/node tests/bench/clients/node_bench.mjs
// Needs client/typescript built (npm run build). Prints one figure a line: name, value, unit.
import { live, Stand, until } from "../../../client/typescript/test/support/stand.mjs";

const ROUNDS = 7;
const stand = await Stand.start();
const client = stand.client();
const token = stand.tokens.ada;
const ADAS = { owner: "ada" };
const note = ["note/4711", "read", ADAS];
const related = ["note/4711", "read", { ...ADAS, relations: { editor: ["bob", "eve"] }, attributes: { status: "open" } }];

/** The best of some rounds, in nanoseconds a call. */
async function nanos(calls, round) {
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const began = process.hrtime.bigint();
    await round(calls);
    best = Math.min(best, Number(process.hrtime.bigint() - began) / calls);
  }
  return best;
}

function print(name, value, unit) {
  console.log(`${name.padEnd(64)} ${value.toFixed(unit === "ns" ? 0 : 1).padStart(8)} ${unit}`);
}

try {
  await live(client);
  await until(async () => (await client.authorize(token, ...note)) && client.remembered(token, ...note), "a memory");
  await until(async () => (await client.authorize(token, ...related)) && client.remembered(token, ...related), "a memory");
  await until(async () => (await client.verify(token)) && client.remembered(token), "a memory");

  const sync = (ask) => (calls) => {
    for (let i = 0; i < calls; i++) if (ask().allowed !== true) throw new Error("not remembered");
  };
  const awaited = (ask) => async (calls) => {
    for (let i = 0; i < calls; i++) if ((await ask()).allowed !== true) throw new Error("not allowed");
  };
  // A heartbeat must be heard between the rounds.
  const rested = async (calls, round) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return nanos(calls, async (n) => {
      await new Promise((resolve) => setImmediate(resolve));
      await round(n);
    });
  };
  const calls = 200_000;
  const { hits } = client.figures();
  print("remembered, without a promise", await rested(calls, sync(() => client.remembered(token, ...note))), "ns");
  print("remembered, awaited", await rested(calls, awaited(() => client.authorize(token, ...note))), "ns");
  print("remembered, awaited, verify", await rested(calls, awaited(() => client.verify(token))), "ns");
  const bytes = Buffer.from(token);
  print(
    "remembered, awaited, the token read anew as from a request",
    await rested(calls, awaited(() => client.authorize(bytes.latin1Slice(), ...note))),
    "ns",
  );
  print(
    "remembered, awaited, with relations and attributes",
    await rested(calls, awaited(() => client.authorize(token, ...related))),
    "ns",
  );
  if (client.figures().hits - hits < 5 * ROUNDS * calls) throw new Error("some were not remembered");

  print("asked, one at a time", (await nanos(500, awaited(() => client.authorize(token, "note/4711", "read", { ...ADAS, fresh: true })))) / 1000, "us");
  let id = 0;
  const sixteen = async (n) => {
    for (let i = 0; i < n; i += 16) {
      await Promise.all(Array.from({ length: 16 }, () => client.authorize(token, `note/${id++}`, "read", { ...ADAS, fresh: true })));
    }
  };
  print("asked, 16 at a time", (await nanos(1600, sixteen)) / 1000, "us");
  const before = process.cpuUsage();
  await sixteen(1600);
  const { user, system } = process.cpuUsage(before);
  print("asked, 16 at a time, of this process's own CPU", (user + system) / 1600, "us");
} finally {
  await stand.stop();
}
