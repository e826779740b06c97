import { authz } from "../../../lib/authz";

/** How many clients this process has, and what this one counted. */
export const GET = authz.withAuth(() => {
  const clients = (globalThis as Record<symbol, unknown>)[Symbol.for("@gatehouse/client/next")] as Map<string, unknown>;
  return Response.json({ clients: clients.size, ...authz.client.figures() });
});
