import { type AskedCheck, type Batch, partsOf, placed, tokenDecisionOf } from "./batch.js";
import { Calls } from "./calls.js";
import { type Clock, systemClock } from "./clock.js";
import { newCounters, type Figures } from "./counters.js";
import { checkDecisionOf, type Decision, decisionOf, principalOf } from "./decision.js";
import { InvalidArgument, Unavailable } from "./errors.js";
import { type FilterAnswer, filterOf } from "./filter.js";
import { Flights, type Wait } from "./flights.js";
import { GrpcTransport } from "./grpc.js";
import { Listeners, type Verified } from "./listeners.js";
import { type Answer, Memory } from "./memory.js";
import type { AskOptions, AuthorizeOptions, CallOptions, RevokeOptions, VerifyOptions } from "./options.js";
import { type Check, checkOf, checkText, checkToken, type Facts, keyOf, kindOf, VERIFY } from "./question.js";
import { type Revoked, revokedOf, revokeRequestOf, type Target } from "./revocation.js";
import { checkSettings, nameOf, type CheckedSettings, type Settings, settingsFromEnv } from "./settings.js";
import { WatchStream } from "./stream.js";
import { tagOf, tagOfRevocation } from "./tags.js";
import type { CallError, Transport } from "./transport.js";
import type { Duration } from "./wire/google/protobuf/duration.js";
import type { Revocation } from "./wire/gatehouse/v1/revocation.js";

export type { AskOptions, AuthorizeOptions, CallOptions, RevokeOptions, VerifyOptions } from "./options.js";

// A token is looked at again a little after it ends; often enough where the clocks differ.
const EXPIRY_PAUSE_MS = 1000;
// While nobody tells of changes, whoever listens asks.
const POLL_MS = 30_000;

interface Replied {
  revision: number;
  storeId: string;
  rules: string;
  rememberFor: Duration | undefined;
  tags: Uint8Array[];
}

function answerOf(reply: Replied): Answer {
  const { seconds = 0, nanos = 0 } = reply.rememberFor ?? {};
  return {
    revision: reply.revision,
    storeId: reply.storeId,
    rules: reply.rules,
    rememberForMs: seconds * 1000 + nanos / 1e6,
    tags: reply.tags.map(tagOf),
  };
}

/** @internal For tests: what else the client is made of. */
export interface Parts {
  readonly clock?: Clock;
  readonly transport?: Transport;
}

/**
 * A client of Gatehouse that remembers. One a process is enough; it begins to listen for
 * changes when it is made, and ends with `close`.
 *
 * Every question is answered with a decision, or rejects: Unavailable when none can be had,
 * InvalidArgument when it is no question.
 */
export class Gatehouse {
  readonly #settings: CheckedSettings;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #counters = newCounters();
  readonly #memory: Memory;
  readonly #stream: WatchStream;
  readonly #calls: Calls;
  readonly #flights: Flights;
  readonly #listeners: Listeners;
  readonly #warned = new Set<string>();
  #closed = false;

