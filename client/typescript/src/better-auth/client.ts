export interface ClientOptions {
  /** The origins that get the token, beside the page's own. */
  origins?: readonly string[] | undefined;
  /** @internal For tests. */
  clock?: Clock | undefined;
}

export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  wait(ms: number): Promise<void>;
}

export interface TokenFetch {
  /** `fetch` with a token of Gatehouse's issuer. */
  fetch: typeof globalThis.fetch;
  /** The token at hand, or a new one; null when signed out. */
  token(): Promise<string | null>;
  /** Forgets the token. `authClient` does it by itself where somebody signs in or out. */
  forget(): void;
}

/** A plugin of Better Auth's client, in types that say no more of that than is used. */
export interface GatehouseClientPlugin {
  id: "gatehouse";
  // `any`: Better Auth's own type of $fetch does not outlive a declaration file.
  getActions: ($fetch: any, $store: any) => { gatehouse: TokenFetch };
}

const ASK_AGAIN = ["TOKEN_REVOKED", "TOKEN_EXPIRED"];
// A revocation covers every token of its own second.
const BEHIND_THE_EVENT_MS = 1000;
// Renewed this long before its end, so that a request seldom meets it.
const AHEAD_MS = 30_000;

const realClock: Clock = {
  now: () => performance.now(),
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
};

/**
 * The browser's side: `createAuthClient({ plugins: [gatehouseClient()] })`, then
 * `authClient.gatehouse.fetch("/api/notes")`.
 */
export function gatehouseClient(options: ClientOptions = {}): GatehouseClientPlugin {
  return {
    id: "gatehouse",
    getActions: ($fetch, $store) => {
      const made = tokenFetch(async () => {
        const { data } = await $fetch("/token", { method: "GET", cache: "no-store" });
        return (data as { token?: string } | null)?.token ?? null;
      }, options);
      $store.listen("$sessionSignal", () => made.forget());
      return { gatehouse: made };
    },
  };
}

/**
 * A `fetch` that sends a token made by `mint`, which gives null when nobody is signed in.
 *
 * Where the answer is a 401 for TOKEN_REVOKED or TOKEN_EXPIRED, one new token is minted, a second after the answer,
 * and the request is made once more; what that gives is the answer, whatever it is. Requests that meet it at the same
 * time share the new token.
 */
export function tokenFetch(mint: () => Promise<string | null>, options: ClientOptions = {}): TokenFetch {
  const clock = options.clock ?? realClock;
  const origins = new Set((options.origins ?? []).map((origin) => new URL(origin).origin));
  let held: { token: string; until: number } | undefined;
  let minting: { made: Promise<string | null>; behind: boolean } | undefined;
  let generation = 0;

  /** A new token; of a second `behind` the event that asks for it. One that is under way is shared, if it will do. */
  const renew = (behind: boolean): Promise<string | null> => {
    if (minting && (minting.behind || !behind)) return minting.made;
    const of = generation;
    const begin = async () => {
      if (behind) await clock.wait(BEHIND_THE_EVENT_MS);
      const at = clock.now();
      const token = await mint();
      // Signed out, or in again, in the meantime: of whom this token is, nobody can say.
      if (of !== generation) return current();
      if (minting === mine) held = token ? { token, until: at + useOf(token) } : undefined;
      return token;
    };
    const mine: { made: Promise<string | null>; behind: boolean } = { made: Promise.resolve(null), behind };
    minting = mine;
    mine.made = begin().finally(() => {
      if (minting === mine) minting = undefined;
    });
    return mine.made;
  };

  const current = async (): Promise<string | null> => {
    if (held && clock.now() < held.until) return held.token;
    return renew(false);
  };

  /** A token other than `bad`; null if there is none. */
  const another = async (bad: string): Promise<string | null> => {
    if (held && held.token !== bad) return held.token;
    held = undefined;
    const made = await renew(true).catch(() => null);
    return made === bad ? null : made;
  };

  const send = (request: Request, bearer: string | null): Promise<Response> => {
    if (bearer) request.headers.set("authorization", `Bearer ${bearer}`);
    return globalThis.fetch(request);
  };

  return {
    token: current,
    forget() {
      generation += 1;
      held = undefined;
      minting = undefined;
    },
    async fetch(input, init) {
      const request = new Request(resolved(input), init);
      if (!isOurs(request.url, origins) || request.headers.has("authorization")) return globalThis.fetch(request);
      const bearer = await current();
      if (!bearer) return globalThis.fetch(request);
      const spare = request.clone();
      const response = await send(request, bearer);
      if (!(await asksAgain(response))) return response;
      const next = await another(bearer);
      return next ? send(spare, next) : response;
    },
  };
}

function pageOrigin(): string | undefined {
  const origin = (globalThis as { location?: { origin?: string } }).location?.origin;
  return origin && origin !== "null" ? origin : undefined;
}

function resolved(input: RequestInfo | URL): RequestInfo | URL {
  const page = pageOrigin();
  if (typeof input !== "string" || !page) return input;
  return new URL(input, (globalThis as { location?: { href: string } }).location?.href);
}

function isOurs(url: string, origins: Set<string>): boolean {
  const { origin } = new URL(url);
  return origin === pageOrigin() || origins.has(origin);
}

async function asksAgain(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  if (!/\bjson\b/i.test(response.headers.get("content-type") ?? "")) return false;
  try {
    const body = (await response.clone().json()) as { code?: unknown } | null;
    return ASK_AGAIN.includes(String(body?.code));
  } catch {
    return false;
  }
}

/** How long a token is used: by its own word, for no clock of this machine need be right. */
function useOf(token: string): number {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const { exp, iat } = JSON.parse(atob(part)) as { exp: number; iat: number };
    const life = (exp - iat) * 1000;
    return Number.isFinite(life) ? life - Math.min(AHEAD_MS, life / 4) : Infinity;
  } catch {
    return Infinity;
  }
}
