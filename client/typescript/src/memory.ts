import { Changes } from "./changes.js";
import type { Clock } from "./clock.js";
import type { MutableCounters } from "./counters.js";
import type { Decision } from "./decision.js";
import type { Tag } from "./tags.js";

// About what a decision takes beside its texts, and a token beside its decisions.
const DECISION_BYTES = 400;
const TOKEN_BYTES = 1200;

/** An answer, with what says whether it may be kept. */
export interface Answer {
  readonly revision: number;
  readonly storeId: string;
  readonly rules: string;
  readonly rememberForMs: number;
  readonly tags: readonly Tag[];
}

/** What was known when a question was sent. */
export interface Asked {
  readonly at: number;
  /** How many changes. */
  readonly changes: number;
}

/** What a message of the stream says, beside its changes. */
export interface Told {
  readonly revision: number;
  readonly storeId: string;
  readonly rules: string;
  readonly fellBehind: boolean;
}

interface Entry {
  readonly of: Token;
  readonly key: string;
  readonly bytes: number;
  decision: Decision;
  promise: Promise<Decision>;
  until: number;
  // The list of all entries, the last used first.
  newer: Entry | undefined;
  older: Entry | undefined;
}

interface Token {
  readonly text: string;
  readonly tags: Set<Tag>;
  readonly entries: Map<string, Entry>;
}

/**
 * Decisions, for as long as they may be used: while the stream is live and says that nothing
 * they rest on has changed. The tags of a token's answers are kept with the token: a change of
 * one drops them all.
 */
export class Memory {
  readonly #clock: Clock;
  readonly #counters: MutableCounters;
  readonly #most: { entries: number; bytes: number };
  readonly #tokens = new Map<string, Token>();
  readonly #byTag = new Map<Tag, Set<Token>>();
  readonly #changes = new Changes();
  #newest: Entry | undefined;
  #oldest: Entry | undefined;
  #entries = 0;
  #bytes = 0;
  #liveUntil = -Infinity;
  #told: Told | undefined;

  constructor(clock: Clock, counters: MutableCounters, most: { entries: number; bytes: number }) {
    this.#clock = clock;
    this.#counters = counters;
    this.#most = most;
  }

  get entries(): number {
    return this.#entries;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get live(): boolean {
    return this.#clock.now() < this.#liveUntil;
  }
  /** Rises with each change that is known. */
  get changes(): number {
    return this.#changes.count;
  }
  /** Where the stream is; undefined where it has not begun. */
  get told(): Told | undefined {
    return this.#told;
  }

  asking(): Asked {
    return { at: this.#clock.now(), changes: this.#changes.count };
  }

  find(token: string, key: string): Decision | undefined {
    return this.#find(token, key)?.decision;
  }

  /** As `find`, for who must have a promise: made once. */
  promised(token: string, key: string): Promise<Decision> | undefined {
    return this.#find(token, key)?.promise;
  }

  #find(token: string, key: string): Entry | undefined {
    const entry = this.#tokens.get(token)?.entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.now();
    if (now >= this.#liveUntil) return undefined;
    if (now >= entry.until) {
      this.#remove(entry);
      return undefined;
    }
    if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#link(entry);
    }
    return entry;
  }

  /** Whether an answer may be kept. */
  accepts(answer: Answer, asked: Asked): boolean {
    const told = this.#told;
    const now = this.#clock.now();
    return (
      this.#most.entries > 0 &&
      answer.tags.length > 0 &&
      told !== undefined &&
      now < this.#liveUntil &&
      now < asked.at + answer.rememberForMs &&
      answer.storeId === told.storeId &&
      answer.rules === told.rules &&
      !this.overtook(answer, asked)
    );
  }

  /** Whether a change that is known may have come between the answer and now. */
  overtook(answer: Answer, asked: Asked): boolean {
    const told = this.#told?.revision ?? 0;
    return this.#changes.overtook(answer.tags, answer.revision, told, asked.changes);
  }

