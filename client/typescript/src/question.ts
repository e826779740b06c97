import { InvalidArgument } from "./errors.js";
import type { Check as WireCheck } from "./wire/gatehouse/v1/authorization_service.js";

/** What the caller's own database says of what is to be touched. */
export interface Facts {
  /** The subject that owns it. Unset, null and empty match nobody. */
  readonly owner?: string | null | undefined;
  /** The tenant that it belongs to. */
  readonly tenant?: string | null | undefined;
  /** Who stands in which relation to it: `{ editor: ["u1", "u2"] }`. */
  readonly relations?: Readonly<Record<string, readonly string[]>> | undefined;
  /** What the policy's conditions compare. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** One question of a batch. */
export interface Check extends Facts {
  /** "type/id" */
  readonly resource: string;
  readonly action: string;
}

/** The key of Verify's answer among those about a token. No other key is empty. */
export const VERIFY = "";

/**
 * A text that is equal for equal questions alone: lengths stand before the parts, so that no
 * part can be read as another. Undefined for what is no question: `checkOf` says why.
 */
export function keyOf(resource: string, action: string, facts: Facts): string | undefined {
  const owner = facts.owner ?? "";
  const tenant = facts.tenant ?? "";
  if (
    typeof resource !== "string" ||
    typeof action !== "string" ||
    typeof owner !== "string" ||
    typeof tenant !== "string"
  ) {
    return undefined;
  }
  const key = `${resource.length},${action.length},${owner.length}:${resource}${action}${owner}${tenant}`;
  if (facts.relations === undefined && facts.attributes === undefined) return key;
  const isText = (value: unknown) => typeof value === "string";
  const relations = sorted(facts.relations, (value) => Array.isArray(value) && Array.from(value).every(isText));
  const attributes = sorted(facts.attributes, isText);
  if (relations === undefined || attributes === undefined) return undefined;
  return `${key.length};${key}${JSON.stringify([relations, attributes])}`;
}

/** Undefined for what `checkOf` refuses, and for nothing else: two questions without a key would be one. */
function sorted(facts: unknown, fits: (value: unknown) => boolean): [string, unknown][] | undefined {
  if (facts === undefined || facts === null) return [];
  if (!hasNames(facts)) return undefined;
  const entries = Object.entries(facts);
  return entries.every(([, value]) => fits(value)) ? entries.sort(([a], [b]) => (a < b ? -1 : 1)) : undefined;
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? `an object (${value.constructor?.name ?? "without a class"})` : `a ${typeof value}`;
}

/** Says in the developer's words what is no text, or cannot be written as UTF-8. */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string") {
    const hint = typeof value === "number" || typeof value === "bigint" ? `: write String(${name})` : "";
    throw new InvalidArgument(`Gatehouse: ${name} must be a string, not ${kindOf(value)}${hint}.`);
  }
  if (!value.isWellFormed()) {
    // It would arrive as another text.
    throw new InvalidArgument(`Gatehouse: ${name} is not well-formed Unicode.`);
  }
  return value;
}

export function checkToken(token: unknown): string {
  if (token === undefined || token === null) {
    throw new InvalidArgument(`Gatehouse: the token must be a string, not ${kindOf(token)}: "" where there is none.`);
  }
  return checkText("token", token);
}

const optional = (name: string, value: unknown) => (value == null ? "" : checkText(name, value));

/** "type/id", for a permission without an id as well. Throws InvalidArgument. */
export function resourceOf(type: string, id: string | undefined): string {
  if (checkText("type", type).includes("/")) throw new InvalidArgument("Gatehouse: type must not hold a slash.");
  return `${type}/${checkText("id", id ?? "-")}`;
}

/** The question as it is sent. Throws InvalidArgument. */
export function checkOf(resource: string, action: string, facts: Facts, where = ""): WireCheck {
  return {
    resource: checkText(`${where}resource`, resource),
    owner: optional(`${where}owner`, facts.owner),
    action: checkText(`${where}action`, action),
    tenant: optional(`${where}tenant`, facts.tenant),
    relations: Object.fromEntries(
      entriesOf(`${where}relations`, facts.relations).map(([name, subjects]) => [
        checkText(`${where}relations`, name),
        { subjects: subjectsOf(`${where}relations.${name}`, subjects) },
      ]),
    ),
    attributes: Object.fromEntries(
      entriesOf(`${where}attributes`, facts.attributes).map(([name, value]) => [
        checkText(`${where}attributes`, name),
        checkText(`${where}attributes.${name}`, value),
      ]),
    ),
  };
}

/** A Map's members are not its properties: they would be left out in silence. */
function hasNames(facts: unknown): facts is object {
  return typeof facts === "object" && facts !== null && !Array.isArray(facts) && !(Symbol.iterator in facts);
}

function entriesOf(name: string, facts: unknown): [string, unknown][] {
  if (facts === undefined || facts === null) return [];
  if (!hasNames(facts)) {
    throw new InvalidArgument(`Gatehouse: ${name} must be an object of names and values, not ${kindOf(facts)}.`);
  }
  return Object.entries(facts);
}

function subjectsOf(name: string, subjects: unknown): string[] {
  if (!Array.isArray(subjects)) {
    throw new InvalidArgument(`Gatehouse: ${name} must be an array of subjects, not ${kindOf(subjects)}.`);
  }
  // Not `map`, which leaves a hole as it is.
  return Array.from(subjects, (subject, i) => checkText(`${name}[${i}]`, subject));
}
