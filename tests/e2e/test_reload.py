"""A new configuration under a running server: all of it at once, or nothing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import yaml
from gatehouse.v1 import authorization_service_pb2 as messages
from support.callers import Caller
from support.client import assert_allowed, assert_denied, code, status_of
from support.issuers import Issuer
from support.reloads import (
    OWNER,
    SUPPORT,
    count,
    gauge,
    hang_up,
    policy_of,
    put,
    reload,
    settings_of,
    write,
)
from support.waiting import wait_until

CALLS = 64
RELOADS = 50


def believed(issuer: dict) -> dict:
    """With several issuers each must say what its tokens are believed."""
    return {**issuer, "may_assert": {what: ["any"] for what in ("roles", "scopes", "tenants")}}


@pytest.fixture
def issuer(hmac_issuer) -> Issuer:
    return hmac_issuer


@pytest.fixture
def governed(make_server, issuer, tmp_path):
    return make_server([issuer.config_with_file(tmp_path)], policy=OWNER).wait_until_ready()


def test_a_policy_is_replaced_by_sighup(governed, issuer):
    token = issuer.token(roles=["support"])
    assert_allowed(governed.client.authorize(token, "task/1", "ada"))
    assert_denied(governed.client.authorize(token, "task/1", "bob"), "INSUFFICIENT_PERMISSIONS")
    reload(governed, policy=SUPPORT)
    assert_allowed(governed.client.authorize(token, "task/1", "bob"))
    assert_denied(
        governed.client.authorize(issuer.token(), "task/1", "ada"), "INSUFFICIENT_PERMISSIONS"
    )
    assert 'configuration reloaded changed="policy" remembered_tokens="kept"' in governed.log
    assert gauge(governed, "last_reload_successful") == 1


def test_a_policy_is_replaced_when_the_file_is(governed, issuer):
    token = issuer.token(roles=["support"])
    put(governed, policy=SUPPORT)
    wait_until(lambda: count(governed, "ok") == 1, "the changed file to be read")
    assert_allowed(governed.client.authorize(token, "task/1", "bob"))


BAD = {
    "syntax": (lambda text: text + "\n  - [}", "gatehouse.yaml:"),
    "unknown field": (lambda text: text + "\npolicies: {}\n", "policies"),
    "unknown role": (
        lambda text: text.replace("- owner", "- role:ghost"),
        'the role \\"ghost\\" is not among policy.roles',
    ),
    "missing policy file": (
        lambda text: yaml.safe_dump({**yaml.safe_load(text), "policy": {"path": "nowhere.yaml"}}),
        "policy",
    ),
    "missing secret": (lambda text: text.replace(".secret", ".secretive"), ".secretive"),
    "empty": (lambda text: "", "gatehouse.yaml"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_leaves_the_old_one_in_force_until_it_is_mended(governed, issuer, how):
    spoil, finding = BAD[how]
    good = governed.config.read_text()
    loaded = gauge(governed, "last_reload_timestamp_seconds")
    assert loaded > 0
    write(governed, spoil(good))
    wait_until(lambda: count(governed, "refused") == 1, "the bad file to be refused")
    hang_up(governed, "refused")
    assert gauge(governed, "last_reload_successful") == 0
    assert gauge(governed, "last_reload_timestamp_seconds") == loaded
    refusals = [line for line in governed.log.splitlines() if "configuration refused" in line]
    assert any(" error " in line and finding in line for line in refusals), refusals
    assert_allowed(governed.client.authorize(issuer.token(), "task/1", "ada"))
    assert governed.get("/readyz")[0] == 200
    put_back = yaml.safe_load(good)
    write(governed, yaml.safe_dump({**put_back, "policy": SUPPORT}))
    wait_until(lambda: count(governed, "ok") == 1, "the mended file to be read")
    assert gauge(governed, "last_reload_successful") == 1
    assert_denied(
        governed.client.authorize(issuer.token(), "task/1", "ada"), "INSUFFICIENT_PERMISSIONS"
    )


def test_callers_come_and_go_at_once_and_keep_their_counts(make_server, issuer, tmp_path):
    first, second = Caller(tmp_path, "first"), Caller(tmp_path, "second")
    server = make_server([issuer.config_with_file(tmp_path)], callers=[first.config])
    server.wait_until_ready()
    old, new = first.client(server.grpc), second.client(server.grpc)
    assert_allowed(old.verify(issuer.token()))
    assert status_of(lambda: new.verify(issuer.token())) == grpc.StatusCode.UNAUTHENTICATED
    reload(server, callers=[second.config])
    assert status_of(lambda: old.verify(issuer.token())) == grpc.StatusCode.UNAUTHENTICATED
    for _ in range(3):
        assert_allowed(new.verify(issuer.token()))
    metrics = server.get("/metrics")[1]
    assert 'gatehouse_calls_total{caller="first",code="OK"} 1\n' in metrics
    assert 'gatehouse_calls_total{caller="second",code="OK"} 3\n' in metrics
    reload(server, callers=[second.config, first.config])
    assert_allowed(old.verify(issuer.token()))
    assert 'gatehouse_calls_total{caller="first",code="OK"} 2\n' in server.get("/metrics")[1]
    # A right that is taken is taken at once too.
    reload(server, callers=[{**second.config, "may": ["revoke"]}])
    assert status_of(lambda: new.verify(issuer.token())) == grpc.StatusCode.PERMISSION_DENIED
    old.close()
    new.close()


def test_issuers_come_and_go(governed, issuer, tmp_path):
    policy = policy_of("owner")
    policy["resources"]["task"]["issuers"] = [issuer.issuer]
    other = Issuer("EdDSA", "https://other.test")
    one, two = settings_of(governed)["issuers"][0], other.config_with_file(tmp_path)
    health = governed.client.serving
    token, others = issuer.token(), other.token()
    assert_denied(governed.client.verify(others), "TOKEN_INVALID")
    assert status_of(lambda: health(other.issuer)) == grpc.StatusCode.NOT_FOUND

    reload(governed, issuers=[believed(one), believed(two)], policy=policy)
    assert_allowed(governed.client.verify(others))
    assert_allowed(governed.client.verify(token))
    wait_until(
        lambda: status_of(lambda: health(other.issuer)) == grpc.StatusCode.OK
        and health(other.issuer) == "SERVING",
        "health to know the new issuer",
    )
    assert other.issuer in governed.get("/readyz")[1]

    reload(governed, issuers=[one], policy=OWNER)
    assert_denied(governed.client.verify(others), "TOKEN_INVALID")
    assert_allowed(governed.client.verify(token))
    wait_until(
        lambda: status_of(lambda: health(other.issuer)) == grpc.StatusCode.NOT_FOUND,
        "health to forget the issuer",
    )
    assert health(issuer.issuer) == health() == "SERVING"
    assert other.issuer not in governed.get("/readyz")[1] + governed.get("/metrics")[1]


def test_a_remembered_token_is_refused_when_it_is_no_longer_for_its_issuers_audience(
    governed, issuer
):
    token = issuer.token()
    for _ in range(3):
        assert_allowed(governed.client.verify(token))
    one = settings_of(governed)["issuers"][0]
    reload(governed, issuers=[{**one, "audiences": ["https://elsewhere.test"]}])
    assert_denied(governed.client.verify(token), "TOKEN_INVALID")
    reload(governed, issuers=[one])
    assert_allowed(governed.client.verify(token))


def test_a_revocation_outlives_every_reload(governed, issuer):
    one = settings_of(governed)["issuers"][0]
    tokens = [issuer.token(jti=f"t{n}") for n in range(3)]
    for token in tokens:
        assert_allowed(governed.client.verify(token))
    governed.client.revoke_token_id(issuer.issuer, "t0")
    reload(governed, policy=SUPPORT)
    assert_denied(governed.client.verify(tokens[0]), "TOKEN_REVOKED")
    governed.client.revoke_token(tokens[1])
    reload(governed, issuers=[{**one, "skew": "20s"}])
    for token in tokens[:2]:
        assert_denied(governed.client.verify(token), "TOKEN_REVOKED")
    assert_allowed(governed.client.verify(tokens[2]))


def test_keys_behind_a_url_are_not_fetched_anew(make_server, jwks_server, tmp_path):
    issuer = Issuer("ES256")
    fetches = []

    def answer():
        fetches.append(1)
        return 200, json.dumps(issuer.jwks()).encode()

    keys = jwks_server(answer).appear()
    server = make_server([issuer.config({"jwks_url": keys.url})]).wait_until_ready()
    before = len(fetches)
    keys.vanish()
    for lifetime in ("1h", "2h", "3h"):
        one = settings_of(server)["issuers"][0]
        reload(server, issuers=[{**one, "max_token_lifetime": lifetime}])
        assert_allowed(server.client.verify(issuer.token()))
        assert server.client.serving(issuer.issuer) == "SERVING"
    assert len(fetches) == before


@pytest.mark.parametrize("field", ["listen.grpc", "listen.http", "revocations.sqlite.path"])
def test_what_needs_a_restart_is_refused_by_name_and_takes_nothing_with_it(
    governed, issuer, field
):
    section = field.split(".")[0]
    settings = settings_of(governed)[section]
    if section == "listen":
        settings[field.split(".")[1]] = "127.0.0.1:7999"
    else:
        settings["sqlite"]["path"] = "elsewhere.db"
    put(governed, policy=SUPPORT, **{section: settings})
    hang_up(governed, "refused")
    # What it writes comes by another way than what it counts.
    wait_until(lambda: f'finding="{field}: ' in governed.log, "that the field is named")
    lines = [line for line in governed.log.splitlines() if f'finding="{field}: ' in line]
    assert "needs a restart" in lines[0]
    assert_allowed(governed.client.authorize(issuer.token(), "task/1", "ada"))


def test_calls_in_flight_under_many_reloads_are_answered_by_the_old_or_the_new(governed, issuer):
    """A batch is one call: each of its checks is answered by the same policy."""
    done = threading.Event()
    one = settings_of(governed)["issuers"][0]
    checks = [
        messages.Check(resource="task/1", owner=owner, action="read") for owner in ("ada", "bob")
    ]
    request = messages.BatchAuthorizeRequest(checks=checks * 100)
    ok, denied = code("OK"), code("INSUFFICIENT_PERMISSIONS")
    by_owner, by_support = (ok, denied), (ok, ok)

    def ask(number: int) -> list[tuple[int, int]]:
        answers = []
        while not done.is_set():
            # A token is new to the server now and then, and waits for its turn.
            token = issuer.token(roles=["support"], jti=f"{number}-{len(answers) // 5}")
            reply = governed.client.stub.BatchAuthorize(
                messages.BatchAuthorizeRequest(token=token, checks=request.checks), timeout=60
            )
            codes = tuple(decision.code for decision in reply.decisions)
            assert codes == codes[:2] * 100, codes
            answers.append(codes[:2])
        return answers

    with ThreadPoolExecutor(CALLS) as pool:
        askers = [pool.submit(ask, number) for number in range(CALLS)]
        try:
            for n in range(RELOADS):
                # Every other time the issuer changes too, and all tokens are forgotten.
                changed = {**one, "skew": f"{10 + n // 2 % 5}s"}
                reload(governed, policy=(SUPPORT, OWNER)[n % 2], issuers=[changed])
        finally:
            done.set()
        answers = [asker.result() for asker in askers]
    assert all(answers)
    seen = {answer for some in answers for answer in some}
    assert seen == {by_owner, by_support}
    assert count(governed, "ok") >= RELOADS
    assert count(governed, "refused") == 0
    print(f"{sum(map(len, answers))} answers under {count(governed, 'ok')} reloads")
