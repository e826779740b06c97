"""A policy of the configuration, asked over the wire."""

import grpc
import pytest
import yaml
from gatehouse.v1 import authorization_service_pb2 as messages
from support.client import assert_allowed, assert_denied, status_of
from support.issuers import Issuer
from support.server import run

POLICY = {
    "roles": {"admin": {"includes": ["support"]}},
    "resources": {
        "task": {
            "tenant": "required",
            "actions": {
                "read": {"allow": ["owner", "role:support", "relation:editor", "scope:task:read"]},
                "close": {
                    "allow": [{"who": "owner", "when": [{"attribute": "status", "equals": "open"}]}],
                    "deny": [{"when": [{"attribute": "locked", "equals": "yes"}]}],
                },
                "assign": {
                    "allow": [
                        {
                            "who": "role:admin",
                            "when": [{"attribute": "team", "equals_claim": "/profile/team"}],
                        }
                    ]
                },
            },
        },
        "page": {"tenant": "none", "actions": {"read": {"allow": ["authenticated"], "public": True}}},
    },
}


@pytest.fixture
def governed(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    return make_server([issuer], policy=POLICY).wait_until_ready()


@pytest.fixture
def ask(governed, hmac_issuer):
    """ask(action, owner=..., claims=..., ...) about a task of acme's."""

    def call(action="read", owner="bob", claims=None, resource="task/7", tenant="acme", **fields):
        token = hmac_issuer.token(**{"org": "acme", **(claims or {})})
        return governed.client.authorize(
            token, resource, owner, action, tenant=tenant, **fields
        )

    return call


def test_owner_role_scope_and_relation_allow_and_nobody_else(ask):
    assert_denied(ask(), "INSUFFICIENT_PERMISSIONS")
    assert_allowed(ask(owner="ada"))
    assert_allowed(ask(claims={"roles": ["support"]}))
    assert_allowed(ask(claims={"roles": "user, admin"}))
    assert_denied(ask(claims={"roles": ["supporter", "adm", "Admin"]}), "INSUFFICIENT_PERMISSIONS")
    assert_allowed(ask(claims={"scope": "openid task:read"}))
    editors = {"editor": messages.Subjects(subjects=["eve", "ada"])}
    viewers = {"viewer": messages.Subjects(subjects=["ada"])}
    assert_allowed(ask(relations=editors))
    assert_denied(ask(relations=viewers), "INSUFFICIENT_PERMISSIONS")


def test_required_tenant_must_be_set_on_both_sides_and_equal(ask):
    assert_allowed(ask(owner="ada"))
    for fields in ({"tenant": "evil"}, {"tenant": ""}, {"claims": {"org": "evil"}}):
        assert_denied(ask(owner="ada", **fields), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask(owner="ada", claims={"org": None}), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask(owner="ada", claims={"org": None}, tenant=""), "INSUFFICIENT_PERMISSIONS")
    # Also for a role.
    assert_denied(ask(claims={"roles": ["admin"]}, tenant="evil"), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask(owner="ada", claims={"org": ["acme"]}), "TOKEN_INVALID")


def test_conditions_need_their_facts(ask):
    open_and_free = {"status": "open", "locked": "no"}
    assert_allowed(ask("close", "ada", attributes=open_and_free))
    for attributes in (
        {"status": "done", "locked": "no"},
        {"locked": "no"},
        {"status": "open"},  # unknown: a deny fires unless it is false
        {"status": "open", "locked": ""},
        {"status": "open", "locked": "yes"},
    ):
        assert_denied(ask("close", "ada", attributes=attributes), "INSUFFICIENT_PERMISSIONS")


def test_conditions_compare_with_claims_also_when_the_token_is_remembered(ask):
    admin = {"roles": ["admin"], "profile": {"team": "blue"}}
    for _ in range(2):
        assert_allowed(ask("assign", claims=admin, attributes={"team": "blue"}))
        assert_denied(
            ask("assign", claims=admin, attributes={"team": "red"}), "INSUFFICIENT_PERMISSIONS"
        )
    nobody = {"roles": ["admin"]}
    assert_denied(ask("assign", claims=nobody, attributes={"team": ""}), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask("assign", claims=nobody), "INSUFFICIENT_PERMISSIONS")


@pytest.mark.parametrize("act", [{"sub": "mallory"}, ["x"], [], "x" * 1025, "o\u0007pen"])
def test_claim_that_no_rule_can_compare_is_present(make_server, hmac_issuer, tmp_path, act):
    rules = {
        "read": {"allow": ["owner"], "deny": [{"when": [{"claim": "act", "present": True}]}]},
        "close": {"allow": [{"who": "owner", "when": [{"claim": "act", "present": False}]}]},
        "assign": {"allow": ["owner"], "deny": [{"when": [{"claim": "act", "equals": "x"}]}]},
    }
    policy = {"resources": {"task": {"tenant": "none", "actions": rules}}}
    client = make_server([hmac_issuer.config_with_file(tmp_path)], policy=policy)
    client = client.wait_until_ready().client
    plain, acting = hmac_issuer.token(), hmac_issuer.token(act=act)
    for action in rules:
        for _ in range(2):
            reply = client.authorize(acting, "task/1", "ada", action)
            assert_denied(reply, "INSUFFICIENT_PERMISSIONS")
    for action in ("read", "close"):
        assert_allowed(client.authorize(plain, "task/1", "ada", action))


def test_unknown_type_or_action_is_denied(ask):
    assert_allowed(ask("read", resource="page/1", owner=""))
    assert_denied(ask("write", resource="page/1", owner="ada"), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask("read", resource="note/1", owner="ada"), "INSUFFICIENT_PERMISSIONS")
    assert_denied(ask("", owner="ada"), "INSUFFICIENT_PERMISSIONS")


def test_explanation_lists_the_rules_and_what_each_lacked(ask):
    steps = ask(explain=True).decision.explanation
    rules = [(step.passed, step.detail) for step in steps if step.name == "rule"]
    assert rules[0] == (False, "allow[0] owner: not owner")
    assert rules[1] == (False, "allow[1] role:support: not role:support")
    assert "relation:editor is unknown" in rules[2][1]
    assert (steps[-1].name, steps[-1].passed) == ("policy", False)


def test_too_many_facts_are_a_malformed_request(ask):
    many = {str(n): "x" for n in range(65)}
    assert status_of(lambda: ask(attributes=many)) == grpc.StatusCode.INVALID_ARGUMENT
    crowd = {"editor": messages.Subjects(subjects=[str(n) for n in range(1001)])}
    assert status_of(lambda: ask(relations=crowd)) == grpc.StatusCode.INVALID_ARGUMENT
    bad = {"a": "line\nend"}
    assert status_of(lambda: ask(attributes=bad)) == grpc.StatusCode.INVALID_ARGUMENT


def test_second_issuers_equal_subject_role_and_tenant_are_strangers(
    make_server, hmac_issuer, tmp_path
):
    other = Issuer("HS256", "https://other.test")
    issuers = [
        one.config_with_file(tmp_path, claims={"tenant": "org"}) for one in (hmac_issuer, other)
    ]
    task = {**POLICY["resources"]["task"], "issuers": [hmac_issuer.issuer]}
    policy = {**POLICY, "resources": {"task": task}}
    client = make_server(issuers, policy=policy).wait_until_ready().client
    claims = {"org": "acme", "roles": ["admin"]}
    assert_allowed(client.authorize(hmac_issuer.token(**claims), "task/1", "ada", tenant="acme"))
    assert_denied(
        client.authorize(other.token(**claims), "task/1", "ada", tenant="acme"),
        "INSUFFICIENT_PERMISSIONS",
    )


def test_policy_in_a_folder_rules_and_its_mistakes_name_their_file(
    make_server, hmac_issuer, tmp_path
):
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    server = make_server([issuer], policy={"path": "policy"}, start=False)
    folder = server.folder / "policy"
    folder.mkdir()
    (folder / "roles.yaml").write_text(yaml.safe_dump({"roles": POLICY["roles"]}))
    for name, resource in POLICY["resources"].items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump({"resources": {name: resource}}))
    client = server.create_database().start().wait_until_ready().client
    token = hmac_issuer.token(org="acme", roles=["admin"])
    assert_allowed(client.authorize(token, "task/1", "bob", tenant="acme"))
    assert_denied(
        client.authorize(token, "task/1", "bob", tenant="evil"), "INSUFFICIENT_PERMISSIONS"
    )
    assert_allowed(client.authorize(token, "page/1", ""))
    (folder / "note.yaml").write_text("resources:\n  note:\n    actions: {read: {allow: [ownr]}}\n")
    checked = run("--check", server.config)
    assert checked.returncode == 1
    place = f"{folder}/note.yaml:3: resources.note.actions.read.allow[0]: must be owner"
    assert checked.stderr.count("\n") == 1 and place in checked.stderr
    for path, said in (("nowhere", "nowhere"), ("policy/note.yaml", "note.yaml:3")):
        server.config.write_text(
            server.config.read_text().replace("path: policy\n", f"path: {path}\n")
        )
        checked = run("--check", server.config)
        assert checked.returncode == 1 and said in checked.stderr
        server.config.write_text(
            server.config.read_text().replace(f"path: {path}\n", "path: policy\n")
        )


def test_several_issuers_need_the_issuers_of_each_resource(make_server, hmac_issuer, tmp_path):
    other = Issuer("HS256", "https://other.test")
    issuers = [one.config_with_file(tmp_path) for one in (hmac_issuer, other)]
    checked = run("--check", make_server(issuers, policy=POLICY, start=False).config)
    assert checked.returncode == 1
    for name in POLICY["resources"]:
        assert f"policy.resources.{name}.issuers: is required with several issuers" in checked.stderr


def test_start_is_refused_with_every_mistake_of_the_policy(make_server, hmac_issuer, tmp_path):
    policy = {"resources": {"task": {"actions": {"read": {"allow": ["role:ghost", "ownr"]}}}}}
    issuer = hmac_issuer.config_with_file(tmp_path)
    server = make_server([issuer], policy=policy, start=False)
    checked = run("--check", server.config)
    assert checked.returncode == 1
    assert 'allow[0]: the role "ghost" is not among policy.roles' in checked.stderr
    assert "allow[1]: must be owner, role:NAME" in checked.stderr
