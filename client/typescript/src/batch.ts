import type { Decision } from "./decision.js";
import { InvalidArgument } from "./errors.js";
import type { Check as WireCheck } from "./wire/gatehouse/v1/authorization_service.js";

// A batch is asked in parts of at most so many checks, and of about so many bytes.
const BATCH_CHECKS = 1000;
const BATCH_BYTES = 64 * 1024;

/** The answers to a batch. */
export interface Batch {
  /** What the token is worth: OK, or why not. */
  readonly token: Decision;
  /** One for each check, in order. */
  readonly decisions: readonly Decision[];
}

/** One question that is not remembered, and its place. */
export interface AskedCheck {
  readonly check: WireCheck;
  readonly key: string;
  readonly i: number;
}

/** What the token is worth, by what was said of it: a part that found it bad counts. */
export function tokenDecisionOf(decisions: readonly Decision[]): Decision {
  const bad = decisions.find(({ status }) => status === 401);
  if (bad !== undefined) return bad;
  const good = decisions.find(({ allowed }) => allowed) ?? (decisions[0] as Decision);
  if (good.allowed || good.code !== "INSUFFICIENT_PERMISSIONS") return good;
  return Object.freeze({ ...good, allowed: true, code: "OK", status: 200, detail: "Allowed." });
}

/** An error that names a check of a part, with that check's place in the whole. */
export function placed(error: unknown, part: readonly AskedCheck[]): unknown {
  if (!(error instanceof InvalidArgument)) return error;
  const message = error.message.replace(/checks\[(\d+)\]/, (text, place) => `checks[${part[place]?.i ?? place}]`);
  return new InvalidArgument(message, { cause: error.cause });
}

/** In parts that fit into a message. */
export function partsOf(asked: readonly AskedCheck[]): AskedCheck[][] {
  const parts: AskedCheck[][] = [];
  let bytes = Infinity;
  for (const one of asked) {
    // A character takes three bytes at most.
    const size = 3 * one.key.length + 20;
    let part = parts.at(-1);
    if (part === undefined || part.length === BATCH_CHECKS || bytes + size > BATCH_BYTES) {
      parts.push((part = []));
      bytes = 0;
    }
    part.push(one);
    bytes += size;
  }
  return parts;
}
