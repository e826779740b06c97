"""The classic holes of authorization. Each test asks the honest question beside it too, so
that a server that denies everything fails here."""

import sqlite3
import unicodedata

import grpc
import pytest
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import decision_pb2
from support.client import DEADLINE, assert_allowed, assert_denied, status_of
from support.issuers import Issuer
from support.server import run

HOME, OTHER = "https://home.test", "https://other.test"
NO = "INSUFFICIENT_PERMISSIONS"
POLICY = {
    "roles": {"admin": {}, "superadmin": {"includes": ["admin"]}, "user": {}, "suspended": {}},
    "resources": {
        "task": {
            "issuers": [HOME],
            "tenant": "optional",
            "table": {
                "name": "tasks",
                "owner": "owner_id",
                "tenant": "org",
                "attributes": {"state": "state", "locked": "locked"},
                "relations": {"editor": {"table": "e", "resource": "task", "subject": "member"}},
            },
            "actions": {
                "read": {"allow": ["owner", "role:admin", "scope:task:read"]},
                "edit": {"allow": ["relation:editor"]},
                "close": {
                    "allow": ["owner", "role:admin", "relation:editor"],
                    "deny": [{"when": [{"attribute": "locked", "equals": "yes"}]}, "role:suspended"],
                },
                "move": {
                    "allow": [{"who": "owner", "when": [{"attribute": "state", "equals": "open"}]}]
                },
            },
        },
        "letter": {"issuers": [HOME], "tenant": "required", "actions": {"read": {"allow": ["owner"]}}},
        "plan": {
            "issuers": [HOME],
            "actions": {
                "read": {
                    "allow": [
                        {"who": "owner", "when": [{"claim": "department", "equals": "blue"}]}
                    ]
                }
            },
        },
        "shared": {
            "issuers": [HOME, OTHER],
            "actions": {
                "read": {"allow": ["owner", "role:admin", "scope:all", "role:user"]},
                "erase": {"allow": ["owner"], "deny": ["role:suspended"]},
            },
        },
        "page": {
            "issuers": [HOME],
            "tenant": "none",
            "actions": {"read": {"allow": ["authenticated"], "public": True}},
        },
    },
}  # fmt: skip


@pytest.fixture
def home():
    return Issuer("EdDSA", HOME)


@pytest.fixture
def other():
    return Issuer("ES256", OTHER)


@pytest.fixture
def server(make_server, home, other, tmp_path):
    anything = {"roles": "any", "scopes": "any", "tenants": "any"}
    little = {"roles": ["user", "writer"], "scopes": ["some"], "tenants": ["acme"]}
    issuers = [
        one.config_with_file(tmp_path, claims={"tenant": "org"}, may_assert=may)
        for one, may in ((home, anything), (other, little))
    ]
    return make_server(issuers, policy=POLICY).wait_until_ready()


@pytest.fixture
def ask(server, home):
    """ask(action, owner=..., claims=..., by=..., ...): may ada do this with task/7?"""

    def call(action="read", owner="ada", claims=None, resource="task/7", by=home, **fields):
        return server.client.authorize(by.token(**(claims or {})), resource, owner, action, **fields)

    return call


# ---- a second issuer ----


def test_equal_subject_of_a_second_issuer_is_a_stranger(ask, other):
    assert_allowed(ask())
    assert_denied(ask(by=other), NO)
    # Where both are named, it is the same subject, as the policy says.
    assert_allowed(ask(resource="shared/1"))
    assert_allowed(ask(resource="shared/1", by=other))
    assert_denied(ask(resource="shared/1", by=other, owner="bob"), NO)


def test_role_that_an_issuer_may_not_assert_counts_as_absent(ask, server, other):
    admin = {"roles": ["writer", "admin", "superadmin"]}
    shared = {"resource": "shared/1", "owner": "bob"}
    for _ in range(2):  # the second time, the token is remembered
        assert_allowed(ask(claims=admin, **shared))
        assert_denied(ask(claims=admin, by=other, **shared), NO)
        assert_allowed(ask(claims={"roles": ["user"]}, by=other, **shared))
    assert list(server.client.verify(other.token(**admin)).principal.roles) == ["writer"]
    for joined in ("writer, admin", "writer,admin", "writer admin"):
        assert_denied(ask(claims={"roles": joined}, by=other, **shared), NO)
        seen = server.client.verify(other.token(roles=joined)).principal
        assert list(seen.roles) == ["writer"]
    for near in ("user ", "User", "users", "use", "usеr"):  # the last with a Cyrillic е
        assert_denied(ask(claims={"roles": [near]}, by=other, **shared), NO)


