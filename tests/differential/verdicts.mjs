// What npm `jose` says of each token: JSON lines in, JSON lines out.
import { createInterface } from "node:readline";
import { createLocalJWKSet, jwtVerify } from "jose";

const sets = new Map();
function keysOf({ jwks, secret }) {
  if (secret !== undefined) return new Uint8Array(Buffer.from(secret, "base64url"));
  if (!sets.has(jwks)) sets.set(jwks, createLocalJWKSet(JSON.parse(jwks)));
  return sets.get(jwks);
}

async function verdict(rules, { token, keys, algorithms, now }) {
  try {
    await jwtVerify(token, keysOf(keys), {
      algorithms,
      issuer: rules.issuer,
      audience: rules.audience,
      clockTolerance: rules.skew,
      currentDate: new Date(now * 1000),
      requiredClaims: ["exp", "iat", "iss", "aud", "sub"],
    });
    return { accepted: true, reason: "" };
  } catch (error) {
    return { accepted: false, reason: `${error.name}: ${error.message}` };
  }
}

let rules;
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (rules === undefined) rules = message;
  else process.stdout.write(JSON.stringify(await verdict(rules, message)) + "\n");
}