  constructor(settings: Settings);
  /** @internal */
  constructor(settings: Settings, parts?: Parts);
  constructor(settings: Settings, parts: Parts = {}) {
    this.#settings = checkSettings(settings);
    this.#clock = parts.clock ?? systemClock;
    this.#transport = parts.transport ?? new GrpcTransport(this.#settings);
    this.#memory = new Memory(this.#clock, this.#counters, {
      entries: this.#settings.memoryEntries,
      bytes: this.#settings.memoryBytes,
    });
    this.#calls = new Calls(this.#transport, this.#clock, this.#counters, this.#settings.target);
    const { maxStalenessMs } = this.#settings;
    this.#flights = new Flights(this.#clock, this.#counters, () => this.#memory.changes, maxStalenessMs);
    this.#listeners = new Listeners(
      this.#clock,
      (token) => this.#verifyAnew(token),
      (decision) => this.#untilNext(decision),
    );
    this.#stream = new WatchStream(
      this.#transport,
      this.#memory,
      this.#clock,
      this.#counters,
      this.#settings.maxStalenessMs,
      {
        onChange: (tag) => this.#listeners.changed(tag),
        onLost: () => this.#listeners.lost(),
        onTold: (revision, storeId) => {
          this.#warned.clear();
          this.#calls.told(revision, storeId);
        },
        onRefused: (error) => this.#refused(error),
      },
    );
    this.#stream.start();
  }

  /** With the settings of the environment: GATEHOUSE_TARGET, ... */
  static fromEnv(settings: Partial<Settings> = {}): Gatehouse {
    return new Gatehouse({ ...settingsFromEnv({ ...process.env, ...targetOf(settings) }), ...settings });
  }

  /** Whether the token is good, and whose it is. */
  verify(token: string, options: VerifyOptions = {}): Promise<Decision> {
    const { explain = false, withClaims = false } = options;
    const past = explain || withClaims;
    if (!past && !options.fresh) {
      const known = this.#remembered(token, VERIFY);
      if (known !== undefined) return known;
    }
    return this.#begin(options, (wait) => {
      checkToken(token);
      const request = { token, withClaims, explain, withTags: true };
      return this.#ask(token, past ? undefined : VERIFY, `verify ${withClaims} ${explain}`, options, wait, (ms, signal) =>
        this.#calls.ask("verify", request, ms, signal),
      );
    });
  }

  /**
   * Whether the token's principal may do `action` on `resource`, which is "type/id":
   * `authorize(token, "note/1", "edit", { owner: note.ownerId })`.
   */
  authorize(token: string, resource: string, action: string, options: AuthorizeOptions = {}): Promise<Decision> {
    const { explain = false } = options;
    const key = keyOf(resource, action, options);
    if (key !== undefined && !explain && !options.fresh) {
      const known = this.#remembered(token, key);
      if (known !== undefined) return known;
    }
    return this.#begin(options, (wait) => {
      checkToken(token);
      const request = { token, ...checkOf(resource, action, options), explain, withTags: true };
      return this.#ask(token, explain ? undefined : key, `authorize ${explain} ${key}`, options, wait, (ms, signal) =>
        this.#calls.ask("authorize", request, ms, signal),
      );
    });
  }

  /**
   * The remembered decision of `authorize`, or of `verify` where no resource is given, if there
   * is one that may be used now. Asks nobody.
   */
  remembered(token: string, resource?: string, action = "", facts: Facts = {}): Decision | undefined {
    const key = resource === undefined ? VERIFY : keyOf(resource, action, facts);
    if (key === undefined) return undefined;
    const known = this.#memory.find(token, key);
    if (known !== undefined) this.#counters.hits++;
    return known;
  }

  /**
   * `authorize` for many questions about one token: a decision for each, in order. Those that
   * are remembered are not asked.
   */
  batchAuthorize(
    token: string,
    checks: readonly Check[],
    options: Omit<AskOptions, "explain"> = {},
  ): Promise<Batch> {
    return this.#begin(options, async (wait) => {
      checkToken(token);
      if (!Array.isArray(checks)) throw new InvalidArgument("Gatehouse: the checks must be an array.");
      const asked = (checks as readonly Check[]).map((one, i) => {
        if (typeof one !== "object" || one === null) {
          throw new InvalidArgument(`Gatehouse: checks[${i}] must be an object { resource, action, ... }, not ${kindOf(one)}.`);
        }
        const check = checkOf(one.resource, one.action, one, `checks[${i}].`);
        return { check, key: keyOf(one.resource, one.action, one) as string };
      });
      const decisions = asked.map(({ key }) => (options.fresh ? undefined : this.#memory.find(token, key)));
      const missing = asked.flatMap((one, i) => (decisions[i] === undefined ? [{ ...one, i }] : []));
      this.#counters.hits += asked.length - missing.length;
      this.#counters.misses += missing.length;
      // Without any check the question is the token.
      if (asked.length === 0) return Object.freeze({ token: await this.verify(token, options), decisions: [] });
      const tokens = await Promise.all(
        partsOf(missing).map(async (part) => {
          const answer = await this.#askPart(token, part, options, wait);
          part.forEach(({ i }, place) => {
            decisions[i] = answer.decisions[place];
          });
          return answer.token;
        }),
      );
      const decision =
        tokens.find(({ allowed }) => !allowed) ?? tokenDecisionOf([...tokens, ...(decisions as Decision[])]);
      // A bad token is good for nothing, whatever was said before.
      const all = decision.allowed ? (decisions as Decision[]) : decisions.map(() => decision);
      return Object.freeze({ token: decision, decisions: Object.freeze(all) });
    });
  }

  #askPart(token: string, part: readonly AskedCheck[], options: AskOptions, wait: Wait): Promise<Batch> {
    const keys = part.map(({ key }) => `${key.length};${key}`).join("");
    return this.#flights.join(flight("batch", token, keys), wait, options.fresh ?? false, async (signal) => {
      const asked = this.#memory.asking();
      const request = { token, checks: part.map(({ check }) => check), withTags: true };
      const reply = await this.#calls.ask("batchAuthorize", request, this.#longest(wait), signal).catch((error) => {
        throw placed(error, part);
      });
      const whole = decisionOf(reply.decision, principalOf(reply.principal));
      const answer = answerOf(reply);
      const decisions = part.map(({ key }, place) => {
        const decision = checkDecisionOf(reply.decisions[place], whole);
        this.#memory.keep(token, key, decision, answer, asked);
        return decision;
      });
      return { token: whole, decisions };
    });
  }

  /** On which things of a type the token's principal may do `action`. Never remembered. */
  filter(
    token: string,
    type: string,
    action: string,
    options: Omit<AskOptions, "explain"> = {},
  ): Promise<FilterAnswer> {
    return this.#begin(options, (wait) => {
      checkToken(token);
      const request = {
        token,
        resourceType: checkText("type", type),
        action: checkText("action", action),
        withTags: false,
      };
      const question = flight("filter", token, `${type.length}:${type}${action}`);
      return this.#flights.join(question, wait, options.fresh ?? false, async (signal) => {
        const reply = await this.#calls.ask("filter", request, this.#longest(wait), signal);
        return filterOf(reply.filter, decisionOf(reply.decision, principalOf(reply.principal)));
      });
    });
  }

  /** Revokes. When it resolves, the revocation is on disk, and in force for this client too. */
  revoke(target: Target, options: RevokeOptions = {}): Promise<Revoked> {
    return this.#begin(options, async ({ ms, signal }) => {
      const request = revokeRequestOf(target, options.reason, options.expireTime);
      const reply = await this.#calls.call("revoke", request, ms, signal);
      this.#wrote(reply);
      return revokedOf(reply, { keyNotInSet: reply.keyNotInSet });
    });
  }

  /** Takes a revocation back. */
  reinstate(id: string, options: Omit<RevokeOptions, "expireTime"> = {}): Promise<Revoked> {
    return this.#begin(options, async ({ ms, signal }) => {
      const request = { id: checkText("id", id), reason: checkText("reason", options.reason ?? "") };
      const reply = await this.#calls.call("reinstate", request, ms, signal);
      this.#wrote(reply);
      return revokedOf(reply, { stillRevoked: reply.stillRevoked });
    });
  }

  /**
   * Calls back once, with the denial, when the token is no longer good: for what outlives a
   * request, as open streams and WebSockets. Returns what ends it.
   */
  onRevoked(token: string, callback: (decision: Decision) => void): () => void {
    checkToken(token);
    if (this.#closed) throw closed();
    return this.#listeners.add(token, callback);
  }

  figures(): Figures {
    return {
      ...this.#counters,
      rpcs: { ...this.#counters.rpcs },
      live: this.#memory.live,
      staleness: (this.#clock.now() - this.#stream.provedAt) / 1000,
      entries: this.#memory.entries,
      bytes: this.#memory.bytes,
    };
  }

  /** Ends the stream and the connection. What is under way rejects. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#listeners.close();
    this.#memory.lose();
    this.#flights.close(closed());
    this.#transport.close();
  }

  #remembered(token: string, key: string): Promise<Decision> | undefined {
    const known = this.#memory.promised(token, key);
    if (known !== undefined) this.#counters.hits++;
    return known;
  }

  /** Checks what every call takes; whatever `then` throws is a rejection. */
  async #begin<T>(options: CallOptions, then: (wait: Wait) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const ms = options.deadlineMs ?? this.#settings.deadlineMs;
    if (typeof ms !== "number" || !(ms > 0)) {
      throw new InvalidArgument(`Gatehouse: deadlineMs must be a number above 0, not ${String(ms)}.`);
    }
    return then({ ms, signal: options.signal });
  }

  /** Asks the service, together with whoever asks the same. Keeps the answer if there is a key. */
  #ask(
    token: string,
    key: string | undefined,
    question: string,
    options: AskOptions,
    wait: Wait,
    send: (ms: number, signal: AbortSignal) => Promise<Replied & WithDecision>,
  ): Promise<Decision> {
    this.#counters.misses++;
    return this.#flights.join(flight("", token, question), wait, options.fresh ?? false, async (signal) => {
      const asked = this.#memory.asking();
      const reply = await send(this.#longest(wait), signal);
      const decision = decisionOf(reply.decision, principalOf(reply.principal));
      if (key !== undefined) this.#memory.keep(token, key, decision, answerOf(reply), asked);
      return decision;
    });
  }

  /** How long a call may take that others may join: not only as long as who began it waits. */
  #longest(wait: Wait): number {
    return Math.max(wait.ms, this.#settings.deadlineMs);
  }

  #wrote(reply: { revocation: Revocation | undefined; revision: number; storeId: string }): void {
    const { revocation, revision, storeId } = reply;
    const tag = revocation === undefined ? undefined : tagOfRevocation(revocation);
    if (tag === undefined) this.#memory.forgetAll(this.#memory.told?.revision ?? 0);
    else {
      this.#memory.change(tag, revision);
      this.#listeners.changed(tag);
    }
    const told = this.#memory.told;
    if (told?.storeId !== storeId || told.revision < revision) this.#calls.wrote(revision, storeId);
  }

  async #verifyAnew(token: string): Promise<Verified> {
    const request = { token, withClaims: false, explain: false, withTags: true };
    const asked = this.#memory.asking();
    // No less than the change that it is about, on any replica.
    const told = this.#memory.told;
    const reply = await this.#calls.ask("verify", request, this.#settings.deadlineMs, undefined, told);
    const decision = decisionOf(reply.decision, principalOf(reply.principal));
    const answer = answerOf(reply);
    this.#memory.keep(token, VERIFY, decision, answer, asked);
    return { decision, tags: answer.tags, overtaken: this.#memory.overtook(answer, asked) };
  }

  #untilNext(decision: Decision): number {
    const { expireTime = null } = decision.principal ?? {};
    const left = expireTime === null ? Infinity : expireTime * 1000 - Date.now();
    return Math.min(Math.max(left, EXPIRY_PAUSE_MS), this.#warned.size > 0 ? POLL_MS : Infinity);
  }

  #refused(error: CallError): void {
    if (this.#warned.has(error.status)) return;
    this.#warned.add(error.status);
    // Nobody will tell them: from now on they ask.
    this.#listeners.lost();
    const look: Record<string, string> = {
      UNAUTHENTICATED: `look at ${nameOf("tokenFile")} or ${nameOf("certFile")}`,
      PERMISSION_DENIED: `give this service the right "watch" in the configuration of Gatehouse`,
      UNIMPLEMENTED: `it is of an older version, or ${nameOf("target")} is no Gatehouse`,
    };
    this.#settings.onWarning(
      `Gatehouse at ${this.#settings.target} does not tell of changes, so nothing is remembered: ` +
        `${look[error.status]}. (${error.status}: ${error.details})`,
    );
  }
}

interface WithDecision {
  decision: Parameters<typeof decisionOf>[0];
  principal: Parameters<typeof principalOf>[0];
}

const targetOf = ({ target }: Partial<Settings>) => (target === undefined ? {} : { GATEHOUSE_TARGET: target });

const closed = () => new Unavailable("Gatehouse: this client is closed.", "CANCELLED");

const flight = (method: string, token: string, question: string) => `${method} ${token.length}:${token}${question}`;
