/** Time, and chance, as far as this package needs them: tests bring their own. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /**
   * Calls `then` once after so many milliseconds; returns what calls it off. Keeps the process
   * alive only where somebody waits for it.
   */
  after(ms: number, then: () => void, awaited?: boolean): () => void;
  /** From 0 to below 1. */
  random(): number;
}

// Node counts a timer's milliseconds in 31 bits, and fires at once beyond them.
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, then, awaited = false) {
    const timer = setTimeout(then, Math.min(Math.max(ms, 0), LONGEST_MS));
    if (!awaited) timer.unref();
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** Between half of `ms` and all of it. */
export function jittered(clock: Clock, ms: number): number {
  return ms * (0.5 + clock.random() / 2);
}
