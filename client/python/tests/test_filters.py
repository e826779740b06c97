"""Filters in a database: they select what Authorize allows, whatever the rows hold."""

import random

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import CompileError

from gatehouse import Code, Condition, Decision, Filter, Row
from gatehouse.filters import truth
from gatehouse.sqlalchemy import Related

ALLOW = Decision(True, Code.OK, 200)
metadata = MetaData()
# Columns that would compare otherwise if they were left to: NOCASE, and a number as an owner.
notes = Table(
    "notes", metadata, Column("id", String, primary_key=True),
    Column("owner_id", String(collation="NOCASE")), Column("org", String(collation="NOCASE")),
    Column("status", String), Column("size", Integer),
)  # fmt: skip
editors = Table(
    "editors", metadata, Column("note_id", String), Column("member", String(collation="NOCASE"))
)
COLUMNS = {
    "owner": notes.c.owner_id, "tenant": notes.c.org,
    "attributes": {"status": notes.c.status, "size": notes.c.size},
    "relations": {"editor": Related(editors.c.member, editors.c.note_id, notes.c.id)},
}  # fmt: skip
TEXTS = ["ada", "Ada", "bob", "", None, "%", "' OR 1=1 --", "ad", "ünï"]


def rows(rng, count=60):
    return [
        (
            str(number),
            Row(
                rng.choice(TEXTS), rng.choice(TEXTS),
                {"status": rng.choice(TEXTS), "size": rng.choice([None, -1, 0, 3, 10])},
                {"editor": rng.sample(["ada", "bob", "ADA", "' OR 1=1 --"], rng.randint(0, 2))},
            ),
        )
        for number in range(count)
    ]  # fmt: skip


def filled(rows):
    engine = create_engine("sqlite://")
    connection = engine.connect()
    metadata.create_all(connection)
    for id, row in rows:
        connection.execute(insert(notes).values(
            id=id, owner_id=row.owner, org=row.tenant, **row.attributes))  # fmt: skip
        for member in row.relations["editor"]:
            connection.execute(insert(editors).values(note_id=id, member=member))
    return connection


def random_condition(rng, depth=3) -> Condition:
    if depth and rng.random() < 0.6:
        operation = rng.choice(["all", "any", "not", "is_false"])
        count = 1 if operation in ("not", "is_false") else rng.randint(0, 3)
        inner = tuple(random_condition(rng, depth - 1) for _ in range(count))
        return Condition(operation, inner=inner)
    text = [one for one in TEXTS if one]
    field = rng.choice(["owner", "tenant", "attributes.status"])
    match rng.randrange(7):
        case 0:
            return Condition("equals", field, (rng.choice(text),))
        case 1:
            return Condition("in", field, tuple(rng.sample(text, 2)))
        case 2:
            return Condition("prefix", field, (rng.choice(text),))
        case 3:
            return Condition("present", field)
        case 4:
            operation = rng.choice(["less_than", "at_most", "greater_than", "at_least"])
            return Condition(operation, "attributes.size", number=rng.choice([-1.0, 0.0, 2.5, 10.0]))
        case 5:
            return Condition("related", "relations.editor", (rng.choice(text),))
        case _:
            return Condition("")  # one that this client does not know


def test_a_relation_that_a_row_does_not_name_is_unknown():
    related = Condition("related", "relations.blocked", ("ada",))
    for condition in (related, Condition("not", inner=(related,)), Condition("is_false", inner=(related,))):
        assert not Filter("condition", condition, ALLOW).matches(Row("ada"))
    assert truth(related, Row("ada", relations={"blocked": []})) is False


def test_random_conditions_select_in_sqlite_what_they_say():
    rng = random.Random(9)
    some = rows(rng)
    selected = 0
    with filled(some) as connection:
        for number in range(400):
            condition = random_condition(rng)
            made = Filter("condition", condition, ALLOW)
            found = {row.id for row in connection.execute(select(notes.c.id).where(made.where(**COLUMNS)))}
            expected = {id for id, row in some if truth(condition, row) is True}
            assert found == expected, condition
            selected += len(found)
    assert selected > 1000, "not all of them select nothing"


def test_the_servers_filters_select_what_authorize_allows(connect, stand):
    client = connect(stand)
    some = rows(random.Random(4))
    with filled(some) as connection:
        for who in ("ada", "bob", "ada-acme", "admin", "support-acme"):
            token = stand.tokens[who]
            for action in ("read", "edit", "delete", "share", "list", "fly"):
                made = client.filter(token, "note", action)
                found = {row.id for row in connection.execute(select(notes.c.id).where(made.where(**COLUMNS)))}
                allowed = {
                    id for id, row in some
                    if client.authorize(
                        token, f"note/{id}", action, owner=row.owner or "", tenant=row.tenant or "",
                        relations=row.relations, attributes={
                            "status": row.attributes["status"] or "",
                            "size": "" if row.attributes["size"] is None else str(row.attributes["size"]),
                        },
                    )
                }  # fmt: skip
                assert found == allowed == {id for id, row in some if made.matches(row)}, (who, action)
                assert made.sqlite is not None or made.kind == "none"


def test_what_somebody_sent_is_only_a_parameter():
    evil = "' OR 1=1 --"
    made = Filter("condition", Condition("equals", "owner", (evil,)), ALLOW)
    compiled = select(notes).where(made.where(**COLUMNS)).compile(dialect=postgresql.dialect())
    assert evil not in str(compiled) and evil in compiled.params.values()
    assert 'COLLATE "C"' in str(compiled)


def test_none_and_all():
    none = Filter("none", Condition("equals", "owner", ("ada",)), ALLOW)
    unknown = Filter("something new", Condition("equals", "owner", ("ada",)), ALLOW)
    everything = Filter("all", Condition(""), ALLOW)
    with filled(rows(random.Random(1), 5)) as connection:
        count = lambda made: len(list(connection.execute(select(notes).where(made.where()))))  # noqa: E731
        assert (count(none), count(unknown), count(everything)) == (0, 0, 5)


def test_a_column_that_is_not_given_is_an_error_and_no_wider_condition():
    for field, name in (("owner", "owner"), ("attributes.x", "attributes.x")):
        made = Filter("condition", Condition("equals", field, ("a",)), ALLOW)
        with pytest.raises(LookupError, match=name):
            made.where()
    number = Filter("condition", Condition("at_most", "attributes.status", number=3.0), ALLOW)
    with pytest.raises(LookupError, match="as a number"):
        number.where(**COLUMNS)


def test_a_database_that_is_not_known_to_compare_bytes_is_refused():
    made = Filter("condition", Condition("equals", "owner", ("ada",)), ALLOW)
    with pytest.raises(CompileError, match="mysql"):
        select(notes).where(made.where(**COLUMNS)).compile(dialect=mysql.dialect())
