import type { Tag } from "./tags.js";

/** As many as are remembered. */
export const KEPT_CHANGES = 4096;

interface Change {
  readonly tag: Tag;
  /** 0: a key that has gone, which has none. */
  readonly revision: number;
  /** Counts all changes that this client knows of. */
  readonly number: number;
}

/** The last changes, so that an answer which one of them overtook is known for old. */
export class Changes {
  #ring: Change[] = [];
  #next = 0;
  // The newest of each tag in the ring.
  readonly #newest = new Map<Tag, Change>();
  #count = 0;
  // Nothing is known of what came up to here.
  #forgottenRevision = 0;
  #forgottenCount = 0;

  /** Rises with each change. */
  get count(): number {
    return this.#count;
  }

  add(tag: Tag, revision: number): void {
    const before = this.#newest.get(tag);
    const change = {
      tag,
      revision: Math.max(revision, before?.revision ?? 0),
      number: ++this.#count,
    };
    const old = this.#ring[this.#next];
    if (old !== undefined) {
      this.#forgottenRevision = Math.max(this.#forgottenRevision, old.revision);
      this.#forgottenCount = old.number;
      if (this.#newest.get(old.tag) === old) this.#newest.delete(old.tag);
    }
    this.#newest.set(tag, change);
    this.#ring[this.#next] = change;
    this.#next = (this.#next + 1) % KEPT_CHANGES;
  }

  /** Something else has changed, without a tag. */
  note(): void {
    this.#count++;
  }

  /** The list begins anew: what came up to this revision is not known. */
  restart(revision: number): void {
    this.#ring = [];
    this.#next = 0;
    this.#newest.clear();
    this.#forgottenRevision = revision;
    this.#forgottenCount = ++this.#count;
  }

  /**
   * Whether an answer may be old: made at `revision`, where the stream is at `told`, and asked
   * for when `count` changes were known.
   */
  overtook(tags: readonly Tag[], revision: number, told: number, count: number): boolean {
    if (count < this.#forgottenCount) return true;
    if (revision < told && revision < this.#forgottenRevision) return true;
    return tags.some((tag) => {
      const change = this.#newest.get(tag);
      return change !== undefined && (change.revision > revision || change.number > count);
    });
  }
}
