// What two programs could read in two ways, as docs/proxies.md lists it, and any escaped dot or percent sign: bytes that
// are something else than text, escapes of those and escapes that are none, slashes in a row, and a dot or a space at
// the end of a segment.
const UNCLEAR = /[\0- ;#\\\x7f]|%(?![0-9a-f]{2})|%(?:[01].|7f|23|25|2e|2f|3b|3f|5c)|\/\/|(?:\.|%20)(?:\/|$)/i;
const MOST_BYTES = 8192;
const MOST_SEGMENTS = 64;

/** Whether its path may be read as another one. Such a one is no public path, whatever it begins with. */
export function isUnclear({ pathname, search }: URL): boolean {
  if (UNCLEAR.test(pathname)) return true;
  if (pathname.length + search.length > MOST_BYTES || pathname.split("/").length - 1 > MOST_SEGMENTS) return true;
  try {
    return /\p{Cc}/u.test(decodeURIComponent(pathname));
  } catch {
    return true;
  }
}

/** `pattern`: "/sign-in", or "/docs/*" for it and all below. */
export function isUnder(path: string, pattern: string): boolean {
  if (!pattern.endsWith("/*")) return path === pattern;
  return path === pattern.slice(0, -2) || path.startsWith(pattern.slice(0, -1));
}
