import type { Clock } from "./clock.js";
import { countRpc, type MutableCounters } from "./counters.js";
import { InvalidArgument, NotFound, Unavailable } from "./errors.js";
import { nameOf } from "./settings.js";
import { CallError, type Method, type Request, type Response, type Transport } from "./transport.js";

// At least and at most before the second try of a call, the third and the fourth, which is the
// last: together they outlast a server that starts again.
const PAUSES_MS = [[20, 40], [150, 350], [300, 700]] as const;
// Later tries that may be saved up, and what each call adds.
const MOST_TRIES = 10;
const TRIES_A_CALL = 0.1;

/** The name of a method as the service calls it. */
export const wireName = (method: Method) => method.charAt(0).toUpperCase() + method.slice(1);

/** What a status other than OK means, in the words of who has to do something about it. */
export function errorOf(method: Method, target: string, error: CallError): Error {
  const { status, details } = error;
  const at = `Gatehouse at ${target}`;
  const options = { cause: error };
  switch (status) {
    case "INVALID_ARGUMENT":
      return new InvalidArgument(`${at} calls the request malformed: ${details}`, options);
    case "NOT_FOUND":
      return new NotFound(`${at}: ${details}`, options);
    case "UNAUTHENTICATED":
      return new Unavailable(
        `${at} does not know this service: look at ${nameOf("tokenFile")} or ${nameOf("certFile")}: ${details}`,
        status,
        options,
      );
    case "PERMISSION_DENIED":
      return new Unavailable(
        `${at} does not let this service call ${wireName(method)}: look at the rights ("may") of this ` +
          `service in its configuration: ${details}`,
        status,
        options,
      );
    case "UNIMPLEMENTED":
      return new Unavailable(
        `${at} does not know ${wireName(method)}: it is of an older version, or no Gatehouse: look at ` +
          `${nameOf("target")}: ${details}`,
        status,
        options,
      );
    case "UNAVAILABLE":
      return new Unavailable(`${at} gave no decision: ${details}${hintOf(details)}`, status, options);
    case "DEADLINE_EXCEEDED":
      return new Unavailable(
        `${at} gave no decision within ${nameOf("deadlineMs")}: ${details}${hintOf(details)}`,
        status,
        options,
      );
    default:
      return new Unavailable(`${at} gave no decision (${status}): ${details}${hintOf(details)}`, status, options);
  }
}

/** Which setting a failed connection speaks of. */
function hintOf(details: string): string {
  if (/certificate|altnames|issuer|self.signed|unable to verify/i.test(details)) {
    return ` (look at ${nameOf("caFile")}, and at ${nameOf("certFile")} if the service asks for one)`;
  }
  if (/connect|resolution|ECONN|ENOENT|ENOTFOUND|EAI_AGAIN|protocol|wrong version|SSL|hang up/i.test(details)) {
    return ` (look at ${nameOf("target")}, which is the port of gRPC; and at ${nameOf("caFile")}, which is to be set if the service has TLS and only then)`;
  }
  return "";
}

/** A revision of a store. */
interface Place {
  readonly revision: number;
  readonly storeId: string;
}

/** What was said before the time ran out says more than that it did. */
function moreOf(before: CallError | undefined, reason: unknown): unknown {
  return before !== undefined && reason instanceof Unavailable ? before : reason;
}

/** Unary calls with a deadline, later tries where they help, and the revision of one's own writes. */
export class Calls {
  // Later tries that the calls so far have paid for.
  #tries = MOST_TRIES;
  // What a revocation of this client's own must be followed by.
  #own: Place | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly counters: MutableCounters,
    private readonly target: string,
  ) {}

  /** From now on calls ask for this revision at least. */
  wrote(revision: number, storeId: string): void {
    if (this.#own?.storeId === storeId && this.#own.revision >= revision) return;
    this.#own = { revision, storeId };
  }

  /** The stream has come so far: who asks now is not told of less. */
  told(revision: number, storeId: string): void {
    if (this.#own?.storeId === storeId && revision >= this.#own.revision) this.#own = undefined;
  }

  /** A question, of one's own writes and of `told` at least. Rejects with an error of this package, or with the signal's reason. */
  async ask<M extends "verify" | "authorize" | "batchAuthorize" | "filter">(
    method: M,
    request: Omit<Request<M>, "minRevision" | "storeId">,
    ms: number,
    signal?: AbortSignal,
    told?: Place,
  ): Promise<Response<M>> {
    const end = this.clock.now() + ms;
    const own = this.#own ?? told;
    const full = { ...request, minRevision: own?.revision ?? 0, storeId: own?.storeId ?? "" } as Request<M>;
    try {
      return await this.#try(method, full, end, signal);
    } catch (error) {
      if (own === undefined || !(error instanceof CallError) || error.status !== "FAILED_PRECONDITION") {
        throw this.#inWords(method, error);
      }
    }
    // Another store: what was written there says nothing here.
    if (this.#own === own) this.#own = undefined;
    return this.call(method, { ...full, minRevision: 0, storeId: "" }, end - this.clock.now(), signal);
  }

  async call<M extends Method>(method: M, request: Request<M>, ms: number, signal?: AbortSignal): Promise<Response<M>> {
    try {
      return await this.#try(method, request, this.clock.now() + ms, signal);
    } catch (error) {
      throw this.#inWords(method, error);
    }
  }

  #inWords(method: Method, error: unknown): unknown {
    return error instanceof CallError ? errorOf(method, this.target, error) : error;
  }

  async #try<M extends Method>(method: M, request: Request<M>, end: number, signal?: AbortSignal): Promise<Response<M>> {
    this.#tries = Math.min(this.#tries + TRIES_A_CALL, MOST_TRIES);
    let before: CallError | undefined;
    for (let tries = 1; ; tries++) {
      try {
        const response = await this.transport.call(method, request, Math.max(end - this.clock.now(), 0), signal);
        countRpc(this.counters, wireName(method), "OK");
        return response;
      } catch (error) {
        if (!(error instanceof CallError)) throw moreOf(before, error);
        countRpc(this.counters, wireName(method), error.status);
        if (error.status === "DEADLINE_EXCEEDED" && before !== undefined) throw before;
        before = error;
        // CANCELLED by the server: it ended while the call arrived.
        const again = error.status === "UNAVAILABLE" || error.status === "CANCELLED";
        const wait = this.#pause(tries, end - this.clock.now());
        if (!again || wait === undefined || this.#tries < 1) throw error;
        this.#tries--;
        this.counters.retries++;
        await this.#sleep(wait, signal).catch((reason) => {
          throw moreOf(before, reason);
        });
      }
    }
  }

  /**
   * Milliseconds before the next try, after so many; undefined: there is no other. Three quarters
   * of the time that is left at most, so that the rest is the answer's.
   */
  #pause(tries: number, left: number): number | undefined {
    const bounds = PAUSES_MS[tries - 1];
    const longest = (left * 3) / 4;
    if (bounds === undefined || longest < PAUSES_MS[0][0]) return undefined;
    const [least, most] = bounds;
    return Math.min(least + (most - least) * this.clock.random(), longest);
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        callOff();
        reject(signal?.reason);
      };
      const callOff = this.clock.after(ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, true);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }
}
