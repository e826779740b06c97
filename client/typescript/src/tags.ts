import { createHash } from "node:crypto";

import type { Revocation } from "./wire/gatehouse/v1/revocation.js";

/** A tag as a key of a map: its 16 bytes, one character each. */
export type Tag = string;

export const tagOf = (bytes: Uint8Array): Tag => Buffer.from(bytes).toString("latin1");

// As the service makes them: the first byte of what is hashed.
const KINDS = { tokenId: 2, session: 3, subject: 4, tenant: 5, client: 6, key: 7 } as const;
const TOKEN = 1;

function hash(kind: number, ...parts: Buffer[]): Tag {
  const sha = createHash("sha256").update(Uint8Array.of(kind));
  for (const part of parts) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    sha.update(length).update(part);
  }
  return sha.digest().toString("latin1", 0, 16);
}

const named = (kind: keyof typeof KINDS, issuer: string, name: string): Tag =>
  hash(KINDS[kind], Buffer.from(issuer), Buffer.from(name));

/** The tag of what was revoked; undefined for a kind that this client does not know. */
export function tagOfRevocation(revocation: Revocation): Tag | undefined {
  const target = revocation.target;
  switch (target?.$case) {
    case "tokenIdentity":
      return hash(TOKEN, Buffer.from(target.value, "hex"));
    case "tokenId":
      return named("tokenId", target.value.issuer, target.value.tokenId);
    case "session":
      return named("session", target.value.issuer, target.value.sessionId);
    case "subject":
      return named("subject", target.value.issuer, target.value.subject);
    case "tenant":
      return named("tenant", target.value.issuer, target.value.tenant);
    case "client":
      return named("client", target.value.issuer, target.value.clientId);
    case "key":
      return named("key", target.value.issuer, target.value.keyId);
    default:
      return undefined;
  }
}
