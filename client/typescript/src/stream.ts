import { type Clock, jittered } from "./clock.js";
import { countRpc, type MutableCounters } from "./counters.js";
import type { Memory } from "./memory.js";
import { type Tag, tagOf } from "./tags.js";
import type { CallError, Stream as OpenStream, Transport } from "./transport.js";
import type { WatchResponse } from "./wire/gatehouse/v1/authorization_service.js";
import { RevocationChange_Kind } from "./wire/gatehouse/v1/revocation.js";

// A change of another kind may touch anything.
const KNOWN: ReadonlySet<RevocationChange_Kind> = new Set([
  RevocationChange_Kind.REVOKED,
  RevocationChange_Kind.REINSTATED,
  RevocationChange_Kind.KEY_GONE,
]);
const PING_MS = 1000;
// Beyond maxStalenessMs without an answer to a ping, before the connection is given up.
const PATIENCE_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;
const REFUSED_PAUSE_MS = 30_000;

/** What else is to hear of the stream. */
export interface Listener {
  onChange(tag: Tag): void;
  /** Anything may have changed. */
  onLost(): void;
  /** Everything up to here was told. */
  onTold(revision: number, storeId: string): void;
  onRefused(error: CallError): void;
}

/** The one Watch of a client, kept up until it is closed; it tells the memory what to forget. */
export class WatchStream {
  #open: OpenStream | undefined;
  // When each ping of the open stream was sent that may yet be answered.
  #sent = new Map<number, number>();
  #ping = 0;
  // So that one that is lost or late does not end the use of the memory.
  readonly #pingMs: number;
  #openedAt = 0;
  #provedAt = -Infinity;
  #pause = FIRST_PAUSE_MS;
  #callOff: () => void = () => {};
  #closed = false;

  constructor(
    private readonly transport: Transport,
    private readonly memory: Memory,
    private readonly clock: Clock,
    private readonly counters: MutableCounters,
    private readonly maxStalenessMs: number,
    private readonly listener: Listener,
  ) {
    this.#pingMs = Math.min(PING_MS, maxStalenessMs / 3);
  }

  /** When the newest ping that was answered was sent. */
  get provedAt(): number {
    return this.#provedAt;
  }

  start(): void {
    if (this.#closed) return;
    this.#openedAt = this.clock.now();
    this.#sent.clear();
    const stream = this.transport.watch(
      (response) => this.#open === stream && this.#hear(response),
      (error) => this.#open === stream && this.#ended(error),
    );
    this.#open = stream;
    const told = this.memory.told;
    this.#send(told === undefined ? {} : { fromRevision: told.revision, storeId: told.storeId });
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
    this.#open?.cancel();
    this.#open = undefined;
  }

  #send(first: { fromRevision?: number; storeId?: string } = {}): void {
    const now = this.clock.now();
    this.#sent.set(++this.#ping, now);
    this.#callOff = this.clock.after(this.#pingMs, () => this.#beat());
    this.#open?.send({ fromRevision: first.fromRevision, storeId: first.storeId ?? "", ping: this.#ping });
  }

  #beat(): void {
    const silent = this.clock.now() - Math.max(this.#openedAt, this.#provedAt);
    if (silent < this.maxStalenessMs + PATIENCE_MS) return this.#send();
    // The connection may be half dead: another one tells.
    this.#open?.cancel();
    this.transport.renew();
    this.#again("no heartbeat", this.#nextPause());
  }

  #hear(message: WatchResponse): void {
    const tags: Tag[] = [];
    let lost = false;
    for (const change of message.changes) {
      this.counters.changes++;
      if (!KNOWN.has(change.kind) || change.tag.length === 0) {
        this.memory.forgetAll(message.revision);
        lost = true;
        continue;
      }
      const tag = tagOf(change.tag);
      this.memory.change(tag, change.revision);
      tags.push(tag);
    }
    lost = this.memory.tell(message) || lost;
    this.listener.onTold(message.revision, message.storeId);
    for (const tag of tags) this.listener.onChange(tag);
    if (lost) this.listener.onLost();
    const at = this.#sent.get(message.ping);
    if (at === undefined) return;
    for (const ping of this.#sent.keys()) if (ping < message.ping) this.#sent.delete(ping);
    this.#provedAt = at;
    this.#pause = FIRST_PAUSE_MS;
    this.memory.proved(at, this.maxStalenessMs);
  }

  #ended(error: CallError): void {
    switch (error.status) {
      case "FAILED_PRECONDITION":
      case "RESOURCE_EXHAUSTED":
        this.memory.lose();
        this.listener.onLost();
        return this.#again(error.status, this.#nextPause());
      case "UNAUTHENTICATED":
      case "PERMISSION_DENIED":
      case "UNIMPLEMENTED":
        this.listener.onRefused(error);
        return this.#again(error.status, REFUSED_PAUSE_MS);
      default:
        return this.#again(error.status, this.#nextPause());
    }
  }

  #nextPause(): number {
    const pause = this.#pause;
    this.#pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    return pause;
  }

  #again(status: string, pause: number): void {
    countRpc(this.counters, "Watch", status);
    this.#open = undefined;
    this.#callOff();
    this.#callOff = this.clock.after(jittered(this.clock, pause), () => this.start());
  }
}
