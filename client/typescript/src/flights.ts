import type { Clock } from "./clock.js";
import type { MutableCounters } from "./counters.js";
import { Unavailable } from "./errors.js";

interface Flight<T> {
  readonly question: string;
  /** How many changes were known when it was sent. */
  readonly changes: number;
  readonly at: number;
  readonly answer: Promise<T>;
  readonly abort: AbortController;
  waiting: number;
}

/** What the caller of one question sets. */
export interface Wait {
  /** Until when, by the clock. */
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** Questions under way: who asks the same is given the same answer. */
export class Flights {
  readonly #flights = new Map<string, Flight<unknown>>();

  constructor(
    private readonly clock: Clock,
    private readonly counters: MutableCounters,
    private readonly changes: () => number,
    private readonly maxStalenessMs: number,
  ) {}

  /**
   * Joins the flight of this question if it was sent after the latest change that is known, and
   * not so long ago that without a stream its answer may be older than any that is used; else begins one with `send`. Its answer comes to everybody, whoever gives up; when all have,
   * it is aborted.
   */
  join<T>(question: string, wait: Wait, alone: boolean, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (wait.signal?.aborted) return Promise.reject(wait.signal.reason);
    const known = this.#flights.get(question) as Flight<T> | undefined;
    const now = this.clock.now();
    if (!alone && known !== undefined && known.changes === this.changes() && now - known.at < this.maxStalenessMs) {
      this.counters.shared++;
      return this.#wait(known, wait);
    }
    const abort = new AbortController();
    const changes = this.changes();
    const flight: Flight<T> = {
      question,
      changes,
      at: now,
      abort,
      waiting: 0,
      answer: send(abort.signal).finally(() => this.#land(flight)),
    };
    this.#flights.set(question, flight);
    return this.#wait(flight, wait);
  }

  /** Ends all. */
  close(reason: Error): void {
    for (const flight of this.#flights.values()) flight.abort.abort(reason);
  }

  #land<T>(flight: Flight<T>): void {
    if (this.#flights.get(flight.question) === flight) this.#flights.delete(flight.question);
  }

  #wait<T>(flight: Flight<T>, { ms, signal }: Wait): Promise<T> {
    flight.waiting++;
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        callOff();
        signal?.removeEventListener("abort", aborted);
      };
      // Says whether the flight goes on.
      const giveUp = (reason: unknown): boolean => {
        leave();
        if (--flight.waiting > 0) return true;
        // Nobody may join what is being given up.
        this.#land(flight);
        flight.abort.abort(reason);
        return false;
      };
      const aborted = () => {
        giveUp(signal?.reason);
        reject(signal?.reason);
      };
      const late = () => {
        const reason = new Unavailable(`Gatehouse: no decision within ${ms} ms (deadlineMs).`, "DEADLINE_EXCEEDED");
        // A flight that ends here knows better why.
        if (giveUp(reason)) reject(reason);
      };
      const callOff = this.clock.after(ms, late, true);
      signal?.addEventListener("abort", aborted, { once: true });
      flight.answer.then(
        (answer) => (leave(), resolve(answer)),
        (error) => (leave(), reject(error)),
      );
    });
  }
}
