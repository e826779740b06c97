/** For Next.js 16: the same few lines in server components, route handlers, server actions and proxy.ts. */
import { AsyncLocalStorage } from "node:async_hooks";

import { type Decision, type Principal, TOKEN_MISSING } from "../decision.js";
import { Denied, GatehouseError, InvalidArgument, Unavailable } from "../errors.js";
import type { FilterAnswer } from "../filter.js";
import { Gatehouse } from "../gatehouse.js";
import { type Facts as FactsOfOne, resourceOf } from "../question.js";
import { denial, undecided } from "./answers.js";
import { isUnclear, isUnder } from "./path.js";
import { type CheckedNextSettings, checkNextSettings, type NextSettings } from "./settings.js";
import { findToken, mayBeForged } from "./token.js";

export type { NextSettings } from "./settings.js";

/** What is known of the thing that is touched. No rule looks at an id, so it may be left out. */
export type Facts = FactsOfOne & { readonly id?: string };

/** What `withAuth` adds to a route handler's context. */
export interface Authorized {
  readonly user: Principal;
  readonly token: string;
}

export interface ProxySettings {
  /**
   * Paths that need no token: "/sign-in", or "/docs/*" for it and all below. One that may be read
   * as another, such as "/docs/..%2fadmin" or "/docs/a;b", is none of them: what Gatehouse refuses behind a proxy, here too.
   */
  readonly public?: readonly string[];
  /** Where a browser that opens a page without a good token is sent; gets `?next=`. */
  readonly signIn?: string;
}

interface Current {
  readonly token: string | null;
}

// One client a process for the same settings, however often a bundler or a reload makes this
// module anew.
const PLACE = Symbol.for("@gatehouse/client/next");
const clients: Map<string, Gatehouse> = ((globalThis as Record<symbol, unknown>)[PLACE] ??= new Map()) as Map<
  string,
  Gatehouse
>;

/** Made once, in a module of the application's own: `export const authz = gatehouse({ ... })`. */
export function gatehouse(settings: NextSettings = {}): Authz {
  return new Authz(settings);
}

export class Authz {
  readonly #settings: CheckedNextSettings;
  readonly #current = new AsyncLocalStorage<Current>();
  #client: Gatehouse | undefined;
  #loggedAt = -Infinity;

  constructor(settings: NextSettings = {}) {
    this.#settings = checkNextSettings(settings);
  }

  /** The plain client. Made at the first use: `next build` asks nobody. */
  get client(): Gatehouse {
    if (this.#client === undefined) {
      const settings = this.#settings.client ?? {};
      const key = JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
      this.#client = clients.get(key) ?? Gatehouse.fromEnv(settings);
      clients.set(key, this.#client);
    }
    return this.#client;
  }

  /** The request's token; null if it has none. */
  async token(): Promise<string | null> {
    const current = this.#current.getStore();
    if (current !== undefined) return current.token;
    const { headers } = await import("next/headers.js");
    return (await findToken(await headers(), this.#settings))?.token ?? null;
  }

  /** Who is asking; null if signed out. Throws Unavailable when that cannot be said. */
  async user(): Promise<Principal | null> {
    const token = await this.token();
    if (token === null) return null;
    const decision = await this.client.verify(token);
    return decision.allowed ? principalOf(decision) : null;
  }

  /** Whether who is asking may do it: `can("note:edit", { owner: note.ownerId })`. */
  async can(permission: string, facts: Facts = {}): Promise<boolean> {
    return (await this.#decide(permission, facts)).allowed;
  }

  /** As `can`, but throws Denied; gives who is asking. */
  async require(permission: string, facts: Facts = {}): Promise<Principal> {
    const decision = await this.#decide(permission, facts);
    if (!decision.allowed) this.#refuse(decision);
    return principalOf(decision);
  }

  /** Which rows of "note:read" who is asking may see. Throws Denied for a bad token. */
  async filter(permission: string): Promise<FilterAnswer> {
    const [type, action] = partsOf(permission);
    const token = await this.token();
    if (token === null) return this.#refuse(TOKEN_MISSING);
    const answer = await this.client.filter(token, type, action);
    if (answer.decision.status === 401) this.#refuse(answer.decision);
    return answer;
  }

  /**
   * A route handler for those who have a good token. Whoever has none is answered with 401, and
   * what `require` throws inside with 401, 403 or 503. `C`: the context that Next gives.
   */
  withAuth<C extends object = object>(
    handler: (request: Request, context: C & Authorized) => Response | Promise<Response>,
  ): (request: Request, context: C) => Promise<Response> {
    return (request, context) =>
      this.#answering(async () => {
        const { token, user } = await this.#whoever(request);
        return this.#current.run({ token }, () => handler(request, { ...context, token, user }));
      });
  }

  /** For proxy.ts: lets through whoever has a good token. The page or handler still asks `require`. */
  proxy(settings: ProxySettings = {}): (request: Request) => Promise<Response> {
    const { signIn } = settings;
    const open = [...(settings.public ?? []), ...(signIn === undefined ? [] : [signIn])];
    return async (request) => {
      const { NextResponse } = await import("next/server.js");
      const url = new URL(request.url);
      if (!isUnclear(url) && open.some((path) => isUnder(url.pathname, path))) return NextResponse.next();
      const answer = await this.#answering(async () => {
        await this.#whoever(request);
        return undefined;
      });
      if (answer === undefined) return NextResponse.next();
      if (signIn === undefined || answer.status !== 401 || !opensPage(request)) return answer;
      const to = new URL(signIn, url);
      // "//evil" would be another host to whoever goes there.
      to.searchParams.set("next", url.pathname.replace(/^\/+/, "/") + url.search);
      return new Response(null, { status: 307, headers: { location: to.href, "cache-control": "no-store" } });
    };
  }

