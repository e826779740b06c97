import { Code as WireCode, Effect } from "./wire/gatehouse/v1/decision.js";
import type { Decision as WireDecision, Principal as WirePrincipal } from "./wire/gatehouse/v1/decision.js";

/** Why. UNSPECIFIED: the service said nothing that this client knows, which is a denial. */
export type Code =
  | "OK"
  | "TOKEN_MISSING"
  | "TOKEN_INVALID"
  | "TOKEN_EXPIRED"
  | "TOKEN_REVOKED"
  | "INSUFFICIENT_PERMISSIONS"
  | "UNSPECIFIED";

/** Who a good token speaks for. */
export interface Principal {
  readonly issuer: string;
  /** Only itself under its issuer. */
  readonly subject: string;
  /** Empty if the token names none, as every text below. */
  readonly tenant: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly sessionId: string;
  readonly tokenId: string;
  readonly clientId: string;
  readonly email: string;
  /** `iat` and `exp`, in seconds since 1970; null if the token has none. */
  readonly issueTime: number | null;
  readonly expireTime: number | null;
  /** The JSON text of the claims, with `withClaims` alone. */
  readonly claims: string | null;
}

/** One step of the way to a decision. */
export interface Step {
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** One answer. Frozen: it may be remembered, and given to many. */
export interface Decision {
  readonly allowed: boolean;
  readonly code: Code;
  /** What a web backend answers with: 200, 401 or 403. */
  readonly status: 200 | 401 | 403;
  /** One sentence for people. */
  readonly detail: string;
  /** Names the decision in the service's log. */
  readonly id: string;
  /** Null when the token is not good. */
  readonly principal: Principal | null;
  /** With `explain` alone. */
  readonly explanation: readonly Step[];
}

const CODES: Record<number, Code> = {
  [WireCode.OK]: "OK",
  [WireCode.TOKEN_MISSING]: "TOKEN_MISSING",
  [WireCode.TOKEN_INVALID]: "TOKEN_INVALID",
  [WireCode.TOKEN_EXPIRED]: "TOKEN_EXPIRED",
  [WireCode.TOKEN_REVOKED]: "TOKEN_REVOKED",
  [WireCode.INSUFFICIENT_PERMISSIONS]: "INSUFFICIENT_PERMISSIONS",
};
const NONE: readonly never[] = Object.freeze([]);

const seconds = (time: Date | undefined) => (time === undefined ? null : time.getTime() / 1000);

export function principalOf(wire: WirePrincipal | undefined): Principal | null {
  if (wire === undefined) return null;
  return Object.freeze({
    issuer: wire.issuer,
    subject: wire.subject,
    tenant: wire.tenant,
    roles: Object.freeze(wire.roles),
    scopes: Object.freeze(wire.scopes),
    sessionId: wire.sessionId,
    tokenId: wire.tokenId,
    clientId: wire.clientId,
    email: wire.email,
    issueTime: seconds(wire.issueTime),
    expireTime: seconds(wire.expireTime),
    claims: wire.claims || null,
  });
}

/** An allow only if effect and code both say so; what is unset or unknown denies. */
export function decisionOf(wire: WireDecision | undefined, principal: Principal | null): Decision {
  const code = CODES[wire?.code ?? 0] ?? "UNSPECIFIED";
  const allowed = wire?.effect === Effect.ALLOW && code === "OK";
  const denied = wire?.effect === Effect.DENY && code !== "OK" && code !== "UNSPECIFIED";
  const known = allowed || denied;
  return Object.freeze({
    allowed,
    code: known ? code : "UNSPECIFIED",
    status: allowed ? 200 : (known ? code.startsWith("TOKEN_") : wire?.httpStatus === 401) ? 401 : 403,
    detail: known ? (wire?.detail ?? "") : "The service gave no answer that this client knows.",
    id: wire?.id ?? "",
    principal,
    explanation: wire === undefined || wire.explanation.length === 0 ? NONE : freezeSteps(wire.explanation),
  });
}

function freezeSteps(steps: Step[]): readonly Step[] {
  return Object.freeze(steps.map((step) => Object.freeze({ ...step })));
}

/** The answer to a request that carries no token, which needs no call. */
export const TOKEN_MISSING: Decision = Object.freeze({
  allowed: false,
  code: "TOKEN_MISSING",
  status: 401,
  detail: "A token is required.",
  id: "",
  principal: null,
  explanation: NONE,
});

/** One decision of a batch: none is an allow where the token itself is not good. */
export function checkDecisionOf(wire: WireDecision | undefined, token: Decision): Decision {
  const decision = decisionOf(wire, token.principal);
  return decision.allowed && !token.allowed ? token : decision;
}
