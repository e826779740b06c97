import { SettingError } from "../errors.js";
import type { Decision } from "../decision.js";
import type { Settings } from "../settings.js";

export interface NextSettings {
  /** The cookie that holds the token. Unset: none is read. */
  cookie?: string;
  /** The header that holds it; `authorization`, as a Bearer token, unless set. */
  header?: string;
  /** Finds the token itself, in place of `cookie` and `header`. */
  token?: (headers: Headers) => string | null | undefined | Promise<string | null | undefined>;
  /** Of WWW-Authenticate; "gatehouse" unless set. */
  realm?: string;
  /**
   * The origins, such as https://app.example.com, whose pages may change something by a cookie.
   * Unset: only the request's own.
   */
  origins?: readonly string[];
  /** Called by `require` in a server component instead of throwing: may redirect, or call forbidden(). */
  onDenied?: (decision: Decision) => void;
  /** The client's own settings, before those of the environment. */
  client?: Partial<Settings>;
}

export interface CheckedNextSettings extends NextSettings {
  readonly header: string;
  readonly realm: string;
}

const NAMES = ["cookie", "header", "token", "realm", "origins", "onDenied", "client"];
const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

function check(name: keyof NextSettings, good: boolean, what: string): void {
  if (!good) throw new SettingError(name, `Gatehouse: the setting ${name} of gatehouse() ${what}.`);
}

export function checkNextSettings(settings: NextSettings): CheckedNextSettings {
  for (const name of Object.keys(settings)) {
    check(name as keyof NextSettings, NAMES.includes(name), `is unknown; there are ${NAMES.join(", ")}`);
  }
  const { cookie, header = "authorization", token, realm = "gatehouse", origins, onDenied } = settings;
  check("cookie", cookie === undefined || (typeof cookie === "string" && NAME.test(cookie)), "is no name of a cookie");
  check("header", typeof header === "string" && NAME.test(header), "is no name of a header");
  check("token", token === undefined || typeof token === "function", "is no function");
  check("token", token === undefined || (cookie === undefined && settings.header === undefined), "stands beside cookie or header");
  check("realm", typeof realm === "string" && /^[\x20-\x7e]*$/.test(realm) && !/["\\]/.test(realm), "holds what a header cannot");
  check("onDenied", onDenied === undefined || typeof onDenied === "function", "is no function");
  const isOrigin = (one: unknown) => typeof one === "string" && URL.canParse(one) && new URL(one).origin === one;
  check("origins", origins === undefined || (Array.isArray(origins) && origins.every(isOrigin)), "is no list of origins such as https://app.example.com");
  return { ...settings, header: header.toLowerCase(), realm };
}
