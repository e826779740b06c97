import { readFileSync } from "node:fs";

import { SettingError } from "./errors.js";

export interface Settings {
  /** Where the service is: `host:port`, `unix:/path` or `dns:///name:port`. */
  target: string;
  /** Holds this service's own token. Read again when it changes. */
  tokenFile?: string | undefined;
  /** Whom the server's certificate must come from. Without it the connection is plaintext. */
  caFile?: string | undefined;
  /** This service's own certificate and its key, both or neither. */
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /** Allows plaintext to a target that is not loopback. */
  plaintextBehindMesh?: boolean | undefined;
  /** Of every call that names none; 500 unless set. */
  deadlineMs?: number | undefined;
  /** How old the stream's word may be for the memory to be used; 3000 unless set, from 1000 to 60,000. */
  maxStalenessMs?: number | undefined;
  /** How many decisions are remembered at most; 10,000 unless set. 0: none. */
  memoryEntries?: number | undefined;
  /** How many MiB they take at most; 64 unless set. */
  memoryMib?: number | undefined;
  /** Told what a developer should know. Unless set: a warning of the process. */
  onWarning?: ((message: string) => void) | undefined;
}

/** Settings that were checked. */
export interface CheckedSettings {
  readonly target: string;
  readonly tokenFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly deadlineMs: number;
  readonly maxStalenessMs: number;
  readonly memoryEntries: number;
  readonly memoryBytes: number;
  readonly onWarning: (message: string) => void;
}

const ENVIRONMENT: Record<string, string> = {
  target: "GATEHOUSE_TARGET",
  tokenFile: "GATEHOUSE_TOKEN_FILE",
  caFile: "GATEHOUSE_CA_FILE",
  certFile: "GATEHOUSE_CERT_FILE",
  keyFile: "GATEHOUSE_KEY_FILE",
  plaintextBehindMesh: "GATEHOUSE_PLAINTEXT_BEHIND_MESH",
  deadlineMs: "GATEHOUSE_DEADLINE",
  maxStalenessMs: "GATEHOUSE_MAX_STALENESS",
  memoryEntries: "GATEHOUSE_MEMORY_ENTRIES",
  memoryMib: "GATEHOUSE_MEMORY_MIB",
};
const NAMES = [...Object.keys(ENVIRONMENT), "onWarning"];
// Node counts a timer's milliseconds in 31 bits.
const LONGEST_MS = 2 ** 31 - 1;

/** How a developer finds a setting: by its name, and by its variable. */
export function nameOf(setting: string): string {
  return `${setting} (${ENVIRONMENT[setting]})`;
}

function wrong(setting: string, what: string): SettingError {
  return new SettingError(setting, `Gatehouse: the setting ${nameOf(setting)} ${what}.`);
}

function duration(setting: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  if (!parts) throw wrong(setting, `is ${JSON.stringify(text)}, not a duration such as 500ms or 3s`);
  return Number(parts[1]) * { ms: 1, s: 1000, m: 60_000 }[parts[2] as "ms" | "s" | "m"];
}

function number(setting: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw wrong(setting, `is ${JSON.stringify(text)}, not a number`);
  return Number(text);
}

function boolean(setting: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text !== "true" && text !== "false") {
    throw wrong(setting, `is ${JSON.stringify(text)}, neither true nor false`);
  }
  return text === "true";
}

/** What the environment says; an empty variable is none. */
export function settingsFromEnv(env: NodeJS.ProcessEnv = process.env): Settings {
  const read = (setting: string) => env[ENVIRONMENT[setting] as string] || undefined;
  const target = read("target");
  if (target === undefined) {
    throw wrong("target", "is not set: give the service's address, such as localhost:7070");
  }
  return {
    target,
    tokenFile: read("tokenFile"),
    caFile: read("caFile"),
    certFile: read("certFile"),
    keyFile: read("keyFile"),
    plaintextBehindMesh: boolean("plaintextBehindMesh", read("plaintextBehindMesh")),
    deadlineMs: duration("deadlineMs", read("deadlineMs")),
    maxStalenessMs: duration("maxStalenessMs", read("maxStalenessMs")),
    memoryEntries: number("memoryEntries", read("memoryEntries")),
    memoryMib: number("memoryMib", read("memoryMib")),
  };
}

