"""Too much at once, and too late: who floods is refused, and others are served."""

import json
import re
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from support.callers import Caller
from support.client import assert_allowed, assert_denied, messages, status_of
from support.http2 import call, connect, read_until_closed
from support.issuers import URL, Issuer
from support.waiting import wait_until

FLOOD = 3000


@pytest.fixture
def flooder(tmp_path) -> Caller:
    return Caller(tmp_path, "flooder")


@pytest.fixture
def neighbour(tmp_path) -> Caller:
    return Caller(tmp_path, "neighbour")


@pytest.fixture
def eddsa() -> Issuer:
    return Issuer("EdDSA")


@pytest.fixture
def guarded(make_server, eddsa, tmp_path, flooder, neighbour):
    issuers = [eddsa.config_with_file(tmp_path)]
    return make_server(issuers, callers=[flooder.config, neighbour.config]).wait_until_ready()


def forged(token: str) -> str:
    """Well formed, of a known kid, and unlike any other; only its signature is wrong."""
    return f"{token.rsplit('.', 1)[0]}.{secrets.token_urlsafe(64)[:85]}A"


def refused(server, reason: str) -> int:
    text = server.get("/metrics")[1]
    return int(re.search(rf'gatehouse_refused_total{{reason="{reason}"}} (\d+)', text)[1])


def test_flood_of_forged_tokens_is_denied_or_refused_and_a_neighbour_is_served(
    guarded, eddsa, flooder, neighbour
):
    token, fresh = eddsa.token(), [eddsa.token(jti=str(n)) for n in range(20)]
    client = neighbour.client(guarded.grpc)
    assert_allowed(client.verify(token))
    flood = flooder.client(guarded.grpc)
    under_way = [
        flood.stub.Verify.future(
            messages.VerifyRequest(token=forged(token)), timeout=60, metadata=flooder.metadata
        )
        for _ in range(FLOOD)
    ]
    for one in fresh:
        assert_allowed(client.verify(token))
        assert_allowed(client.verify(one))
    assert client.revoke_token(fresh[0]).revocation.actor == "neighbour"
    assert_denied(client.verify(fresh[0]), "TOKEN_REVOKED")
    assert client.serving() == "SERVING"
    told = {"denied": 0, "refused": 0}
    for one in under_way:
        error = one.exception()
        if error is None:
            assert_denied(one.result(), "TOKEN_INVALID")
            told["denied"] += 1
        else:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            told["refused"] += 1
    assert told["denied"] > 0
    assert refused(guarded, "overload") == told["refused"]
    # It is over when it is over: the flooder itself is served again.
    assert_allowed(flood.verify(eddsa.token(jti="again")))
    wait_until(
        lambda: "gatehouse_cold_calls 0\n" in guarded.get("/metrics")[1], "no cold call is left"
    )
    flood.close()
    client.close()


def test_call_whose_deadline_passes_before_its_turn_is_not_begun(guarded, eddsa, neighbour):
    """Sent byte by byte, since a client does not send what is too late already."""
    token = eddsa.token()
    headers = {"authorization": f"Bearer {neighbour.token}", "grpc-timeout": "3m"}

    def some_are_late() -> bool:
        with connect(guarded.grpc) as connection:
            requests = [messages.VerifyRequest(token=forged(token)) for _ in range(100)]
            connection.sendall(
                b"".join(
                    call(1 + 2 * n, request.SerializeToString(), headers)
                    for n, request in enumerate(requests)
                )
            )
            return refused(guarded, "deadline") > 0

    wait_until(some_are_late, "a call to wait longer for its turn than it had")
    text = guarded.get("/metrics")[1]
    assert 'gatehouse_calls_total{caller="neighbour",code="DEADLINE_EXCEEDED"}' in text


def test_own_flood_of_unknown_kids_is_refused_and_moves_no_other_caller(
    make_server, eddsa, jwks_server, tmp_path, flooder, neighbour
):
    """While the keys cannot be had, one caller's forged tokens wait in its share alone."""
    answers = jwks_server(lambda: (200, json.dumps(eddsa.jwks()).encode()))
    issuer = eddsa.config({"jwks_url": answers.url})
    server = make_server([issuer], callers=[flooder.config, neighbour.config])
    client = neighbour.client(server.grpc)
    token = eddsa.token()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: status_of(lambda: client.verify(token)))
        flood = [
            flooder.client(server.grpc).stub.Verify.future(
                messages.VerifyRequest(token=forged(eddsa.token(jti=str(n)))),
                timeout=30, metadata=flooder.metadata,
            )
            for n in range(50)
        ]  # fmt: skip
        assert asked.result() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK)
        for one in flood:
            error = one.exception()
            assert error is not None and error.code() == grpc.StatusCode.UNAVAILABLE
    answers.appear()
    wait_until(lambda: status_of(lambda: client.verify(token)) == grpc.StatusCode.OK, "the keys")
    client.close()


def test_connection_that_never_speaks_is_closed(guarded):
    host, port = guarded.grpc.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as silent:
        read_until_closed(silent)


def test_revocations_are_served_under_a_flood_of_forged_ones(guarded, eddsa, flooder, neighbour):
    token = eddsa.token()
    flood = flooder.client(guarded.grpc)
    under_way = [
        flood.stub.Revoke.future(
            messages.RevokeRequest(token=forged(token)), timeout=60, metadata=flooder.metadata
        )
        for _ in range(FLOOD)
    ]
    client = neighbour.client(guarded.grpc)
    assert client.revoke_token(token).revocation.actor == "neighbour"
    assert client.revoke_session(URL, "s1").revocation.actor == "neighbour"
    assert_denied(client.verify(token), "TOKEN_REVOKED")
    for one in under_way:
        assert one.exception().code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
    flood.close()
    client.close()
