import type { Decision } from "../decision.js";

const UNDECIDED = "No decision could be made: try again.";

function json(status: number, code: string, detail: string, headers: Record<string, string>): Response {
  return Response.json({ detail, code, status }, { status, headers: { "cache-control": "no-store", ...headers } });
}

/** The body and headers of a denial, after RFC 6750. */
export function denial(decision: Decision, realm: string): Response {
  let challenge = `Bearer realm="${realm}"`;
  if (decision.code !== "TOKEN_MISSING") {
    challenge += `, error="${decision.status === 403 ? "insufficient_scope" : "invalid_token"}"`;
  }
  return json(decision.status, decision.code, decision.detail, { "www-authenticate": challenge });
}

/** Nothing was decided: neither an allow nor "signed out". */
export function undecided(): Response {
  return json(503, "UNAVAILABLE", UNDECIDED, { "retry-after": "1" });
}
