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

const NOTHING: Sql = Object.freeze({ where: "FALSE", parameters: Object.freeze([]) });

function conditionOf(wire: WireCondition): Condition {
  const operation = Operation[wire.operation] as ConditionOperation | undefined;
  return Object.freeze({
    operation: operation ?? "UNSPECIFIED",
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
  const some = wire?.kind === Kind.CONDITION && wire.condition !== undefined;
  const nothing = !decision.allowed || !(all || some);
  return Object.freeze({
    decision,
    kind: nothing ? "none" : all ? "all" : "condition",
    condition: !nothing && some ? conditionOf(wire.condition as WireCondition) : null,
    sqlite: sqlOf(wire?.sqlite, nothing),
    postgres: sqlOf(wire?.postgres, nothing),
  });
}