  keep(text: string, key: string, decision: Decision, answer: Answer, asked: Asked): void {
    if (decision.code === "UNSPECIFIED" || !this.accepts(answer, asked)) return;
    const token = this.#tokenOf(text);
    const old = token.entries.get(key);
    const until = asked.at + answer.rememberForMs;
    for (const tag of answer.tags) this.#addTag(token, tag);
    if (old !== undefined) this.#unlink(old);
    const entry: Entry = {
      of: token,
      key,
      bytes: DECISION_BYTES + key.length,
      decision,
      promise: Promise.resolve(decision),
      until,
      newer: undefined,
      older: undefined,
    };
    if (old === undefined) {
      this.#entries++;
      this.#bytes += entry.bytes;
    }
    token.entries.set(key, entry);
    this.#link(entry);
    while (this.#oldest !== undefined && (this.#entries > this.#most.entries || this.#bytes > this.#most.bytes)) {
      this.#counters.evicted++;
      this.#remove(this.#oldest);
    }
  }

  /** A change that the stream told, or one of this client's own. */
  change(tag: Tag, revision: number): void {
    this.#changes.add(tag, revision);
    for (const token of [...(this.#byTag.get(tag) ?? [])]) {
      this.#counters.dropped += token.entries.size;
      for (const entry of [...token.entries.values()]) this.#remove(entry);
    }
  }

  /** Behind the message's changes. Says whether the stream has lost its place. */
  tell(told: Told): boolean {
    const before = this.#told;
    const lost = told.fellBehind || before?.storeId !== told.storeId;
    const otherRules = before?.rules !== told.rules;
    if (lost) this.forgetAll(told.revision);
    if (otherRules) {
      this.#clear();
      this.#changes.note();
    }
    this.#told = told;
    return lost || otherRules;
  }

  /** The stream proved that everything up to its revision was told, as of `at`. */
  proved(at: number, maxStalenessMs: number): void {
    this.#liveUntil = Math.max(this.#liveUntil, at + maxStalenessMs);
  }

  /** Nothing is known any more. */
  lose(): void {
    this.#liveUntil = -Infinity;
    this.#told = undefined;
    this.forgetAll(0);
  }

  /** Drops everything; what changed up to `revision` is not known. */
  forgetAll(revision: number): void {
    this.#clear();
    this.#changes.restart(revision);
  }

  #clear(): void {
    this.#counters.dropped += this.#entries;
    this.#tokens.clear();
    this.#byTag.clear();
    this.#newest = this.#oldest = undefined;
    this.#entries = this.#bytes = 0;
  }

  #tokenOf(text: string): Token {
    const known = this.#tokens.get(text);
    if (known !== undefined) return known;
    const token: Token = { text, tags: new Set(), entries: new Map() };
    this.#tokens.set(text, token);
    this.#bytes += TOKEN_BYTES + text.length;
    return token;
  }

  #addTag(token: Token, tag: Tag): void {
    if (token.tags.has(tag)) return;
    token.tags.add(tag);
    const tokens = this.#byTag.get(tag);
    if (tokens === undefined) this.#byTag.set(tag, new Set([token]));
    else tokens.add(token);
  }

  #remove(entry: Entry): void {
    this.#unlink(entry);
    this.#entries--;
    this.#bytes -= entry.bytes;
    const token = entry.of;
    token.entries.delete(entry.key);
    if (token.entries.size > 0) return;
    this.#tokens.delete(token.text);
    this.#bytes -= TOKEN_BYTES + token.text.length;
    for (const tag of token.tags) {
      const tokens = this.#byTag.get(tag);
      tokens?.delete(token);
      if (tokens?.size === 0) this.#byTag.delete(tag);
    }
  }

  #link(entry: Entry): void {
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: Entry): void {
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    entry.newer = entry.older = undefined;
  }
}
