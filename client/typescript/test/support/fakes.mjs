// A clock and a connection that do what a test says.
import { createHash } from "node:crypto";

import { Gatehouse } from "../../dist/index.js";
import { CallError } from "../../dist/transport.js";
import { Code, Effect } from "../../dist/wire/gatehouse/v1/decision.js";

export class FakeClock {
  time = 1000;
  chance = 1;
  #timers = new Set();

  now() {
    return this.time;
  }
  random() {
    return this.chance;
  }
  after(ms, then) {
    const timer = { at: this.time + ms, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  get waiting() {
    return this.#timers.size;
  }

  /** Passes so many milliseconds, timer by timer. */
  async pass(ms) {
    const end = this.time + ms;
    while (true) {
      await settled();
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.then();
    }
    this.time = end;
    await settled();
  }
}

/** All that is ready to run has run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A tag by a name of the test's own. */
export const tag = (name) => createHash("md5").update(name).digest();

export const STORE = { revision: 10, storeId: "store", rules: "rules" };

/** An answer of the service, which allows. */
export function reply({ tags = ["ada"], rememberFor = 30, id = "1", code = Code.OK, expire, ...more } = {}) {
  const decision = {
    effect: code === Code.OK ? Effect.ALLOW : Effect.DENY,
    code,
    httpStatus: code === Code.OK ? 200 : 401,
    detail: "",
    id,
    explanation: [],
  };
  const principal = {
    issuer: "i", subject: "ada", tenant: "", roles: [], scopes: [], sessionId: "", tokenId: "", clientId: "", email: "",
    claims: "", issueTime: undefined, expireTime: expire,
  };
  return {
    decision,
    principal: code === Code.OK ? principal : undefined,
    rememberFor: { seconds: rememberFor, nanos: 0 },
    tags: tags.map(tag),
    ...STORE,
    ...more,
  };
}

export class FakeTransport {
  calls = [];
  streams = [];
  renewed = 0;
  closed = false;

  call(method, request, ms, signal) {
    return new Promise((resolve, reject) => {
      const call = {
        method, request, ms, signal,
        answer: async (fields) => (resolve(method === undefined ? fields : { ...reply(), ...fields }), settled()),
        fail: async (status, details = "") => (reject(new CallError(status, details)), settled()),
      };
      signal?.addEventListener("abort", () => reject(signal.reason));
      this.calls.push(call);
    });
  }

  watch(message, ended) {
    const stream = {
      sent: [],
      cancelled: false,
      send: (request) => stream.sent.push(request),
      cancel: () => (stream.cancelled = true),
      end: (status) => ended(new CallError(status, "")),
      /** A heartbeat that answers the newest ping unless another is given. */
      tell: (fields = {}) =>
        message({ changes: [], fellBehind: false, ...STORE, ping: stream.sent.at(-1).ping, ...fields }),
      change: (name, revision, fields = {}) =>
        stream.tell({ changes: [{ kind: 1, tag: tag(name), revision }], revision, ...fields }),
    };
    this.streams.push(stream);
    return stream;
  }

  renew() {
    this.renewed++;
  }
  close() {
    this.closed = true;
  }

  get stream() {
    return this.streams.at(-1);
  }
  get last() {
    return this.calls.at(-1);
  }
}

/** A client whose stream is live, with its fakes. */
export async function remembering(settings = {}) {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const warnings = [];
  const client = new Gatehouse(
    { target: "localhost:1", deadlineMs: 500, onWarning: (text) => warnings.push(text), ...settings },
    { clock, transport },
  );
  transport.stream.tell();
  /** Asks, and has the question answered. */
  const ask = async (fields = {}, question = () => client.verify("token")) => {
    const before = transport.calls.length;
    const answer = question();
    await settled();
    if (transport.calls.length > before) await transport.last.answer(fields);
    return answer;
  };
  /** Whether a question is answered from memory now. */
  const isKept = (token = "token") => client.remembered(token) !== undefined;
  return { client, clock, transport, warnings, ask, isKept };
}
