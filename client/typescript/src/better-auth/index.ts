import type { BetterAuthPlugin } from "better-auth";
import { APIError } from "better-auth/api";

import { SettingError } from "../errors.js";
import { type Settings, settingsFromEnv } from "../settings.js";
import { LINK, type ReadState, type Session } from "./claims.js";
import type { Row, Rules } from "./events.js";
import { Outbox } from "./outbox.js";
import type { OutboxRow } from "./outbox-row.js";
import { type Revoker, revokerOf } from "./revoker.js";
import { schema } from "./schema.js";
import { watchStorage, watchWrites, type Adapter, type Storage } from "./watch-writes.js";

export { gatehouseClaims, type ClaimsOptions, type Session } from "./claims.js";

export type { Revoker } from "./revoker.js";

export interface PluginOptions extends Partial<Settings> {
  /**
   * A client that the application has already, in place of `target` and the other settings of one. With neither, the
   * environment's settings (GATEHOUSE_TARGET, ...).
   */
  client?: Revoker | undefined;
  /** The issuer by which Gatehouse knows this Better Auth. Unless set: what `jwt()` puts into `iss`. */
  issuer?: string | undefined;
  /** Fields of the user that stand in tokens: a change of one revokes. `["role"]` unless set. */
  userFields?: readonly string[] | undefined;
  /**
   * How long a request that ends a session, say, waits for Gatehouse to know of it; 500 unless set. It never fails for
   * it, and does not wait at all while Gatehouse is known to be down.
   */
  waitMs?: number | undefined;
  /** The longest pause between tries while Gatehouse is down; 10,000 unless set. */
  retryMs?: number | undefined;
}

const TRY_MS = 2000;
const LEAST_PAUSE_MS = 250;
const POLL_MS = 5000;
const OWN = ["client", "issuer", "userFields", "waitMs", "retryMs"];

/**
 * Revokes at Gatehouse what Better Auth has ended: sessions, and the tokens of users whose password, role, ban or
 * membership has changed. See docs/better-auth.md for what revokes what.
 */
export function gatehouse(options: PluginOptions = {}) {
  const client = clientOf(options);
  const userFields = checkedFields(options.userFields);
  const waitMs = checkedMs("waitMs", options.waitMs, 500);
  const retryMs = checkedMs("retryMs", options.retryMs, 10_000);
  return {
    id: "gatehouse",
    schema: schema as unknown as NonNullable<BetterAuthPlugin["schema"]>,
    init(context) {
      const adapter = context.adapter as unknown as Adapter & Finder;
      const storage = context.options.secondaryStorage as Storage | undefined;
      const stored = !storage || context.options.session?.storeSessionInDatabase === true;
      const jwt = context.getPlugin("jwt") as JwtPlugin | null;
      const issuer = options.issuer ?? issuerOf(jwt, context.options.baseURL);
      linkClaims(jwt, async (given) => {
        const token = given.session.token as string;
        const found = (await context.internalAdapter.findSession(token)) as Session | null;
        if (!found) throw ended();
        // In `secondaryStorage` the user is a copy.
        const user = storage ? await byId(adapter, "user", given.user.id) : found.user;
        if (!user) throw ended();
        if (isBanned(user)) throw new APIError("FORBIDDEN", { code: "BANNED_USER", message: "This user is banned" });
        const state = { session: found.session, user: user as Session["user"] };
        const org = found.session.activeOrganizationId;
        if (!org || !context.hasPlugin("organization")) return { state };
        const member = await adapter.findOne({
          model: "member",
          where: [
            { field: "userId", value: user.id },
            { field: "organizationId", value: org },
          ],
        });
        return member ? { state, member } : { state };
      });
      const sessions = context.internalAdapter as unknown as Sessions;
      const hasSession = async (userId: string) =>
        (await sessions.listSessions(userId, { onlyActiveSessions: true })).length > 0;
      const rules: Rules = { userFields, now: Date.now, hasSession: stored ? undefined : hasSession };
      const outbox = new Outbox({
        database: bare(adapter),
        issuer,
        deliver: (row, signal) => deliver(client, row, signal),
        sessionLives: (row) => lives(row, stored, adapter, sessions),
        log: context.logger,
        waitMs,
        tryMs: TRY_MS,
        leastPauseMs: Math.min(LEAST_PAUSE_MS, retryMs),
        mostPauseMs: retryMs,
        pollMs: POLL_MS,
      });
      const raw = watchWrites(adapter, outbox, rules, context.logger);
      if (storage && (!stored || context.options.session?.preserveSessionInDatabase)) {
        watchStorage(storage, raw, outbox, rules, context.logger);
      }
      outbox.start();
    },
  } satisfies BetterAuthPlugin;
}