/** The host of a target that names one, without the brackets of an IPv6 address. */
function hostOf(target: string): string | undefined {
  const parts = /^(?:dns:(?:\/\/[^/]*\/)?)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(target);
  if (!parts || Number(parts[2]) > 65535 || Number(parts[2]) === 0) return undefined;
  return (parts[1] as string).replace(/^\[|\]$/g, "");
}

function checkTarget(settings: Settings): string {
  const { target } = settings;
  if (typeof target !== "string" || target === "") {
    throw wrong("target", "is not set: give the service's address, such as localhost:7070");
  }
  if (/^unix:(\/\/)?\/./.test(target)) return target;
  if (/^https?:/i.test(target)) {
    throw wrong("target", `is a URL (${target}): give the gRPC address alone, such as localhost:7070`);
  }
  const host = hostOf(target);
  if (host === undefined) {
    throw wrong("target", `is ${JSON.stringify(target)}, none of host:port, unix:/path, dns:///name:port`);
  }
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);
  if (!loopback && !settings.caFile && !settings.plaintextBehindMesh) {
    throw new SettingError(
      "caFile",
      `Gatehouse: the target ${target} is not on this machine, and plaintext would show every token: set ` +
        `${nameOf("caFile")}, or ${nameOf("plaintextBehindMesh")} where a mesh encrypts.`,
    );
  }
  return target;
}

function checkNumber(
  setting: keyof Settings,
  value: number | undefined,
  otherwise: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw wrong(setting, `is ${String(value)}: it must be a number from ${least} to ${most}`);
  }
  return value;
}

/** The text of a setting's file. */
export function readSettingFile(setting: keyof Settings, path: string): Buffer {
  if (typeof path !== "string") throw wrong(setting, `is a ${typeof path}, not a path`);
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw wrong(setting, `names ${path}, which cannot be read: ${reason}`);
  }
}

/** The caller's token: what the file holds, without white space at its ends. */
export function readToken(path: string): string {
  const text = readSettingFile("tokenFile", path).toString("latin1").trim();
  if (text === "") throw wrong("tokenFile", `names ${path}, which is empty`);
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw wrong("tokenFile", `names ${path}, which holds white space or unprintable bytes inside the token`);
  }
  return text;
}

/** Says at once what would only fail later. Reads the files that are named. */
export function checkSettings(settings: Settings): CheckedSettings {
  if (typeof settings !== "object" || settings === null) {
    throw wrong("target", "is missing: new Gatehouse({ target: ... })");
  }
  for (const name of Object.keys(settings)) {
    if (!NAMES.includes(name)) {
      throw new SettingError(name, `Gatehouse: there is no setting ${name}; there are ${NAMES.join(", ")}.`);
    }
  }
  const target = checkTarget(settings);
  const { tokenFile, caFile, certFile, keyFile } = settings;
  if (tokenFile !== undefined) readToken(tokenFile);
  for (const setting of ["caFile", "certFile", "keyFile"] as const) {
    const path = settings[setting];
    if (path === undefined) continue;
    if (!/-----BEGIN [A-Z ]+-----/.test(readSettingFile(setting, path).toString("latin1"))) {
      throw wrong(setting, `names ${path}, which holds no PEM`);
    }
  }
  if (certFile && !keyFile) throw wrong("keyFile", "is missing: certFile is set, and needs its key");
  if (keyFile && !certFile) throw wrong("certFile", "is missing: keyFile is set, and needs its certificate");
  if (certFile && !caFile) throw wrong("caFile", "is missing: a certificate is shown over TLS only");
  if (settings.onWarning !== undefined && typeof settings.onWarning !== "function") {
    throw new SettingError("onWarning", "Gatehouse: the setting onWarning is not a function.");
  }
  return {
    target,
    tokenFile,
    caFile,
    certFile,
    keyFile,
    deadlineMs: checkNumber("deadlineMs", settings.deadlineMs, 500, 1, LONGEST_MS),
    maxStalenessMs: checkNumber("maxStalenessMs", settings.maxStalenessMs, 3000, 1000, 60_000),
    memoryEntries: checkNumber("memoryEntries", settings.memoryEntries, 10_000, 0, 10_000_000),
    memoryBytes: checkNumber("memoryMib", settings.memoryMib, 64, 0, 65_536) * 2 ** 20,
    onWarning: settings.onWarning ?? ((message) => process.emitWarning(message, "GatehouseWarning")),
  };
}
