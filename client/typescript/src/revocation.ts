import { InvalidArgument } from "./errors.js";
import { checkText } from "./question.js";
import type { RevokeRequest } from "./wire/gatehouse/v1/authorization_service.js";
import type { Revocation as WireRevocation } from "./wire/gatehouse/v1/revocation.js";

/** Covers tokens issued up to this moment; unset: every token that can exist now. */
interface Until {
  readonly issuedUntil?: Date | undefined;
}

/** What is to be revoked: one of these. */
export type Target =
  | { readonly token: string }
  | { readonly issuer: string; readonly tokenId: string }
  | { readonly issuer: string; readonly sessionId: string }
  | ({ readonly issuer: string; readonly subject: string } & Until)
  | ({ readonly issuer: string; readonly tenant: string } & Until)
  | ({ readonly issuer: string; readonly clientId: string } & Until)
  | { readonly issuer: string; readonly keyId: string };

const KINDS = {
  tokenIdentity: "token",
  tokenId: "token_id",
  session: "session",
  subject: "subject",
  tenant: "tenant",
  client: "client",
  key: "key",
} as const;

/** What came of a revocation, or of taking one back. */
export interface Revoked {
  /** Of the revocation. */
  readonly id: string;
  /** What it names: a token that has a `jti` is revoked by that. */
  readonly kind: (typeof KINDS)[keyof typeof KINDS] | "unknown";
  /** Nothing was written: it was so already. */
  readonly existed: boolean;
  readonly revision: number;
  readonly storeId: string;
  /** Of a key: the issuer's set holds none of this name; perhaps it is mistyped. */
  readonly keyNotInSet: boolean;
  /** Of one taken back: another revocation of the same target is in force. */
  readonly stillRevoked: boolean;
}

const NAMES = ["token", "tokenId", "sessionId", "subject", "tenant", "clientId", "keyId"] as const;

function date(name: string, value: unknown): Date | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
    throw new InvalidArgument(`Gatehouse: ${name} must be a valid Date.`);
  }
  return value;
}

/** Throws InvalidArgument. */
export function revokeRequestOf(target: Target, reason = "", expireTime?: Date): RevokeRequest {
  const given = target as unknown as Record<string, unknown>;
  const named = NAMES.filter((name) => given?.[name] !== undefined);
  const [name] = named;
  if (name === undefined || named.length > 1) {
    throw new InvalidArgument(`Gatehouse: a revocation's target names one of ${NAMES.join(", ")}.`);
  }
  const value = checkText(`target.${name}`, given[name]);
  const issuer = name === "token" ? "" : checkText("target.issuer", given["issuer"]);
  const issuedUntil = date("target.issuedUntil", given["issuedUntil"]);
  if (issuedUntil !== undefined && name !== "subject" && name !== "tenant" && name !== "clientId") {
    throw new InvalidArgument(`Gatehouse: issuedUntil is not for a target ${name}: it covers every token of it.`);
  }
  const parts = (): RevokeRequest["target"] => {
    switch (name) {
      case "token":
        return { $case: "token", value };
      case "tokenId":
        return { $case: "tokenId", value: { issuer, tokenId: value } };
      case "sessionId":
        return { $case: "session", value: { issuer, sessionId: value } };
      case "subject":
        return { $case: "subject", value: { issuer, subject: value, issuedUntil } };
      case "tenant":
        return { $case: "tenant", value: { issuer, tenant: value, issuedUntil } };
      case "clientId":
        return { $case: "client", value: { issuer, clientId: value, issuedUntil } };
      case "keyId":
        return { $case: "key", value: { issuer, keyId: value } };
    }
  };
  return { target: parts(), reason: checkText("reason", reason), expireTime: date("expireTime", expireTime) };
}

export function revokedOf(
  reply: { revocation: WireRevocation | undefined; revision: number; storeId: string; existed: boolean },
  more: { keyNotInSet?: boolean; stillRevoked?: boolean },
): Revoked {
  return Object.freeze({
    id: reply.revocation?.id ?? "",
    kind: reply.revocation?.target === undefined ? "unknown" : KINDS[reply.revocation.target.$case],
    existed: reply.existed,
    revision: reply.revision,
    storeId: reply.storeId,
    keyNotInSet: more.keyNotInSet ?? false,
    stillRevoked: more.stillRevoked ?? false,
  });
}
