import { InvalidRequest } from "./errors.js";
import type { Check } from "./wire/gatehouse/v1/authorization_service.js";

/** What is to be touched. All but type and id are facts from the caller's own database. */
export interface Resource {
  readonly type: string;
  readonly id: string;
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
export interface Question extends Resource {
  readonly action: string;
}

/** The key of Verify's answer among those about a token. No other key is empty. */
export const VERIFY = "";

/**
 * A text that is equal for equal questions alone: lengths stand before the parts, so that no
 * part can be read as another. Undefined for what is no question: `checkOf` says why.
 */
export function keyOf(action: string, resource: Resource): string | undefined {
  if (typeof resource !== "object" || resource === null) return undefined;
  const { type, id } = resource;
  const owner = resource.owner ?? "";
  const tenant = resource.tenant ?? "";
  if (
    typeof action !== "string" ||
    typeof type !== "string" ||
    typeof id !== "string" ||
    typeof owner !== "string" ||
    typeof tenant !== "string"
  ) {
    return undefined;
  }
  const key = `${action.length},${type.length},${id.length},${owner.length}:${action}${type}${id}${owner}${tenant}`;
  if (resource.relations === undefined && resource.attributes === undefined) return key;
  return `${key.length};${key}${keyOfFacts(resource)}`;
}

function keyOfFacts(resource: Resource): string {
  const sorted = (facts: object | undefined) =>
    Object.entries(facts ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([sorted(resource.relations), sorted(resource.attributes)]);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? `an object (${value.constructor?.name ?? "without a class"})` : `a ${typeof value}`;
}

/** Says in the developer's words what is no text, or cannot be written as UTF-8. */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string") {
    const hint = typeof value === "number" || typeof value === "bigint" ? `: write String(${name})` : "";
    throw new InvalidRequest(`Gatehouse: ${name} must be a string, not ${kindOf(value)}${hint}.`);
  }
  if (!value.isWellFormed()) {
    // It would arrive as another text.
    throw new InvalidRequest(`Gatehouse: ${name} is not well-formed Unicode.`);
  }
  return value;
}

export function checkToken(token: unknown): string {
  if (token === undefined || token === null) {
    throw new InvalidRequest(`Gatehouse: the token must be a string, not ${kindOf(token)}: "" where there is none.`);
  }
  return checkText("token", token);
}

const optional = (name: string, value: unknown) => (value == null ? "" : checkText(name, value));

/** The question as it is sent. Throws InvalidRequest. */
export function checkOf(action: string, resource: Resource, where = ""): Check {
  checkText(`${where}action`, action);
  if (typeof resource !== "object" || resource === null) {
    throw new InvalidRequest(`Gatehouse: ${where}resource must be an object { type, id, ... }, not ${kindOf(resource)}.`);
  }
  const type = checkText(`${where}resource.type`, resource.type);
  if (type.includes("/")) throw new InvalidRequest(`Gatehouse: ${where}resource.type must not hold a slash.`);
  return {
    resource: `${type}/${checkText(`${where}resource.id`, resource.id)}`,
    owner: optional(`${where}owner`, resource.owner),
    action,
    tenant: optional(`${where}tenant`, resource.tenant),
    relations: Object.fromEntries(
      factsOf(`${where}relations`, resource.relations).map(([name, subjects]) => [
        checkText(`${where}relations`, name),
        { subjects: subjectsOf(`${where}relations.${name}`, subjects) },
      ]),
    ),
    attributes: Object.fromEntries(
      factsOf(`${where}attributes`, resource.attributes).map(([name, value]) => [
        checkText(`${where}attributes`, name),
        checkText(`${where}attributes.${name}`, value),
      ]),
    ),
  };
}

/** A Map's members are not its properties: they would be left out in silence. */
function factsOf(name: string, facts: unknown): [string, unknown][] {
  if (facts === undefined || facts === null) return [];
  if (typeof facts !== "object" || Array.isArray(facts) || Symbol.iterator in facts) {
    throw new InvalidRequest(`Gatehouse: ${name} must be an object of names and values, not ${kindOf(facts)}.`);
  }
  return Object.entries(facts);
}

function subjectsOf(name: string, subjects: unknown): string[] {
  if (!Array.isArray(subjects)) {
    throw new InvalidRequest(`Gatehouse: ${name} must be an array of subjects, not ${kindOf(subjects)}.`);
  }
  return subjects.map((subject, i) => checkText(`${name}[${i}]`, subject));
}
