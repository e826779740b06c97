import type { Facts } from "./question.js";

/** What every call takes. */
export interface CallOptions {
  /** Else the client's. */
  readonly deadlineMs?: number | undefined;
  /** Gives the call up; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface AskOptions extends CallOptions {
  /** Does not look into the memory, and shares no call that is under way. */
  readonly fresh?: boolean | undefined;
  /** Fills `decision.explanation`; needs the right "explain", and goes past the memory. */
  readonly explain?: boolean | undefined;
}

/** What one's own database says stands beside how to ask. */
export interface AuthorizeOptions extends AskOptions, Facts {}

export interface VerifyOptions extends AskOptions {
  /** Fills `principal.claims`; goes past the memory. */
  readonly withClaims?: boolean | undefined;
}

export interface RevokeOptions extends CallOptions {
  /** Why, for people. */
  readonly reason?: string | undefined;
  /** A suspension: every token of the target is refused until then. */
  readonly expireTime?: Date | undefined;
}
