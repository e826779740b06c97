import { GatehouseError } from "../errors.js";

/** What Better Auth hands to `definePayload`. */
export interface Session {
  user: Record<string, unknown> & { id: string };
  session: Record<string, unknown> & { id: string };
}

export interface ClaimsOptions {
  /**
   * Claims of your own, such as `email`, beside sid, jti, roles and org. If they hold fields of the
   * user, name those in the plugin's `userFields`, so that a change revokes.
   */
  claims?: (state: Session) => Record<string, unknown> | Promise<Record<string, unknown>>;
  /** Whether the member's roles in the active organization are among `roles`, as `org:owner`. True unless set. */
  organizationRoles?: boolean;
}

/** The state of a session as the database has it now. Rejects if the session has ended, or its user is gone or banned. */
export type ReadState = (session: Session) => Promise<{ state: Session; member?: { role?: unknown } }>;

export const LINK = Symbol.for("@gatehouse/client/better-auth/claims");

type DefinePayload = ((session: Session) => Promise<Record<string, unknown>>) & {
  [LINK]: { read?: ReadState };
};

const OURS = ["sid", "jti", "roles", "org", "iss", "aud", "sub", "iat", "exp", "nbf"];

/**
 * Options for Better Auth's `jwt()` plugin: `jwt(gatehouseClaims())`. A token then holds
 *
 * - `sid`, the session's id, and `jti`, its own: Better Auth gives neither;
 * - `roles`, those of the admin plugin as a list, and of the active organization as `org:owner`;
 * - `org`, the active organization's id, if the user is a member of it now: Better Auth leaves it in the session
 *   of one who was removed;
 * - and nothing else of the user: by default Better Auth signs the whole of it, e-mail address included.
 *
 * What it says is read from the database after the moment that `iat` names, past every cache: so a token whose
 * content was changed since was issued in or before the second of the change, and is revoked with it.
 */
export function gatehouseClaims(options: ClaimsOptions = {}): { jwt: { definePayload: DefinePayload } } {
  const link: { read?: ReadState } = {};
  const definePayload = async (given: Session): Promise<Record<string, unknown>> => {
    if (!link.read) {
      throw new GatehouseError("gatehouseClaims() needs the gatehouse() plugin: name both in `plugins`.");
    }
    const iat = Math.floor(Date.now() / 1000);
    const { state, member } = await link.read(given);
    const identity = { iat, sid: given.session.id, jti: crypto.randomUUID() };
    const roles = split(state.user.role);
    if (options.organizationRoles !== false && member) {
      roles.push(...split(member.role).map((role) => `org:${role}`));
    }
    const more = (await options.claims?.(state)) ?? {};
    const taken = OURS.find((name) => Object.hasOwn(more, name));
    if (taken) throw new GatehouseError(`gatehouseClaims: the claim ${taken} is not for \`claims\` to set.`);
    const org = member ? state.session.activeOrganizationId : undefined;
    return { ...more, ...identity, roles, ...(org ? { org } : {}) };
  };
  return { jwt: { definePayload: Object.assign(definePayload, { [LINK]: link }) } };
}

// The admin and organization plugins join roles with commas.
function split(roles: unknown): string[] {
  if (typeof roles !== "string") return [];
  return roles.split(",").flatMap((role) => role.trim() || []);
}
