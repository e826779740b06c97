"""The names that this client has in common with those of the other languages: tests/clients/cases.json."""

import dataclasses
import inspect
import json

import gatehouse
import gatehouse.fastapi
import gatehouse.sync
import pytest
from support.stand import CASES, REPOSITORY

NAMES = CASES["names"]
CLIENTS = [gatehouse.Gatehouse, gatehouse.sync.Gatehouse]


def python(group: str) -> set[str]:
    """What the table calls it in Python."""
    return {row[-2] for row in NAMES[group]} - {""}


def fields(of) -> set[str]:
    return {one.name for one in dataclasses.fields(of)}


def test_the_package_exports_what_the_table_names():
    assert set(gatehouse.__all__) == python("types") | python("errors")
    assert all(hasattr(gatehouse, name) for name in gatehouse.__all__)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_clients_have_the_calls_that_the_table_names(client):
    assert {name for name in dir(client) if not name.startswith("_")} == python("calls")


@pytest.mark.parametrize("client", [*CLIENTS, gatehouse.fastapi.Gatehouse])
def test_the_arguments_come_in_the_order_of_the_table(client):
    for call, order in NAMES["arguments"]:
        given = list(inspect.signature(getattr(client, call)).parameters)[1:]
        assert given[: len(order)] == order, call
    facts = inspect.signature(client.authorize).parameters
    assert all(facts[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("owner", "tenant"))
    for call in ("allows", "require"):
        assert list(inspect.signature(getattr(client, call)).parameters)[2:4] == ["type", "action"]


def test_a_check_has_the_fields_of_a_question_in_order():
    order = dict(NAMES["arguments"])["authorize"]
    assert [one.name for one in dataclasses.fields(gatehouse.Check)] == order[1:]


def test_settings_and_figures_are_called_as_in_the_table():
    assert fields(gatehouse.Settings) == python("settings")
    assert fields(gatehouse.Figures) == python("figures")


def test_the_documentation_shows_the_table():
    lines = set((REPOSITORY / "docs" / "clients.md").read_text().splitlines())
    for group in ("calls", "types", "errors", "figures"):
        for row in NAMES[group]:
            cells = [*row[:-3], *(f"`{name}`" if name else "-" for name in row[-3:])]
            assert f"| {' | '.join(cells)} |" in lines, json.dumps(row)