def test_scope_that_an_issuer_may_not_assert_counts_as_absent(ask, server, home, other):
    claims = {"scope": "some all"}
    shared = {"resource": "shared/1", "owner": "bob"}
    assert_allowed(ask(claims=claims, **shared))
    assert_denied(ask(claims=claims, by=other, **shared), NO)
    assert list(server.client.verify(other.token(**claims)).principal.scopes) == ["some"]
    assert list(server.client.verify(home.token(**claims)).principal.scopes) == ["some", "all"]


def test_tenant_that_an_issuer_may_not_speak_for_makes_the_token_invalid(ask, server, other):
    shared = {"resource": "shared/1", "tenant": "acme"}
    assert_allowed(ask(claims={"org": "acme"}, by=other, **shared))
    assert_allowed(ask(claims={"org": "globex"}, resource="shared/1", tenant="globex"))
    for tenant in ("globex", "ACME", "acme ", "acme,globex"):
        reply = ask(claims={"org": tenant}, by=other, resource="shared/1", explain=True)
        assert_denied(reply, "TOKEN_INVALID")
        last = reply.decision.explanation[-1]
        assert (last.name, last.passed) == ("claims", False)
        assert last.detail == "the issuer may not speak for this tenant"
        assert_denied(server.client.verify(other.token(org=tenant)), "TOKEN_INVALID")


def test_explanation_says_that_something_is_not_believed(ask, other):
    def claims_step(roles):
        reply = ask(claims={"roles": roles}, by=other, resource="shared/1", explain=True)
        return next(one for one in reply.decision.explanation if one.name == "claims")

    step = claims_step(["admin", "user", "ghost"])
    assert step.passed and "without 2 roles or scopes that it may not assert" in step.detail
    assert "admin" not in step.detail and "ghost" not in step.detail
    assert "without" not in claims_step(["user"]).detail


def test_token_in_the_name_of_one_issuer_by_the_key_of_another_is_invalid(ask, home, other):
    assert_allowed(ask(resource="shared/1", by=other))
    other.kid = home.kid
    stolen = {"iss": HOME, "aud": HOME}
    assert_denied(ask(claims=stolen, by=other, resource="shared/1"), "TOKEN_INVALID")
    assert_denied(ask(claims=stolen, by=other), "TOKEN_INVALID")
    assert_allowed(ask(claims=stolen, by=home))


def test_check_warns_of_several_issuers_of_one_resource_and_needs_what_they_may_assert(
    server, make_server, home, other, tmp_path
):
    checked = run("--check", server.config)
    assert checked.returncode == 0, checked.stderr
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if "equal subject" in line]
    assert len(said) == 1 and "policy.resources.shared.issuers: names 2 issuers" in said[0]
    issuers = [one.config_with_file(tmp_path, may_assert={}) for one in (home, other)]
    unsaid = make_server(issuers, policy=POLICY, start=False)
    checked = run("--check", unsaid.config)
    assert checked.returncode == 1
    for field in ("roles", "scopes", "tenants"):
        assert f"issuers[1].may_assert.{field}: is required with several issuers" in checked.stderr


# ---- whose is it ----


def test_another_users_id_in_the_body_is_not_the_subject(ask):
    claimed = {name: "bob" for name in ("owner", "sub", "subject", "user_id", "principal")}
    assert_allowed(ask(owner="ada", attributes=claimed))
    assert_denied(ask(owner="bob", attributes=claimed), NO)
    assert_denied(ask(owner="bob", attributes={"owner": "ada", "owner_id": "ada"}), NO)
    as_relation = {"owner": messages.Subjects(subjects=["ada"])}
    assert_denied(ask(owner="bob", relations=as_relation), NO)
    assert_denied(ask(owner="bob", claims={"owner": "bob", "user_id": "bob"}), NO)


def test_owner_that_is_missing_or_empty_is_nobody(ask):
    assert_allowed(ask(owner="ada"))
    assert_denied(ask(owner=""), NO)
    for empty in ("null", "None", "undefined", "0", " "):
        assert_denied(ask(owner=empty), NO)


