"""Which rows somebody may see: a condition for a database's query, as a tree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from gatehouse.decisions import Decision
    from gatehouse.sqlalchemy import Related

NONE, ALL, CONDITION = "none", "all", "condition"


@dataclass(frozen=True)
class Condition:
    """A node of the tree. An operation that this client does not know is unknown, and so
    selects nothing."""

    # all, any, not, is_false, present, equals, in, prefix, less_than, at_most,
    # greater_than, at_least, related; anything else is unknown.
    operation: str
    # owner, tenant, attributes.NAME or relations.NAME.
    field: str = ""
    values: tuple[str, ...] = ()
    number: float = 0.0
    inner: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Sql:
    """A condition for a WHERE clause, with placeholders, and what to bind to them."""

    where: str
    parameters: tuple[str | float, ...]


@dataclass(frozen=True)
class Row:
    """The facts of one row. None: NULL."""

    owner: str | None = None
    tenant: str | None = None
    attributes: Mapping[str, str | float | None] = field(default_factory=dict)
    relations: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Filter:
    """Selects the rows that `Authorize` allows, and no others."""

    # none, all or condition.
    kind: str
    condition: Condition
    decision: Decision
    # Ready SQL, if the policy names the table: ?1, ?2 and $1, $2.
    sqlite: Sql | None = None
    postgres: Sql | None = None

    def matches(self, row: Row) -> bool:
        """Whether it selects this row."""
        if self.kind == ALL:
            return True
        return self.kind == CONDITION and truth(self.condition, row) is True

    def where(
        self,
        *,
        owner: Any = None,
        tenant: Any = None,
        attributes: Mapping[str, Any] | None = None,
        relations: Mapping[str, Related] | None = None,
    ) -> ColumnElement[bool]:
        """The condition for SQLAlchemy over these columns: `select(Note).where(...)`.

        Raises LookupError if the condition needs a column that was not given."""
        from gatehouse import sqlalchemy

        columns = sqlalchemy.Columns(owner, tenant, attributes or {}, relations or {})
        return sqlalchemy.where(self, columns)


def truth(condition: Condition, row: Row) -> bool | None:
    """True, false, or None for unknown, as SQL has it."""
    operation = condition.operation
    if operation in ("all", "any"):
        inner = [truth(one, row) for one in condition.inner]
        decisive = operation == "any"
        if decisive in inner:
            return decisive
        return None if None in inner else not decisive
    if operation in ("not", "is_false"):
        if len(condition.inner) != 1:
            return None
        one = truth(condition.inner[0], row)
        if operation == "is_false":
            return one is False
        return None if one is None else not one
    if operation == "related":
        members = row.relations.get(condition.field.removeprefix("relations."))
        if members is None or len(condition.values) != 1:
            return None
        return condition.values[0] in members
    value = _value(condition.field, row)
    if operation == "present":
        return value not in (None, "")
    if value in (None, ""):
        return None
    return _compare(condition, value)


def _value(name: str, row: Row) -> str | float | None:
    if name == "owner":
        return row.owner
    if name == "tenant":
        return row.tenant
    return row.attributes.get(name.removeprefix("attributes."))


def _compare(condition: Condition, value: str | float | None) -> bool | None:
    operation, values = condition.operation, condition.values
    text = str(value)
    if operation == "equals":
        return len(values) == 1 and text == values[0]
    if operation == "in":
        return text in values
    if operation == "prefix":
        return len(values) == 1 and text.startswith(values[0])
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    if operation == "less_than":
        return number < condition.number
    if operation == "at_most":
        return number <= condition.number
    if operation == "greater_than":
        return number > condition.number
    if operation == "at_least":
        return number >= condition.number
    return None