  async #whoever(request: Request): Promise<Authorized> {
    const found = await findToken(request.headers, this.#settings);
    if (found === null) throw new Denied(TOKEN_MISSING);
    if (found.byCookie && mayBeForged(request, this.#settings)) throw new Denied(FORGED);
    const decision = await this.client.verify(found.token, { signal: request.signal });
    if (!decision.allowed) throw new Denied(decision);
    return { token: found.token, user: principalOf(decision) };
  }

  async #answering<T>(ask: () => Promise<T>): Promise<T | Response> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Denied) return denial(error.decision, this.#settings.realm);
      if (!(error instanceof GatehouseError)) throw error;
      this.#log(error.message);
      return undecided();
    }
  }

  /** Once a second at most: in an outage every request would say the same. */
  #log(message: string): void {
    if (performance.now() - this.#loggedAt < 1000) return;
    this.#loggedAt = performance.now();
    console.error(message);
  }

  async #decide(permission: string, facts: Facts): Promise<Decision> {
    const [type, action] = partsOf(permission);
    const token = await this.token();
    if (token === null) return TOKEN_MISSING;
    const { id, owner, tenant, relations, attributes } = facts;
    const resource = resourceOf(type, id);
    return this.client.authorize(token, resource, action, { owner, tenant, relations, attributes });
  }

  #refuse(decision: Decision): never {
    if (this.#current.getStore() === undefined) this.#settings.onDenied?.(decision);
    throw new Denied(decision);
  }
}

const FORGED: Decision = Object.freeze({
  ...TOKEN_MISSING,
  code: "INSUFFICIENT_PERMISSIONS",
  status: 403,
  detail: "The request comes from another site.",
});

/** "note:edit": the type and the action. */
function partsOf(permission: string): [type: string, action: string] {
  const colon = typeof permission === "string" ? permission.indexOf(":") : -1;
  if (colon < 1) {
    throw new InvalidArgument(`Gatehouse: ${JSON.stringify(permission)} is no permission such as "note:edit".`);
  }
  return [permission.slice(0, colon), permission.slice(colon + 1)];
}

function principalOf(decision: Decision): Principal {
  if (decision.principal !== null) return decision.principal;
  throw new Unavailable("Gatehouse: the service allowed, and did not say whom.", "INTERNAL");
}

/** Whether a person's browser would show what is answered. */
function opensPage(request: Request): boolean {
  return request.method === "GET" && (request.headers.get("accept") ?? "").includes("text/html");
}