async function deliver(client: Revoker, row: OutboxRow, signal: AbortSignal): Promise<void> {
  const options = { reason: `Better Auth: ${row.reason}`, signal };
  const { issuer, target } = row;
  if (row.kind === "session") return void (await client.revoke({ issuer, sessionId: target }, options));
  const until = { issuer, issuedUntil: new Date((row.seenAt ?? 0) * 1000) };
  await client.revoke(row.kind === "subject" ? { ...until, subject: target } : { ...until, tenant: target }, options);
}

// A cookie's cache, or a secondary storage, may still have what is gone: of that nobody need have heard a revocation.
function ended(): APIError {
  return new APIError("UNAUTHORIZED", { code: "SESSION_ENDED", message: "This session has ended" });
}

// The admin plugin ends the sessions of whom it bans only afterwards.
function isBanned(user: Row): boolean {
  const until = user.banExpires ? new Date(user.banExpires as Date).getTime() : Infinity;
  return user.banned === true && until > Date.now();
}

interface Finder {
  findOne(call: { model: string; where: { field: string; value: unknown }[] }): Promise<Row | null>;
}

interface Sessions {
  listSessions(userId: string, options: { onlyActiveSessions: boolean }): Promise<Row[]>;
}

async function byId(adapter: Finder, model: string, id: unknown): Promise<Row | null> {
  return adapter.findOne({ model, where: [{ field: "id", value: id }] });
}

async function lives(row: OutboxRow, stored: boolean, adapter: Finder, sessions: Sessions): Promise<boolean> {
  if (stored) {
    const found = await byId(adapter, "session", row.target);
    return found !== null && new Date(found.expiresAt as Date).getTime() > Date.now();
  }
  if (!row.userId) return false;
  const alive = await sessions.listSessions(row.userId, { onlyActiveSessions: true });
  return alive.some((session) => String(session.id) === row.target);
}

interface JwtPlugin {
  options?: { jwt?: { issuer?: string; definePayload?: { [LINK]?: { read?: ReadState } } } };
}

function issuerOf(jwt: JwtPlugin | null, baseURL: unknown): string {
  const issuer = jwt?.options?.jwt?.issuer ?? (typeof baseURL === "string" ? baseURL : "");
  if (issuer) return issuer;
  throw wrong("issuer", "is not set, and neither jwt()'s issuer nor baseURL says what tokens will name");
}

function linkClaims(jwt: JwtPlugin | null, read: ReadState): void {
  if (!jwt) throw wrong("plugins", "lack jwt(gatehouseClaims()): without a JWT there is nothing to revoke");
  const define = jwt.options?.jwt?.definePayload;
  if (!define) {
    const why = "have a jwt() whose tokens name no session, so that signing out would refuse none";
    throw wrong("plugins", `${why}: use jwt(gatehouseClaims())`);
  }
  // Of the application's own making it may be: then it is its own to keep `sid` in it.
  const link = define[LINK];
  if (link) link.read = read;
}

/** The adapter's methods as they are now, before they are watched. */
function bare(adapter: Adapter): Adapter {
  const { create, findMany, updateMany, deleteMany } = adapter;
  return { create, findMany, updateMany, deleteMany } as Adapter;
}

function clientOf(options: PluginOptions): Revoker {
  const settings = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN.includes(name)));
  if (options.client === undefined) {
    const environment = settings.target === undefined ? settingsFromEnv() : {};
    return revokerOf({ ...environment, ...defined(settings) } as Settings);
  }
  if (typeof options.client?.revoke !== "function") throw wrong("client", "has no method revoke");
  const both = Object.keys(settings)[0];
  if (both) throw wrong(both, "stands beside `client`, which has its own");
  return options.client;
}

function defined(settings: Record<string, unknown>): Partial<Settings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function checkedFields(fields: readonly string[] | undefined): readonly string[] {
  if (fields === undefined) return ["role"];
  if (!Array.isArray(fields) || fields.some((field) => typeof field !== "string")) {
    throw wrong("userFields", "is not a list of names of fields");
  }
  return ["role", ...fields];
}

function checkedMs(setting: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === "number" && value >= 0 && value <= 600_000) return value;
  throw wrong(setting, "is not a number of milliseconds from 0 to 600000");
}

function wrong(setting: string, what: string): SettingError {
  return new SettingError(setting, `gatehouse(): \`${setting}\` ${what}.`);
}