def test_token_without_a_subject_is_nobodys(ask):
    assert_allowed(ask())
    for subject in ("", None, 0, [], ["ada"], {"id": "ada"}, True, "ada\x00", "ada\n"):
        assert_denied(ask(owner="", claims={"sub": subject}), "TOKEN_INVALID")


def test_owner_is_compared_byte_by_byte(ask):
    cafe = "café"
    composed, decomposed = (unicodedata.normalize(form, cafe) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert_allowed(ask(owner=composed, claims={"sub": composed}))
    assert_allowed(ask(owner=decomposed, claims={"sub": decomposed}))
    assert_denied(ask(owner=decomposed, claims={"sub": composed}), NO)
    assert_denied(ask(owner=composed, claims={"sub": decomposed}), NO)
    # Case, spaces, a Cyrillic а, a full-width a, invisible characters, encodings.
    for near in ("Ada", "ADA", "ada ", " ada", "аda", "ａda", "a\u200bda", "\ufeffada", "%61da", "ad", "adaa"):  # fmt: skip
        assert_denied(ask(owner=near), NO)
        assert_allowed(ask(owner=near, claims={"sub": near}))


def test_relation_to_an_empty_subject_is_to_nobody(ask):
    def edit(*subjects):
        return ask("edit", "", relations={"editor": messages.Subjects(subjects=subjects)})

    assert_allowed(edit("", "ada"))
    for subjects in ([], [""], ["", ""], ["bob", ""], ["*"], ["%"], ["Ada"], ["ada,bob"]):
        assert_denied(edit(*subjects), NO)


# ---- wildcards and SQL ----

EVIL = ("%", "*", "_", "_da", "ad%", "' OR 1=1 --", "'; DROP TABLE tasks; --", 'x" OR "1"="1', "\\", "?", "$1")  # fmt: skip


def test_wildcards_and_sql_in_an_id_match_only_themselves(ask):
    for evil in EVIL:
        assert_denied(ask(owner=evil, resource=f"task/{evil}"), NO)
        assert_denied(ask(owner="ada", claims={"sub": evil}), NO)
        assert_allowed(ask(owner=evil, claims={"sub": evil}, resource=f"task/{evil}"))
        assert_denied(ask(evil), NO)


def test_wildcards_and_sql_select_only_their_own_rows(server, home):
    rows = sqlite3.connect(":memory:")
    rows.execute("CREATE TABLE tasks (id TEXT, owner_id TEXT, org TEXT, state TEXT, locked TEXT)")
    for number, owner in enumerate((*EVIL, "ada", "", None)):
        rows.execute("INSERT INTO tasks VALUES (?, ?, '', 'open', '')", (str(number), owner))
    for subject in (*EVIL, "ada"):
        request = messages.FilterRequest(
            token=home.token(sub=subject), resource_type="task", action="move"
        )
        sql = server.client.stub.Filter(request, timeout=DEADLINE).filter.sqlite
        values = [getattr(one, one.WhichOneof("value")) for one in sql.parameters]
        found = rows.execute(f"SELECT owner_id FROM tasks WHERE {sql.where}", values).fetchall()
        assert found == [(subject,)]
    assert rows.execute("SELECT count(*) FROM tasks").fetchone() == (len(EVIL) + 3,)
    rows.close()


# ---- roles ----


def test_role_names_that_contain_one_another_are_different(ask):
    def read(*roles):
        return ask(owner="bob", claims={"roles": list(roles)})

    assert_allowed(read("admin"))
    assert_allowed(read("superadmin"))
    for near in ("admi", "admins", "super", "superadmi", "Admin", "admin ", " admin", "admin,x", "x,admin", "admin x", "role:admin", "аdmin", "", "*"):  # fmt: skip
        assert_denied(read(near), NO)
    assert_denied(read(), NO)


def test_roles_joined_by_commas_and_spaces_are_a_list(ask, server, home):
    for joined in ("user,admin", "user, admin", "user ,admin ", " admin", "user admin", ",admin,"):
        assert_allowed(ask(owner="bob", claims={"roles": joined}))
    for joined in ("user;admin", "user|admin", "user/admin", "user.admin", "", ",", "administrator"):
        assert_denied(ask(owner="bob", claims={"roles": joined}), NO)
    roles = server.client.verify(home.token(roles="user , admin,")).principal.roles
    assert list(roles) == ["user", "admin"]


def test_roles_of_a_wrong_type_make_the_token_invalid(ask):
    assert_allowed(ask(owner="bob", claims={"roles": ["admin"]}))
    for wrong in (7, True, {"admin": True}, [["admin"]], ["admin", 7], [None]):
        assert_denied(ask(owner="bob", claims={"roles": wrong}), "TOKEN_INVALID")


def test_role_named_by_a_relation_or_attribute_is_no_role(ask):
    for name in ("admin", "role:admin", "roles"):
        subjects = {name: messages.Subjects(subjects=["ada", "admin"])}
        assert_denied(ask(owner="bob", relations=subjects), NO)
        assert_denied(ask(owner="bob", attributes={name: "admin"}), NO)
    assert_denied(ask("edit", claims={"roles": ["editor", "relation:editor"]}), NO)
    assert_denied(ask(owner="bob", claims={"scope": "admin role:admin"}), NO)
    assert_allowed(ask(owner="bob", claims={"scope": "task:read"}))
    assert_denied(ask(owner="bob", claims={"roles": ["task:read"]}), NO)


def test_nothing_beats_deny(ask):
    everything = {
        "claims": {"roles": ["superadmin", "admin"], "scope": "task:read"},
        "relations": {"editor": messages.Subjects(subjects=["ada"])},
    }
    assert_allowed(ask("close", attributes={"locked": "no"}, **everything))
    assert_denied(ask("close", attributes={"locked": "yes"}, **everything), NO)
    assert_denied(ask("close", **everything), NO)  # not said: a deny fires unless it is false
    everything["claims"]["roles"].append("suspended")
    assert_denied(ask("close", attributes={"locked": "no"}, **everything), NO)


# ---- tenants ----


def test_tenant_claim_that_is_no_string_makes_the_token_invalid(ask):
    assert_allowed(ask(resource="letter/1", claims={"org": "acme"}, tenant="acme"))
    for wrong in (["acme"], [], 7, True, {"id": "acme"}, ["acme", "evil"], "acme\x00", "ac\nme"):
        for resource in ("letter/1", "task/1", "page/1"):
            reply = ask(resource=resource, claims={"org": wrong}, tenant="acme")
            assert_denied(reply, "TOKEN_INVALID")


def test_tenant_that_is_missing_or_empty_is_none(ask):
    letter = {"resource": "letter/1"}
    assert_allowed(ask(claims={"org": "acme"}, tenant="acme", **letter))
    for claims in ({}, {"org": ""}):
        assert_denied(ask(claims=claims, tenant="acme", **letter), NO)
        assert_denied(ask(claims=claims, tenant="", **letter), NO)
        assert_denied(ask(claims=claims, tenant="acme"), NO)
        assert_allowed(ask(claims=claims, tenant=""))
    assert_denied(ask(claims={"org": "acme"}, tenant="", **letter), NO)


def test_owner_of_another_tenant_is_a_stranger(ask):
    for claims in ({"org": "acme"}, {"org": "acme", "roles": ["admin"]}):
        assert_allowed(ask(claims=claims, tenant="acme"))
        for tenant in ("evil", "Acme", "acme ", "acme,evil", "*"):
            assert_denied(ask(claims=claims, tenant=tenant), NO)
    assert_denied(ask(claims={"org": "acme"}, tenant="evil", attributes={"tenant": "acme"}), NO)


# ---- names of things ----


def test_type_is_what_stands_before_the_first_slash_byte_by_byte(ask):
    public = {"owner": "bob"}
    assert_allowed(ask(resource="page/1", **public))
    assert_denied(ask(resource="task/1", **public), NO)
    # Neither dots nor encoded slashes lead from one type to another.
    for of_task in ("task/../page/1", "task/..", "task/.", "task//page/1", "task/%2e%2e%2fpage/1", "task/1%2F..%2Fpage"):  # fmt: skip
        assert_denied(ask(resource=of_task, **public), NO)
        assert_allowed(ask(resource=of_task, owner="ada"))
    for of_page in ("page/../task/1", "page//task/1", "page/%2e%2e/task/1"):
        assert_allowed(ask(resource=of_page, **public))
    # The last three: a Cyrillic а, a full-width p, an invisible character.
    for near in ("Page", "PAGE", "page ", " page", "pages", "pag", ".", "..", "page.", "page%2F1", "%70age", "*", "pаge", "ｐage", "pa\u200bge"):  # fmt: skip
        assert_denied(ask(resource=f"{near}/1", **public), NO)


def test_resource_that_is_no_type_and_id_is_a_malformed_request(ask):
    assert_allowed(ask(resource="task/1"))
    for malformed in ("", "/", "task", "task/", "/1", "/task/1", "task%2F1", "task\\1", "task:1"):
        assert status_of(lambda: ask(resource=malformed)) == grpc.StatusCode.INVALID_ARGUMENT


def test_control_characters_are_a_malformed_request(ask):
    assert_allowed(ask(resource="task/1", owner="ada", tenant=""))
    for bad in ("\x00", "\x01", "\t", "\n", "\r", "\x1b", "\x7f", "\x80", "\x85", "\x9f"):
        for fields in (
            {"resource": f"task/1{bad}"},
            {"resource": f"task{bad}/1"},
            {"owner": f"ada{bad}"},
            {"action": f"read{bad}"},
            {"tenant": f"acme{bad}"},
            {"attributes": {"a": bad}},
            {"attributes": {f"a{bad}": "x"}},
            {"relations": {"editor": messages.Subjects(subjects=[f"ada{bad}"])}},
            {"relations": {f"editor{bad}": messages.Subjects(subjects=["ada"])}},
        ):
            assert status_of(lambda: ask(**fields)) == grpc.StatusCode.INVALID_ARGUMENT, fields


def test_unknown_type_or_action_is_denied_to_everybody(ask):
    god = {"claims": {"roles": ["superadmin", "admin"], "scope": "task:read"}}
    assert_allowed(ask("read", **god))
    for action in ("write", "Read", "READ", "read ", "rea", "*", "", "read,edit", "reаd"):
        assert_denied(ask(action, **god), NO)
    for resource in ("note/1", "Task/1", "tasks/1", "*/1", "roles/1"):
        assert_denied(ask(resource=resource, **god), NO)


# ---- facts ----


def test_attribute_named_as_a_claim_is_not_the_claim(ask):
    plan = {"resource": "plan/1"}
    assert_allowed(ask(claims={"department": "blue"}, **plan))
    for attributes in ({"department": "blue"}, {"claim:department": "blue"}, {"/department": "blue"}):
        assert_denied(ask(attributes=attributes, **plan), NO)
        assert_denied(ask(claims={"department": "red"}, attributes=attributes, **plan), NO)
    # Nor is a claim an attribute.
    assert_denied(ask("move", claims={"state": "open"}), NO)
    assert_allowed(ask("move", attributes={"state": "open"}))


def test_facts_of_one_check_do_not_reach_the_next(server, home):
    full = {
        "owner": "ada",
        "tenant": "acme",
        "attributes": {"state": "open", "locked": "no"},
        "relations": {"editor": messages.Subjects(subjects=["bob", "ada"])},
    }
    kinds = [
        ("move", full, "OK"),
        ("move", {}, NO),
        ("close", {**full, "owner": ""}, "OK"),
        ("close", {"owner": "ada"}, NO),
        ("edit", {"relations": full["relations"]}, "OK"),
        ("edit", {"owner": "ada"}, NO),
        ("move", {**full, "attributes": {"state": ""}}, NO),
        ("read", {"owner": "ada"}, "OK"),
        ("read", {"tenant": "acme"}, NO),
        ("edit", {"relations": {"viewer": full["relations"]["editor"]}}, NO),
    ]
    checks, expected = [], []
    for number in range(1000):
        # In step, and then in all orders of two.
        turn = number if number < 500 else number * number // 10
        action, facts, verdict = kinds[turn % len(kinds)]
        checks.append(messages.Check(resource=f"task/{number}", action=action, **facts))
        expected.append(f"CODE_{verdict}")
    assert len(set(expected)) == 2
    request = messages.BatchAuthorizeRequest(token=home.token(org="acme"), checks=checks)
    for _ in range(2):
        decisions = server.client.stub.BatchAuthorize(request, timeout=DEADLINE).decisions
        assert [decision_pb2.Code.Name(one.code) for one in decisions] == expected
