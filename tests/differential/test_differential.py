"""Gatehouse's verdicts on a seeded set of tokens, beside those of independent
implementations. Where they part, disagreements.tsv says so of each case by name."""

import re
from pathlib import Path

import pytest

from support import programs, python_verdicts
from support.cases import Case, generate
from support.keys import ALGORITHMS

OTHERS = ("joserfc", "jose", "pyjwt")
TABLE = Path(__file__).parent / "disagreements.tsv"
COLUMNS = ["case", "implementation", "accepted by", "settled by", "why Gatehouse is right"]


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    """All of them, with what every implementation says."""
    made = generate()
    python_verdicts.verdicts(made)
    for case, answer in zip(made, programs.ask(programs.NODE, made), strict=True):
        case.verdicts["jose"] = (answer["accepted"], answer["reason"])
    for case, answer in zip(made, programs.ask(programs.GATEHOUSE, made), strict=True):
        unknown = set(answer["unknown"]) & set(ALGORITHMS)
        # Compared by what is expected, until Gatehouse knows the algorithm.
        verdict = (case.expected, "expected") if unknown else (answer["accepted"], answer["reason"])
        case.verdicts["gatehouse"] = verdict
        case.unknown = unknown
    return made


@pytest.fixture(scope="session")
def table() -> dict[tuple[str, str], list[str]]:
    lines = TABLE.read_text().splitlines()
    assert lines[0].split("\t") == COLUMNS
    rows = [line.split("\t") for line in lines[1:]]
    for row in rows:
        assert len(row) == len(COLUMNS), f"not {len(COLUMNS)} columns: {row}"
    keys = [(row[0], row[1]) for row in rows]
    assert len(keys) == len(set(keys)), "a line stands twice"
    return {(row[0], row[1]): row for row in rows}


def accepts(case: Case, implementation: str) -> bool:
    return case.verdicts[implementation][0]


def describe(case: Case) -> str:
    said = ", ".join(
        f"{name} {'accepts' if accepted else f'refuses ({reason[:80]})'}"
        for name, (accepted, reason) in sorted(case.verdicts.items())
    )
    return f"{case.name}: {said}\n    {case.token[:3000]!a}"


def test_set_is_what_it_should_be(cases):
    assert len(cases) >= 2000
    for algorithm in ALGORITHMS:
        own = [case for case in cases if case.name.startswith(f"{algorithm}/")]
        assert len(own) >= 100
        assert sum(case.expected for case in own) >= 7, algorithm


def test_gatehouse_knows_every_algorithm(cases):
    unknown = sorted(set().union(*(case.unknown for case in cases)))
    assert not unknown, f"Gatehouse does not know {', '.join(unknown)}"


def test_gatehouse_says_of_each_token_what_the_rules_say(cases):
    wrong = [case for case in cases if accepts(case, "gatehouse") != case.expected]
    assert not wrong, "Gatehouse is wrong of:\n" + "\n".join(map(describe, wrong))


@pytest.mark.parametrize("implementation", OTHERS)
def test_implementation_is_asked_as_it_should_be(cases, implementation):
    """One that refused everything would agree on nearly everything."""
    valid = [case for case in cases if re.search(r"/valid \d+$", case.name)]
    accepted = sum(accepts(case, implementation) for case in valid)
    assert accepted >= 0.9 * len(valid)
    refused = sum(not accepts(case, implementation) for case in cases if "/flip " in case.name)
    assert refused >= 600


@pytest.mark.parametrize("implementation", OTHERS)
def test_every_disagreement_is_listed_by_name(cases, table, implementation):
    new = [
        case
        for case in cases
        if accepts(case, implementation) != accepts(case, "gatehouse")
        and (case.name, implementation) not in table
    ]
    assert not new, f"{TABLE.name} lacks:\n" + "\n".join(map(describe, new))


def test_every_line_of_the_table_is_true(cases, table):
    by_name = {case.name: case for case in cases}
    for (name, implementation), (*_, accepted_by, settled_by, why) in table.items():
        assert name in by_name, f"there is no case {name}"
        assert implementation in OTHERS, name
        case = by_name[name]
        says = [who for who in ("gatehouse", implementation) if accepts(case, who)]
        assert says == [accepted_by], f"no longer so: {describe(case)}"
        assert re.match(r"RFC \d+ ", settled_by), f"{name}: {settled_by}"
        assert len(why) > 20, name


def test_figures(cases, table):
    print(f"\n{len(cases)} tokens, {sum(case.expected for case in cases)} of them good")
    for implementation in OTHERS:
        rows = [row for (_, other), row in table.items() if other == implementation]
        laxer = sum(row[2] == implementation for row in rows)
        print(f"{implementation}: {len(rows)} disagreements, in {laxer} it accepts more")
