import { type Clock, jittered } from "./clock.js";
import type { Decision } from "./decision.js";
import type { Tag } from "./tags.js";

// The longest pause by chance when everything must be asked anew.
const SPREAD_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** What Verify says of a token, with the tags that a change of it would name. */
export interface Verified {
  readonly decision: Decision;
  readonly tags: readonly Tag[];
  /** A change that is known may have come after it. */
  readonly overtaken: boolean;
}

/** One token that somebody wants to hear the end of. */
class Listener {
  tags: readonly Tag[] = [];
  #callOff: () => void = () => {};
  #asking = false;
  #again = false;
  #failures = 0;

  constructor(
    private readonly owner: Listeners,
    readonly token: string,
    private readonly callback: (decision: Decision) => void,
  ) {}

  /** Asks after so many milliseconds; sooner only by another call. */
  askIn(ms: number): void {
    this.#callOff();
    this.#callOff = this.owner.clock.after(ms, () => void this.ask());
  }

  async ask(): Promise<void> {
    this.#callOff();
    // An answer that is on its way may be from before: ask once more behind it.
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    do {
      this.#again = false;
      await this.#ask();
    } while (this.#again && this.owner.has(this));
    this.#asking = false;
  }

  async #ask(): Promise<void> {
    let verified: Verified;
    try {
      verified = await this.owner.verify(this.token);
    } catch {
      if (!this.owner.has(this)) return;
      this.askIn(jittered(this.owner.clock, Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS)));
      return;
    }
    this.#failures = 0;
    if (!this.owner.has(this)) return;
    if (!verified.decision.allowed) {
      this.owner.remove(this);
      // What it throws is its own affair, and its application's to see.
      return queueMicrotask(() => this.callback(verified.decision));
    }
    this.owner.retag(this, verified.tags);
    const next = verified.overtaken ? jittered(this.owner.clock, FIRST_PAUSE_MS) : this.owner.untilNext(verified.decision);
    this.askIn(next);
  }

  stop(): void {
    this.#callOff();
  }
}

/** Those who are told when a token is no longer good. */
export class Listeners {
  readonly #all = new Set<Listener>();
  readonly #byTag = new Map<Tag, Set<Listener>>();

  constructor(
    readonly clock: Clock,
    /** Asks the service, past the memory. */
    readonly verify: (token: string) => Promise<Verified>,
    /** Milliseconds until a token whose answer this is must be looked at again. */
    readonly untilNext: (decision: Decision) => number,
  ) {}

  /** Returns what ends it. */
  add(token: string, callback: (decision: Decision) => void): () => void {
    const listener = new Listener(this, token, callback);
    this.#all.add(listener);
    void listener.ask();
    return () => this.remove(listener);
  }

  has(listener: Listener): boolean {
    return this.#all.has(listener);
  }

  remove(listener: Listener): void {
    if (!this.#all.delete(listener)) return;
    listener.stop();
    this.#untag(listener);
  }

  retag(listener: Listener, tags: readonly Tag[]): void {
    this.#untag(listener);
    listener.tags = tags;
    for (const tag of tags) {
      const listeners = this.#byTag.get(tag);
      if (listeners === undefined) this.#byTag.set(tag, new Set([listener]));
      else listeners.add(listener);
    }
  }

  #untag(listener: Listener): void {
    for (const tag of listener.tags) {
      const listeners = this.#byTag.get(tag);
      listeners?.delete(listener);
      if (listeners?.size === 0) this.#byTag.delete(tag);
    }
    listener.tags = [];
  }

  changed(tag: Tag): void {
    for (const listener of [...(this.#byTag.get(tag) ?? [])]) void listener.ask();
  }

  /** Anything may have changed: all ask, but not all at once. */
  lost(): void {
    for (const listener of this.#all) listener.askIn(this.clock.random() * SPREAD_MS);
  }

  close(): void {
    for (const listener of [...this.#all]) this.remove(listener);
  }
}
