"""Filters as SQLAlchemy expressions. Made of expressions alone; what somebody sent is only ever a
bound parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

try:
    from sqlalchemy import (
        Boolean, ColumnElement, Float, Integer, Numeric, Text, and_, cast, collate, exists, false,
        func, literal, not_, null, or_, true,
    )  # fmt: skip
except ModuleNotFoundError as error:
    if error.name != "sqlalchemy":
        raise
    raise ModuleNotFoundError(
        "gatehouse.sqlalchemy needs SQLAlchemy: pip install 'gatehouse[sqlalchemy]'",
        name="sqlalchemy",
    ) from None
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement

from gatehouse.filters import ALL, CONDITION, Condition, Filter


@dataclass(frozen=True)
class Related:
    """A table whose rows relate subjects to things: its two columns, and the thing's own id."""

    subject: Any
    resource: Any
    id: Any


@dataclass(frozen=True)
class Columns:
    owner: Any
    tenant: Any
    attributes: Mapping[str, Any]
    relations: Mapping[str, Related]

    def find(self, name: str) -> Any:
        kind, _, inner = name.partition(".")
        if kind == "attributes":
            found = self.attributes.get(inner)
        elif kind == "relations":
            found = self.relations.get(inner)
        else:
            found = {"owner": self.owner, "tenant": self.tenant}.get(name)
        if found is None:
            raise LookupError(f"the filter needs the column of {name}: give it to where()")
        return found


class Bytes(FunctionElement[str]):
    """A column as text that is compared byte by byte, whatever its type and collation."""

    type = Text()
    inherit_cache = True
    name = "gatehouse_bytes"


# The collation that compares bytes, by dialect. Of another one it is not known what it compares.
_COLLATIONS = {"sqlite": "BINARY", "postgresql": "C"}


@compiles(Bytes)  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def _compile(element: Bytes, compiler: Any, **options: Any) -> str:
    collation = _COLLATIONS.get(compiler.dialect.name)
    if collation is None:
        raise CompileError(f"gatehouse cannot filter in {compiler.dialect.name}: use SQLite or PostgreSQL")
    (column,) = element.clauses
    made: str = compiler.process(collate(cast(column, Text), collation), **options)
    return made


def where(filter: Filter, columns: Columns) -> ColumnElement[bool]:
    """What `Filter.where` gives."""
    if filter.kind == ALL:
        return true()
    if filter.kind == CONDITION:
        return _expression(filter.condition, columns)
    return false()


def _unknown() -> ColumnElement[bool]:
    return cast(null(), Boolean)


def _expression(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    operation, inner = condition.operation, condition.inner
    if operation == "all":
        return and_(true(), *(_expression(one, columns) for one in inner))
    if operation == "any":
        return or_(false(), *(_expression(one, columns) for one in inner))
    if operation in ("not", "is_false"):
        if len(inner) != 1:
            return _unknown()
        one = _expression(inner[0], columns)
        # Never unknown itself.
        return not_(one) if operation == "not" else func.coalesce(not_(one), false())
    if operation == "related":
        return _related(condition, columns)
    if operation in _NUMBERS:
        return _number(condition, columns)
    return _text(condition, columns)


def _filled(column: Any) -> Any:
    """As bytes; NULL where it is empty."""
    return func.nullif(Bytes(column), literal("", Text))


def _text(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    operation, values = condition.operation, condition.values
    if operation not in ("present", "equals", "in", "prefix"):
        return _unknown()
    column = _filled(columns.find(condition.field))
    made: ColumnElement[bool]
    if operation == "present":
        made = column.is_not(None)
    elif operation == "in":
        made = or_(false(), *(column == literal(one, Text) for one in values))
    elif len(values) != 1:
        made = _unknown()
    elif operation == "equals":
        made = column == literal(values[0], Text)
    else:
        made = func.substr(column, 1, len(values[0])) == literal(values[0], Text)
    return made


_NUMBERS = ("less_than", "at_most", "greater_than", "at_least")


def _number(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    column = columns.find(condition.field)
    if not isinstance(column.type, (Integer, Numeric)):
        raise LookupError(f"the filter compares {condition.field} as a number: its column holds none")
    number = literal(condition.number, Float)
    made: dict[str, ColumnElement[bool]] = {
        "less_than": column < number,
        "at_most": column <= number,
        "greater_than": column > number,
        "at_least": column >= number,
    }
    return made[condition.operation]


def _related(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    if len(condition.values) != 1:
        return _unknown()
    by = columns.find(condition.field)
    tables = (getattr(one, "table", None) for one in visitors.iterate(by.id))
    outer = [table for table in tables if table is not None]
    return (
        exists()
        .where(Bytes(by.subject) == literal(condition.values[0], Text))
        .where(Bytes(by.resource) == Bytes(by.id))
        .correlate(*outer)
    )
