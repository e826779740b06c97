import type { Decision } from "./decision.js";
import {
  FilterCondition_Operation as Operation,
  Filter_Kind as Kind,
  type Filter as WireFilter,
  type FilterCondition as WireCondition,
  type FilterSql as WireSql,
} from "./wire/gatehouse/v1/filter.js";

export type ConditionOperation =
  | "ALL"
  | "ANY"
  | "NOT"
  | "IS_FALSE"
  | "PRESENT"
  | "EQUALS"
  | "IN"
  | "PREFIX"
  | "LESS_THAN"
  | "AT_MOST"
  | "GREATER_THAN"
  | "AT_LEAST"
  | "RELATED"
  /** Unknown: selects nothing, and makes an ALL around it select nothing. */
  | "UNSPECIFIED";

/** A condition on a row, three-valued as SQL's; `filter.proto` says what each operation means. */
export interface Condition {
  readonly operation: ConditionOperation;
  /** `owner`, `tenant`, `attributes.NAME` or `relations.NAME`. */
  readonly field: string;
  readonly values: readonly string[];
  readonly number: number;
  readonly inner: readonly Condition[];
}

/** For a WHERE clause. What somebody sent is only ever a parameter. */
export interface Sql {
  /** With the placeholders ?1, ?2 (SQLite) or $1, $2 (PostgreSQL). */
  readonly where: string;
  readonly parameters: readonly (string | number)[];
}

/** Which rows somebody may see. */
export interface FilterAnswer {
  /** OK: some row may be selected. A bad token is a denial with 401, not an empty list. */
  readonly decision: Decision;
  readonly kind: "none" | "all" | "condition";
  /** Set where `kind` is "condition". */
  readonly condition: Condition | null;
  /** Null if the policy does not name the type's table. FALSE selects nothing. */
  readonly sqlite: Sql | null;
  readonly postgres: Sql | null;
}

const UNKNOWN: WireCondition = { operation: Operation.UNSPECIFIED, field: "", values: [], number: 0, inner: [] };
const NOTHING: Sql = Object.freeze({ where: "FALSE", parameters: Object.freeze([]) });

/** Whether all of it is known here. What is not makes the whole select nothing. */
function isKnown(wire: WireCondition): boolean {
  return wire.operation > 0 && Operation[wire.operation] !== undefined && wire.inner.every(isKnown);
}

function conditionOf(wire: WireCondition): Condition {
  return Object.freeze({
    operation: Operation[wire.operation] as ConditionOperation,
    field: wire.field,
    values: Object.freeze(wire.values),
    number: wire.number,
    inner: Object.freeze(wire.inner.map(conditionOf)),
  });
}

function sqlOf(wire: WireSql | undefined, nothing: boolean): Sql | null {
  if (wire === undefined) return null;
  // A parameter without a value, or of a kind that is not known here: nothing can be selected by it.
  if (nothing || wire.where === "" || wire.parameters.some((one) => one.value === undefined)) return NOTHING;
  const parameters = wire.parameters.map((one) => one.value?.value as string | number);
  return Object.freeze({ where: wire.where, parameters: Object.freeze(parameters) });
}

export function filterOf(wire: WireFilter | undefined, decision: Decision): FilterAnswer {
  const all = wire?.kind === Kind.ALL;
  const some = wire?.kind === Kind.CONDITION;
  const known = wire?.condition !== undefined && isKnown(wire.condition);
  const nothing = !decision.allowed || !(all || some);
  const noSql = nothing || (some && !known);
  return Object.freeze({
    decision,
    kind: nothing ? "none" : all ? "all" : "condition",
    condition: !nothing && some ? conditionOf(known ? (wire.condition as WireCondition) : UNKNOWN) : null,
    sqlite: sqlOf(wire?.sqlite, noSql),
    postgres: sqlOf(wire?.postgres, noSql),
  });
}

/** What the policy looks at in a row; unset and null are SQL's NULL. */
export interface Row {
  readonly owner?: string | null | undefined;
  readonly tenant?: string | null | undefined;
  readonly attributes?: Readonly<Record<string, string | number | null>> | undefined;
  readonly relations?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Whether a filter selects a row that is at hand, for what no SQL can be asked about. */
export function selects(filter: FilterAnswer, row: Row): boolean {
  if (filter.kind === "all") return true;
  return filter.condition !== null && holds(filter.condition, row) === true;
}

/** Null: unknown, as in SQL. */
type Truth = boolean | null;

function holds(condition: Condition, row: Row): Truth {
  const inner = () => condition.inner.map((one) => holds(one, row));
  switch (condition.operation) {
    case "ALL":
      return all(inner());
    case "ANY":
      return not(all(inner().map(not)));
    case "NOT":
      return not(inner()[0] ?? null);
    case "IS_FALSE":
      return inner()[0] === false;
    case "PRESENT":
      return fieldOf(condition.field, row) !== null;
    case "RELATED":
      return isRelated(condition, row);
    default:
      return compare(condition, fieldOf(condition.field, row));
  }
}

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

function all(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function isRelated({ field, values }: Condition, row: Row): Truth {
  const name = field.slice("relations.".length);
  const relations = row.relations ?? {};
  if (!Object.hasOwn(relations, name)) return null;
  return relations[name]?.includes(values[0] ?? "") ?? null;
}

/** The text of a field; null if it is NULL or empty. */
function fieldOf(field: string, row: Row): string | null {
  if (field === "owner" || field === "tenant") return row[field] || null;
  const name = field.slice("attributes.".length);
  const attributes = row.attributes ?? {};
  const value = Object.hasOwn(attributes, name) ? attributes[name] : null;
  return value === null || value === undefined || value === "" ? null : String(value);
}

function compare({ operation, values, number }: Condition, value: string | null): Truth {
  if (value === null) return null;
  if (operation === "EQUALS") return value === values[0];
  if (operation === "IN") return values.includes(value);
  if (operation === "PREFIX") return values[0] === undefined ? null : value.startsWith(values[0]);
  const left = /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : NaN;
  if (!(Math.abs(left) <= 2 ** 53)) return null;
  if (operation === "LESS_THAN") return left < number;
  if (operation === "AT_MOST") return left <= number;
  if (operation === "GREATER_THAN") return left > number;
  if (operation === "AT_LEAST") return left >= number;
  return null;
}
