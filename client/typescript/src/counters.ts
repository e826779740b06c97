/** What a client counted since it was made. */
export interface Counters {
  /** Questions answered from memory, and those that were not. */
  readonly hits: number;
  readonly misses: number;
  /** Calls that were given the answer of one under way. */
  readonly shared: number;
  /** RPCs that ended, by method and gRPC status: `{ "Verify OK": 3 }`. Streams of Watch too. */
  readonly rpcs: Readonly<Record<string, number>>;
  /** Later tries of calls. */
  readonly retries: number;
  /** Changes that the stream told. */
  readonly changes: number;
  /** Decisions that were dropped because of changes, and to make room. */
  readonly dropped: number;
  readonly evicted: number;
}

/** Counters, and what holds now. */
export interface Figures extends Counters {
  readonly live: boolean;
  /** Seconds since the newest ping that was answered was sent; Infinity before the first. */
  readonly staleness: number;
  /** Decisions in memory, and about how many bytes they take. */
  readonly entries: number;
  readonly bytes: number;
}

export type MutableCounters = { -readonly [name in keyof Counters]: Counters[name] } & {
  rpcs: Record<string, number>;
};

export function newCounters(): MutableCounters {
  return { hits: 0, misses: 0, shared: 0, rpcs: {}, retries: 0, changes: 0, dropped: 0, evicted: 0 };
}

export function countRpc(counters: MutableCounters, method: string, status: string): void {
  const name = `${method} ${status}`;
  counters.rpcs[name] = (counters.rpcs[name] ?? 0) + 1;
}
