/** The outbox's table. Better Auth makes it with its own migrations. */
export const TABLE = "gatehouseOutbox";

export const schema = {
  [TABLE]: {
    fields: {
      // "session", "subject" or "tenant", and the id of what is revoked.
      kind: { type: "string", required: true },
      target: { type: "string", required: true },
      issuer: { type: "string", required: true },
      reason: { type: "string", required: true },
      // Of a session: whose it is, and when it would end by itself (ms).
      userId: { type: "string", required: false },
      endsAt: { type: "number", bigint: true, required: false },
      // Whether the row was committed with what it tells of, in one transaction. If not, a row
      // without `seenAt` says only that it was about to happen.
      together: { type: "boolean", required: true },
      // The second, by the issuer's clock, in which it was first seen committed.
      seenAt: { type: "number", bigint: true, required: false },
      // From when on (ms) any process may take it up.
      dueAt: { type: "number", bigint: true, required: true, index: true },
      attempts: { type: "number", required: true },
      createdAt: { type: "number", bigint: true, required: true },
    },
  },
} as const;
