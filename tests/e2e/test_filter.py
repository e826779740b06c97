"""Which rows: the filter in a real database's query selects what Authorize allows."""

import sqlite3

import pytest
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import filter_pb2
from support.client import DEADLINE, assert_denied, code

TABLE = {
    "name": "tasks",
    "owner": "owner_id",
    "tenant": "org",
    "attributes": {"status": "status", "size": {"name": "size", "type": "integer"}},
    "relations": {"editor": {"table": "editors", "resource": "task_id", "subject": "member"}},
}
POLICY = {
    "roles": {"support": {}, "auditor": {}},
    "resources": {
        "task": {
            "tenant": "required",
            "table": TABLE,
            "actions": {
                "read": {"allow": ["owner", "relation:editor", "role:support"]},
                "close": {
                    "allow": [{"who": "owner", "when": [{"attribute": "size", "at_most": 3}]}],
                    "deny": [{"when": [{"attribute": "status", "equals": "locked"}]}],
                },
            },
        },
        "page": {
            "tenant": "none",
            "actions": {
                "read": {"allow": ["authenticated"], "public": True},
                "edit": {"allow": ["role:auditor"]},
            },
        },
    },
}
# id, owner, tenant, status, size, editors
ROWS = [
    ("1", "ada", "acme", "open", 3, []),
    ("2", "Ada", "acme", "open", 1, ["ada"]),
    ("3", "bob", "acme", "locked", 2, ["ADA", "eve"]),
    ("4", "ada", "evil", "open", 1, ["ada"]),
    ("5", "ada", None, "open", 1, ["ada"]),
    ("6", "ada", "acme", None, 1, []),
    ("7", "ada", "acme", "", 9, []),
    ("8", None, "acme", "open", None, ["ada"]),
    ("9", "", "acme", "locked", 1, []),
    ("' OR 1=1 --", "ada", "acme", "locked", 1, []),
]


@pytest.fixture
def database():
    made = sqlite3.connect(":memory:")
    made.execute(
        "CREATE TABLE tasks (id TEXT, owner_id TEXT COLLATE NOCASE, org TEXT COLLATE NOCASE,"
        " status TEXT, size INTEGER)"
    )
    made.execute("CREATE TABLE editors (task_id TEXT, member TEXT COLLATE NOCASE)")
    for id_, owner, tenant, status, size, editors in ROWS:
        made.execute("INSERT INTO tasks VALUES (?, ?, ?, ?, ?)", (id_, owner, tenant, status, size))
        made.executemany("INSERT INTO editors VALUES (?, ?)", [(id_, one) for one in editors])
    yield made
    made.close()


@pytest.fixture
def governed(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    return make_server([issuer], policy=POLICY).wait_until_ready()


def filter_of(server, token: str, type_: str = "task", action: str = "read"):
    request = messages.FilterRequest(token=token, resource_type=type_, action=action)
    return server.client.stub.Filter(request, timeout=DEADLINE)


def selected(database, sql: filter_pb2.FilterSql) -> set[str]:
    parameters = [getattr(one, one.WhichOneof("value")) for one in sql.parameters]
    return {row[0] for row in database.execute(f"SELECT id FROM tasks WHERE {sql.where}", parameters)}


def allowed(server, token: str, action: str) -> set[str]:
    """What Authorize says of each row, given all that the row holds."""
    found = set()
    for id_, owner, tenant, status, size, editors in ROWS:
        reply = server.client.authorize(
            token, f"task/{id_}", owner or "", action, tenant=tenant or "",
            relations={"editor": messages.Subjects(subjects=editors)},
            attributes={"status": status or "", "size": "" if size is None else str(size)},
        )  # fmt: skip
        if reply.decision.code == code("OK"):
            found.add(id_)
    return found


@pytest.mark.parametrize("action", ["read", "close"])
@pytest.mark.parametrize(
    "claims",
    [{}, {"roles": ["support"]}, {"sub": "bob"}, {"org": "evil"}, {"sub": "%"}, {"sub": "' OR 1=1 --"}],
    ids=["ada", "support", "bob", "evil", "percent", "quote"],
)
def test_filter_selects_the_rows_that_authorize_allows(
    governed, hmac_issuer, database, claims, action
):
    token = hmac_issuer.token(**{"org": "acme", **claims})
    reply = filter_of(governed, token, action=action)
    assert selected(database, reply.filter.sqlite) == allowed(governed, token, action)


def test_rows_are_those_that_one_expects(governed, hmac_issuer, database):
    reply = filter_of(governed, hmac_issuer.token(org="acme"))
    assert reply.filter.kind == filter_pb2.Filter.KIND_CONDITION
    assert selected(database, reply.filter.sqlite) == {"1", "2", "6", "7", "8", "' OR 1=1 --"}
    reply = filter_of(governed, hmac_issuer.token(org="acme"), action="close")
    assert selected(database, reply.filter.sqlite) == {"1"}


def test_values_are_parameters_and_never_text(governed, hmac_issuer):
    evil = "x' OR '1'='1"
    reply = filter_of(governed, hmac_issuer.token(org="acme", sub=evil))
    for sql in (reply.filter.sqlite, reply.filter.postgres):
        assert "OR '1'" not in sql.where
        assert evil in [one.text for one in sql.parameters]


def test_token_without_the_required_tenant_selects_nothing_ever(governed, hmac_issuer, database):
    reply = filter_of(governed, hmac_issuer.token())
    assert_denied(reply, "INSUFFICIENT_PERMISSIONS")
    assert reply.filter.kind == filter_pb2.Filter.KIND_UNSPECIFIED
    assert selected(database, reply.filter.sqlite) == set()


def test_bad_token_is_a_denial_and_no_empty_list(governed, hmac_issuer):
    reply = filter_of(governed, "a.b.c")
    assert_denied(reply, "TOKEN_INVALID")
    assert not reply.HasField("filter")


def test_all_and_none_do_not_depend_on_rows(governed, hmac_issuer):
    token = hmac_issuer.token()
    assert filter_of(governed, token, "page").filter.kind == filter_pb2.Filter.KIND_ALL
    assert_denied(filter_of(governed, token, "page", "edit"), "INSUFFICIENT_PERMISSIONS")
    for type_, action in (("note", "read"), ("page", "delete"), ("page", "")):
        assert_denied(filter_of(governed, token, type_, action), "INSUFFICIENT_PERMISSIONS")
