"""Many questions about one token."""

import re

import grpc
import pytest
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import decision_pb2
from support.client import DEADLINE, assert_allowed, assert_denied


def ask(server, token: str, checks: list[dict]):
    request = messages.BatchAuthorizeRequest(
        token=token, checks=[messages.Check(**check) for check in checks]
    )
    return server.client.stub.BatchAuthorize(request, timeout=DEADLINE)


def codes(reply) -> list[str]:
    return [decision_pb2.Code.Name(one.code).removeprefix("CODE_") for one in reply.decisions]


def test_decisions_are_those_of_authorize_in_order(server, hmac_issuer):
    token = hmac_issuer.token()
    owners = ["ada", "bob", "", "Ada", "ada"] * 200
    checks = [{"resource": f"task/{n}", "owner": owner, "action": "read"}
              for n, owner in enumerate(owners)]  # fmt: skip
    reply = ask(server, token, checks)
    assert_allowed(reply)
    assert reply.principal.subject == "ada"
    assert codes(reply) == ["OK" if owner == "ada" else "INSUFFICIENT_PERMISSIONS" for owner in owners]
    assert len({one.id for one in reply.decisions}) == len(owners)
    assert {(one.effect, one.http_status) for one in reply.decisions} == {
        (decision_pb2.EFFECT_ALLOW, 200),
        (decision_pb2.EFFECT_DENY, 403),
    }
    for check, decision in list(zip(checks, reply.decisions))[:5]:
        alone = server.client.authorize(token, **check).decision
        assert (alone.code, alone.effect, alone.detail) == (
            decision.code, decision.effect, decision.detail,
        )  # fmt: skip


def test_bad_token_is_every_decision(server):
    reply = ask(server, "a.b.c", [{"resource": "task/1", "owner": "ada"}] * 3)
    assert_denied(reply, "TOKEN_INVALID")
    assert codes(reply) == ["TOKEN_INVALID"] * 3


def test_no_checks_are_no_decisions(server, hmac_issuer):
    reply = ask(server, hmac_issuer.token(), [])
    assert_allowed(reply)
    assert not reply.decisions


@pytest.mark.parametrize(
    "bad, place",
    [
        ({"resource": "task"}, "checks[1].resource"),
        ({"resource": "task/1", "owner": "a\n"}, "checks[1].owner"),
        ({"resource": "task/1", "attributes": {"a": "\0"}}, "checks[1].attributes"),
    ],
)
def test_malformed_check_fails_the_call_and_is_named(server, hmac_issuer, bad, place):
    with pytest.raises(grpc.RpcError) as caught:
        ask(server, hmac_issuer.token(), [{"resource": "task/1"}, bad])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith(place)


def test_more_than_a_thousand_checks_are_refused(server, hmac_issuer):
    with pytest.raises(grpc.RpcError) as caught:
        ask(server, hmac_issuer.token(), [{"resource": "t/1"}] * 1001)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_each_check_is_counted_by_its_own_code(server, hmac_issuer):
    def counts() -> dict[str, int]:
        family = "gatehouse_batch_checks_total"
        pairs = re.findall(rf'^{family}{{code="(\w+)"}} (\d+)$', server.get("/metrics")[1], re.MULTILINE)
        return {code: int(count) for code, count in pairs}

    before = counts()
    owners = ["ada", "bob", "bob"]
    ask(server, hmac_issuer.token(), [{"resource": "task/1", "owner": owner} for owner in owners])
    ask(server, "a.b.c", [{"resource": "task/1", "owner": "ada"}] * 4)
    added = {code: count - before[code] for code, count in counts().items()}
    assert added == {
        "OK": 1, "INSUFFICIENT_PERMISSIONS": 2, "TOKEN_INVALID": 4,
        "TOKEN_MISSING": 0, "TOKEN_EXPIRED": 0, "TOKEN_REVOKED": 0,
    }  # fmt: skip
