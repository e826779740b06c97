import type { CheckedNextSettings } from "./settings.js";

/** A token, and whether the browser sent it by itself. */
export interface Found {
  readonly token: string;
  readonly byCookie: boolean;
}

/** The value of one cookie; undefined if there is none, and if there are two, of which one may be planted. */
function cookieOf(header: string, name: string): string | undefined {
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}

/** The request's token, from the header before the cookie. Never from the address. */
export async function findToken(headers: Headers, settings: CheckedNextSettings): Promise<Found | null> {
  if (settings.token !== undefined) {
    const token = await settings.token(headers);
    return token ? { token, byCookie: true } : null;
  }
  const value = headers.get(settings.header);
  if (value !== null) {
    if (settings.header !== "authorization") return value === "" ? null : { token: value, byCookie: false };
    const bearer = /^Bearer +(.*)$/i.exec(value);
    if (bearer?.[1]) return { token: bearer[1], byCookie: false };
  }
  const token = settings.cookie === undefined ? undefined : cookieOf(headers.get("cookie") ?? "", settings.cookie);
  return token ? { token, byCookie: true } : null;
}

/** Whether another site may have sent this request with the browser's cookies. */
export function mayBeForged(request: Request, settings: CheckedNextSettings): boolean {
  if (["GET", "HEAD", "OPTIONS"].includes(request.method)) return false;
  const origin = request.headers.get("origin");
  if (origin !== null && settings.origins !== undefined) return !settings.origins.includes(origin);
  if (request.headers.get("sec-fetch-site") !== null) {
    return request.headers.get("sec-fetch-site") !== "same-origin";
  }
  if (origin === null) return true;
  const host = request.headers.get("host");
  return host === null || (origin !== `https://${host}` && origin !== `http://${host}`);
}
