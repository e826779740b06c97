"""An issuer that cannot be asked is no reason to call a token bad."""

import json
import re
from types import SimpleNamespace

import grpc
import pytest
from grpc_health.v1 import health_pb2

from support.client import DEADLINE, assert_allowed, assert_denied, status_of
from support.issuers import Issuer
from support.waiting import wait_until

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture
def remote(jwks_server):
    """An issuer with its keys behind a URL, and what that URL answers."""
    issuer = Issuer("EdDSA")
    answer = SimpleNamespace(status=200, body=json.dumps(issuer.jwks()).encode())
    http = jwks_server(lambda: (answer.status, answer.body))
    return SimpleNamespace(
        issuer=issuer, http=http, answer=answer, config=issuer.config({"jwks_url": http.url})
    )


def assert_not_ready(server, remote):
    # Why is known when the first attempt has ended.
    wait_until(lambda: remote.http.url in server.get("/readyz")[1], "/readyz to name the URL")
    status, why = server.get("/readyz")
    assert status == 503 and f"{remote.issuer.issuer}: no keys" in why, why
    assert server.get("/livez")[0] == 200
    assert server.client.serving() == "NOT_SERVING"
    token = remote.issuer.token()
    # A call's own deadline may be shorter than the wait for keys; neither is a verdict.
    assert status_of(lambda: server.client.verify(token)) == UNAVAILABLE
    assert status_of(lambda: server.client.authorize(token, "note/1", "ada")) == UNAVAILABLE


def test_server_recovers_when_its_only_issuer_appears(make_server, remote):
    server = make_server([remote.config])
    assert_not_ready(server, remote)
    watch = server.client.health.Watch(
        health_pb2.HealthCheckRequest(service=""), timeout=4 * DEADLINE
    )
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING

    remote.http.appear()
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    server.wait_until_ready()
    assert_allowed(server.client.verify(remote.issuer.token()))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"),
        (200, b"<html>no key set</html>"),
        (200, b'{"keys":[]}'),
        (200, b" " * (2 << 20)),
    ],
    ids=["status-500", "not-json", "no-keys", "2-MiB"],
)
def test_server_recovers_when_the_key_set_becomes_usable(make_server, remote, status, body):
    good = remote.answer.body
    remote.answer.status, remote.answer.body = status, body
    remote.http.appear()
    server = make_server([remote.config])
    assert_not_ready(server, remote)
    remote.answer.status, remote.answer.body = 200, good
    server.wait_until_ready()
    assert_allowed(server.client.verify(remote.issuer.token()))


def test_known_keys_serve_on_while_the_issuer_is_down(make_server, remote):
    remote.http.appear()
    server = make_server([remote.config])
    server.wait_until_ready()
    assert_allowed(server.client.verify(remote.issuer.token()))
    remote.http.vanish()
    assert_allowed(server.client.verify(remote.issuer.token(jti="another")))
    assert server.get("/readyz")[0] == 200
    # A key that nobody can be asked about proves nothing.
    stranger = Issuer("EdDSA").token()
    assert status_of(lambda: server.client.verify(stranger)) == UNAVAILABLE


def test_ready_page_says_that_the_last_key_is_leaving(make_server, remote):
    remote.http.appear()
    server = make_server([remote.config])
    server.wait_until_ready()
    remote.answer.body = b'{"keys":[]}'
    # An unknown kid has the issuer asked.
    assert status_of(lambda: server.client.verify(Issuer("EdDSA").token())) == UNAVAILABLE
    assert re.search(r": 1 key, leaving in \d+ s; last attempt failed", server.get("/readyz")[1])
    assert_allowed(server.client.verify(remote.issuer.token()))


def test_unknown_key_is_a_bad_token_once_the_issuer_was_asked(make_server, remote):
    remote.http.appear()
    server = make_server([remote.config])
    server.wait_until_ready()
    assert_denied(server.client.verify(Issuer("EdDSA").token()), "TOKEN_INVALID")


def test_outage_of_one_issuer_is_not_everyones(make_server, remote, hmac_issuer, tmp_path):
    other = Issuer("HS256", issuer="https://other.test")
    server = make_server([remote.config, other.config_with_file(tmp_path)])
    server.wait_until_ready()
    _, page = server.get("/readyz")
    assert remote.issuer.issuer in page, "the page names the issuer that is down"
    assert_allowed(server.client.verify(other.token()))
    token = remote.issuer.token()
    assert status_of(lambda: server.client.verify(token)) == UNAVAILABLE
    remote.http.appear()

    def verified():
        return status_of(lambda: server.client.verify(token)) == grpc.StatusCode.OK

    wait_until(verified, "the keys of the issuer that was down")
    assert_allowed(server.client.verify(token))
