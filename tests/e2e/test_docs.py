"""What docs/ shows of policies is true: each policy is good, each of its tests holds, and
the calls that replace a backend's own checks parse, ask, and fail closed.

A yaml block that begins with `policy:` is a policy, one that begins with `tests:` is about
the policy before it. In policy.md, all others are fragments that continue the first policy:
one that is indented its `resources:`, the rest the whole file. In migration.md, others are
other programs' files.

Each test that threat-model.md names exists, and each environment variable that is read is in
the table of operations.md.
"""

import asyncio
import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import types

import pytest
import yaml

from support.places import E2E, NODE, REPOSITORY, program
from support.readme import Fence, fences_of

README = REPOSITORY / "README.md"
DOCS = [REPOSITORY / "docs" / name for name in ("migration.md", "policy.md")]
MIGRATION, POLICY = DOCS
THREATS = REPOSITORY / "docs" / "threat-model.md"
OPERATIONS = REPOSITORY / "docs" / "operations.md"
TESTS = REPOSITORY / "tests"
VARIABLE = re.compile(r"\bGATEHOUSE_[A-Z_]*[A-Z]\b")
READERS = {
    "server": "server", "client/cli": "`gatehouse`", "client/cpp": "the clients",
    "client/python": "the clients", "client/typescript": "the clients",
}  # fmt: skip
SOURCES = {".cc", ".h", ".py", ".ts"}
NO_SOURCE = {"test", "tests", "gen", "generated", "node_modules", "build", "dist"}
CONFIG = """\
issuers:
  - issuer: https://demo.gatehouse.example
    audiences: [demo]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
    claims: {tenant: org}
revocations: {sqlite: {path: gatehouse.db}}
"""
CPP_TEST = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^(?:async )?def (test_\w+)()\(", re.MULTILINE)
STRIP = """\
const strip = require("node:module").stripTypeScriptTypes;
strip(require("node:fs").readFileSync(0, "utf8"));
"""


@dataclasses.dataclass
class Documented:
    policy: Fence
    tests: list[Fence] = dataclasses.field(default_factory=list)


def documented(text: str) -> list[Documented]:
    """The policies of a document, each with its tables of tests."""
    found = []
    for fence in fences_of(text):
        if fence.info[:1] != ["yaml"]:
            continue
        first = next((line for line in fence.lines if line.strip()), "")
        if first.startswith("policy:"):
            found.append(Documented(fence))
        elif first.startswith("tests:"):
            if not found:
                raise ValueError(f"line {fence.line}: tests of no policy")
            found[-1].tests.append(fence)
    return found


def together(base, further):
    """`further` laid over `base`: mappings are joined, all else is replaced."""
    if not (isinstance(base, dict) and isinstance(further, dict)):
        return further
    return {**base, **{key: together(base.get(key), value) for key, value in further.items()}}


def continued(text: str) -> dict:
    """The first policy of a document with all that its fragments add."""
    whole = yaml.safe_load(CONFIG)
    issuer = whole["issuers"][0]
    for fence in fences_of(text):
        if fence.info[:1] != ["yaml"] or fence.lines[0].startswith("tests:"):
            continue
        part = yaml.safe_load(fence.source)
        if fence.lines[0].startswith(" "):
            part = {"policy": {"resources": part}}
        whole = together(whole, part)
    # What the page leaves out, since it is about policies.
    whole["issuers"] = [{**issuer, **each} for each in whole["issuers"]]
    return whole


def sources(language: str) -> list[Fence]:
    return [fence for fence in fences_of(MIGRATION.read_text()) if fence.info[:1] == [language]]


def gatehouse(*args) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(program("gatehouse")), *map(str, args)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def configuration(folder, policy: Fence):
    config = folder / f"line-{policy.line}.yaml"
    config.write_text(CONFIG + policy.source)
    return config


def said(doc, fence: Fence, done: subprocess.CompletedProcess) -> str:
    return f"{doc.name}:{fence.line}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_each_policy_is_good_and_each_of_its_tests_holds(doc, tmp_path):
    policies = documented(doc.read_text())
    assert policies, f"{doc.name} has no block that begins with `policy:`"
    assert any(each.tests for each in policies), f"{doc.name} has no block of tests"
    for each in policies:
        config = configuration(tmp_path, each.policy)
        checked = gatehouse("policy", "check", "--config", config)
        assert checked.returncode == 0, said(doc, each.policy, checked)
        assert "warning:" not in checked.stdout, said(doc, each.policy, checked)
        for tests in each.tests:
            table = tmp_path / f"tests-{tests.line}.yaml"
            table.write_text(tests.source)
            tested = gatehouse("policy", "test", table, "--config", config)
            assert tested.returncode == 0, said(doc, tests, tested)


def test_fragments_of_the_policys_page_are_good_together(tmp_path):
    whole = continued(POLICY.read_text())
    table = whole["policy"]["resources"]["task"]["table"]
    assert {"owner", "relations", "commands"} <= set(table), "a fragment about it was not found"
    assert len(whole["issuers"]) > 1 and "shadow" in whole and "decision_log" in whole
    (tmp_path / whole["shadow"]["policy"]["path"]).write_text(json.dumps(whole["policy"]))
    config = tmp_path / "gatehouse.yaml"
    config.write_text(json.dumps(whole))
    checked = gatehouse("policy", "check", "--config", config)
    assert checked.returncode == 0, checked.stderr
    assert "warning:" not in checked.stdout, checked.stdout
    written = gatehouse("policy", "rls", "--config", config)
    assert written.returncode == 0, written.stderr
    for command in table["commands"]:
        assert f"CREATE POLICY gatehouse_{command} ON" in written.stdout


def test_question_that_the_policys_page_explains_is_allowed(tmp_path):
    page = POLICY.read_text()
    shell = "".join(fence.source for fence in fences_of(page) if fence.info == ["sh"])
    commands = [
        shlex.split(line, comments=True) for line in shell.replace("\\\n", " ").splitlines()
    ]
    asked = [each[1:] for each in commands if each[1:3] == ["policy", "explain"]]
    config = configuration(tmp_path, documented(page)[0].policy)
    assert asked
    for question in asked:
        done = gatehouse(*question, "--config", config)
        assert done.returncode == 0, done.stdout + done.stderr


def test_policy_of_the_readme_is_good_with_its_configuration(tmp_path):
    found = {
        fence.lines[0].split(":")[0]: fence.source
        for fence in fences_of(README.read_text())
        if fence.info == ["yaml"]
    }
    config = tmp_path / "gatehouse.yaml"
    config.write_text(found["listen"] + found["policy"])
    checked = gatehouse("policy", "check", "--config", config)
    assert checked.returncode == 0, checked.stderr
    assert "warning:" not in checked.stdout, checked.stdout
    asked = ["--subject", "ada", "--resource", "task/1", "--owner", "ada", "--action", "delete"]
    assert gatehouse("policy", "explain", *asked, "--config", config).returncode == 0


def test_each_policy_of_the_migration_notes_has_its_tests():
    without = [each.policy.line for each in documented(MIGRATION.read_text()) if not each.tests]
    assert not without, f"{MIGRATION.name}: policies without tests on lines {without}"


def names_of_tests() -> set[str]:
    """`Suite.Name` of each C++ test and the name of each Python one."""
    names = set()
    for files, pattern in [("*.cc", CPP_TEST), ("*.h", CPP_TEST), ("test_*.py", PYTHON_TEST)]:
        for file in TESTS.rglob(files):
            if "node_modules" not in file.parts:
                found = pattern.findall(file.read_text())
                names |= {".".join(filter(None, each)) for each in found}
    return names


def proofs_of(page: str) -> list[tuple[int, list[str]]]:
    """What the last column of each row of each table that ends in `proven by` names."""
    rows, inside = [], False
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("|"):
            inside = False
        elif line.endswith("| proven by |"):
            inside = True
        elif inside and not line.startswith("|-"):
            rows.append((number, re.findall(r"`([^`]+)`", line.rstrip("| ").rsplit(" | ", 1)[1])))
    return rows


def unproven(page: str) -> list[str]:
    there = names_of_tests()
    missing = []
    for number, names in proofs_of(page):
        if not names:
            missing.append(f"line {number}: names no test")
        for name in names:
            known = (REPOSITORY / name).exists() if name.startswith("tests/") else name in there
            if not known:
                missing.append(f"line {number}: {name}")
    return missing


def test_each_test_that_the_threat_model_names_exists():
    page = THREATS.read_text()
    assert len(proofs_of(page)) > 20, "the tables were not found"
    assert not unproven(page)


def test_claim_without_a_test_or_with_one_that_is_not_there_is_found():
    head = "| attack | what holds it | proven by |\n|---|---|---|\n"
    known = "| a | b | `CsrfTest.AnUpgradeIsNeverSafe`, `tests/fuzz`, `test_full_disk` |\n"
    assert unproven(head + known) == []
    wrong = "| a | b `c` | `CsrfTest.AnUpgradeIsAlwaysSafe`, `test_fuller_disk`, `tests/no` |\n"
    found = unproven(head + known + wrong + "| a | `test_full_disk` | soon |\n")
    assert found == [
        "line 4: CsrfTest.AnUpgradeIsAlwaysSafe", "line 4: test_fuller_disk", "line 4: tests/no",
        "line 5: names no test",
    ]  # fmt: skip


def variables_read() -> dict[str, set[str]]:
    """By who reads them, as the table says it: the variables that its source names."""
    defined = {name for file in REPOSITORY.glob("server/**/CMakeLists.txt")
               for name in VARIABLE.findall(file.read_text())}  # fmt: skip
    read = {}
    for folder, who in READERS.items():
        for file in (REPOSITORY / folder).rglob("*"):
            parts = file.relative_to(REPOSITORY).parts
            if file.suffix in SOURCES and not NO_SOURCE & set(parts):
                read.setdefault(who, set()).update(VARIABLE.findall(file.read_text()))
    return {who: names - defined for who, names in read.items()}


def variables_documented(page: str) -> dict[str, set[str]]:
    documented = {}
    for line in page.split("## Environment variables", 1)[1].splitlines():
        if line.startswith("| `"):
            _, names, who, *_ = line.split("|")
            documented.setdefault(who.strip(), set()).update(VARIABLE.findall(names))
    return documented


def test_each_environment_variable_is_in_the_one_table():
    read = variables_read()
    assert len(read["the clients"]) > 8, "the sources were not found"
    assert len(read["`gatehouse`"]) > 5, "the sources were not found"
    documented = variables_documented(OPERATIONS.read_text())
    for who, names in read.items():
        assert names == documented.get(who, set()), who


def test_wrong_policy_and_wrong_expectation_are_found(tmp_path):
    text = "```yaml\npolicy: {resources: {a: {actions: {b: {allow: [%s]}}}}}\n```\n"
    good, bad = (documented(text % who)[0].policy for who in ("owner", "ownr"))
    assert gatehouse("policy", "check", "--config", configuration(tmp_path, bad)).returncode == 2
    table = tmp_path / "tests.yaml"
    table.write_text("tests: [{who: {subject: a}, resource: a/1, action: b, expect: allow}]\n")
    config = configuration(tmp_path, good)
    assert gatehouse("policy", "test", table, "--config", config).returncode == 1
    with pytest.raises(ValueError, match="line 1: tests of no policy"):
        documented("```yaml\ntests: []\n```\n")


def test_python_of_the_migration_notes_compiles():
    found = sources("python")
    assert found
    for fence in found:
        compile(fence.source, f"{MIGRATION.name}:{fence.line}", "exec")


def test_typescript_of_the_migration_notes_parses():
    found = sources("ts")
    assert found
    for fence in found:
        done = subprocess.run(
            [str(NODE), "-e", STRIP], input=fence.source, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, said(MIGRATION, fence, done)


class HTTPException(Exception):
    """As FastAPI's."""

    def __init__(self, status_code, detail=None, headers=None):
        super().__init__(status_code, detail)
        self.status_code, self.headers = status_code, headers


@pytest.fixture
def governed(make_server, hmac_issuer, tmp_path):
    """A server with the last policy of the migration notes, which has a table."""
    policy = yaml.safe_load(documented(MIGRATION.read_text())[-1].policy.source)["policy"]
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    return make_server([issuer], policy=policy).wait_until_ready()


def test_python_client_of_the_migration_notes_fails_closed(governed, hmac_issuer, monkeypatch):
    stand_in = types.ModuleType("fastapi")
    stand_in.HTTPException = HTTPException
    monkeypatch.setitem(sys.modules, "fastapi", stand_in)
    names = {}
    for fence in sources("python"):
        if "class Gatehouse" in fence.source:
            exec(compile(fence.source, f"{MIGRATION.name}:{fence.line}", "exec"), names)
    token = hmac_issuer.token(org="acme")

    async def ask():
        client = names["Gatehouse"](governed.grpc)

        async def status(asked) -> HTTPException:
            with pytest.raises(HTTPException) as caught:
                await asked
            return caught.value

        facts = {"owner": "ada", "tenant": "acme"}
        answer = await client.require(token, "note/1", "read", **facts)
        assert answer.principal.subject == "ada"
        others = await status(client.require(token, "note/1", "read", owner="bob", tenant="acme"))
        assert others.status_code == 403
        nobody = await status(client.require("", "note/1", "read", **facts))
        assert (nobody.status_code, nobody.headers) == (401, {"WWW-Authenticate": "Bearer"})
        where, values = await client.rows(token, "note", "read")
        assert "$1" in where and sorted(values) == ["acme", "ada"]
        assert (await status(client.rows("a.b.c", "note", "read"))).status_code == 401
        assert (await status(client.rows(token, "note", "burn"))).status_code == 403
        governed.stop()
        assert (await status(client.require(token, "note/1", "read", **facts))).status_code == 503
        assert (await status(client.rows(token, "note", "read"))).status_code == 503

    asyncio.run(ask())


def test_typescript_client_of_the_migration_notes_fails_closed(governed, hmac_issuer, tmp_path):
    folder = tmp_path / "express"
    folder.mkdir()
    (folder / "proto").symlink_to(REPOSITORY / "proto")
    for name in ("package.json", "node_modules"):
        (folder / name).symlink_to(E2E / "readme" / name)
    client = next(fence for fence in sources("ts") if "function ask" in fence.source)
    (folder / "ask.ts").write_text(
        client.source + 'const token = process.env.TOKEN!;\nconst tenant = "acme";\n'
        'console.log(await ask(token, "note/1", "read", { owner: "ada", tenant }),\n'
        '  await ask(token, "note/1", "read", { owner: "bob", tenant }),\n'
        '  await ask("", "note/1", "read", { owner: "ada", tenant }));\ngatehouse.close();\n'
    )
    env = {
        **os.environ, "TOKEN": hmac_issuer.token(org="acme"), "GATEHOUSE_TARGET": governed.grpc,
    }  # fmt: skip

    def answers() -> str:
        done = subprocess.run(
            [str(NODE), "--experimental-strip-types", folder / "ask.ts"],
            capture_output=True, text=True, timeout=60, cwd=folder, env=env,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert answers() == "200 403 401"
    governed.stop()
    assert answers() == "503 503 503"
