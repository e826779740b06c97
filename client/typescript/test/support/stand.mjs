// The real server and its proxy: tests/clients/server.py, driven by lines.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Gatehouse } from "../../dist/index.js";

export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
export const CASES = JSON.parse(readFileSync(`${ROOT}tests/clients/cases.json`, "utf8"));
const PYTHON = `${ROOT}.cache/venv/bin/python`;

/** Waits for a condition, never for a time. */
export async function until(condition, what, seconds = 30) {
  const end = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class Stand {
  #process;
  #lines;
  #clients = [];
  #queue = Promise.resolve();

  static async start() {
    const stand = new Stand();
    if (!existsSync(PYTHON)) throw new Error(`no ${PYTHON}: run scripts/setup-tests`);
    stand.#process = spawn(PYTHON, [`${ROOT}tests/clients/server.py`], {
      env: { GATEHOUSE_BIN: `${ROOT}build/release`, ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    stand.#lines = createInterface({ input: stand.#process.stdout })[Symbol.asyncIterator]();
    Object.assign(stand, await stand.#read());
    return stand;
  }

  async #read() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("tests/clients/server.py has ended");
    return JSON.parse(value);
  }

  /** Has one command done. */
  do(name, fields = {}) {
    const answer = this.#queue.then(async () => {
      this.#process.stdin.write(`${JSON.stringify({ do: name, ...fields })}\n`);
      const reply = await this.#read();
      if (!reply.ok) throw new Error(`${name}: ${reply.error}`);
      for (const field of ["grpc", "http", "pid"]) {
        if (field in reply && name !== "stub") this[field] = reply[field];
      }
      return reply;
    });
    this.#queue = answer.catch(() => {});
    return answer;
  }

  proxied(op, fields = {}) {
    return this.do("proxy", { op, ...fields });
  }

  async mint(recipe) {
    return (await this.do("token", { recipe })).token;
  }

  /** A client of the real server, past the proxy unless `through` says otherwise. */
  client({ caller = "backend", through = this.grpc, parts, ...settings } = {}) {
    const tokenFile = caller === "none" ? undefined : this.callers[caller];
    const client = new Gatehouse({ target: through, tokenFile, deadlineMs: 5000, onWarning() {}, ...settings }, parts);
    this.#clients.push(client);
    return client;
  }

  async stop() {
    for (const client of this.#clients) client.close();
    this.#process.stdin.end();
    if (this.#process.exitCode === null) await new Promise((resolve) => this.#process.once("exit", resolve));
  }
}

export const live = (client) => until(() => client.figures().live, "the stream to be live");
