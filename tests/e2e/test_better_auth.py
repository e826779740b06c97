"""Gatehouse on the tokens of a real Better Auth, configured by its JWKS URL alone."""

import base64
import json
import time

import pytest

from support.better_auth import BetterAuth, Person
from support.client import assert_allowed, assert_denied
from support.waiting import wait_until


def claims_of(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.fixture
def ada(better_auth) -> Person:
    return Person(better_auth, "ada")


@pytest.fixture
def server(make_server, better_auth):
    return make_server([better_auth.config()])


def test_verify_says_who_it_is(server, better_auth, ada):
    token = ada.token()
    reply = server.client.verify(token, with_claims=True)
    assert_allowed(reply)
    who = reply.principal
    assert (who.issuer, who.subject, who.email) == (better_auth.url, ada.id, ada.email)
    claims = claims_of(token)
    assert who.issue_time.seconds == claims["iat"]
    assert who.expire_time.seconds == claims["exp"]
    assert json.loads(who.claims) == claims
    # The plugin's defaults name none of these.
    assert (who.session_id, who.token_id, who.tenant, list(who.roles)) == ("", "", "", [])


def test_owner_is_allowed_and_another_is_refused(server, better_auth, ada):
    token, bob = ada.token(), Person(better_auth, "bob")
    assert_allowed(server.client.authorize(token, "note/1", owner=ada.id))
    reply = server.client.authorize(token, "note/1", owner=bob.id)
    assert_denied(reply, "INSUFFICIENT_PERMISSIONS")
    assert reply.principal.subject == ada.id
    assert_denied(
        server.client.authorize(bob.token(), "note/1", ada.id), "INSUFFICIENT_PERMISSIONS"
    )


def test_revoked_subject_stays_out_until_a_new_sign_in(server, better_auth, ada):
    token, bobs = ada.token(), Person(better_auth, "bob").token()
    assert_allowed(server.client.verify(token))

    until = int(time.time())
    made = server.client.revoke_subject(better_auth.url, ada.id, until).revocation
    assert_denied(server.client.verify(token), "TOKEN_REVOKED")
    assert_denied(server.client.authorize(token, "note/1", ada.id), "TOKEN_REVOKED")
    assert_allowed(server.client.verify(bobs))

    server.restart()
    assert_denied(server.client.verify(token), "TOKEN_REVOKED")
    assert_denied(server.client.authorize(token, "note/1", ada.id), "TOKEN_REVOKED")
    assert_allowed(server.client.verify(bobs))
    assert server.client.revocations() == [made]

    def sign_in_again():
        ada.sign_in()
        new = ada.token()
        return new if claims_of(new)["iat"] > until else None

    new = wait_until(sign_in_again, "a token of a later second")
    assert_allowed(server.client.verify(new))
    assert_allowed(server.client.authorize(new, "note/1", owner=ada.id))
    assert_denied(server.client.verify(token), "TOKEN_REVOKED")


def test_revoked_token_leaves_the_other_one_good(server, ada):
    first = ada.token()
    iat = claims_of(first)["iat"]

    # Without a jti, two tokens of one second are one and the same.
    def another():
        token = ada.token()
        return token if claims_of(token)["iat"] > iat else None

    second = wait_until(another, "a token of a later second")
    server.client.revoke_token(first)
    assert_denied(server.client.verify(first), "TOKEN_REVOKED")
    assert_allowed(server.client.verify(second))


def test_new_signing_key_is_found_without_a_restart(server, better_auth, ada):
    old = ada.token()
    assert_allowed(server.client.verify(old))
    better_auth.expire_keys()
    new = ada.token()
    assert old.split(".")[0] != new.split(".")[0], "the header names another key"
    assert_allowed(server.client.verify(new))
    assert_allowed(server.client.verify(old))


def test_claims_of_define_payload_reach_the_principal(make_server, tmp_path):
    auth = BetterAuth(tmp_path / "auth", "--payload")
    try:
        server = make_server([auth.config()])
        ada = Person(auth, "ada")
        token = ada.token()
        reply = server.client.verify(token)
        assert_allowed(reply)
        claims = claims_of(token)
        who = reply.principal
        assert (who.subject, who.session_id, who.token_id, list(who.roles)) == (
            ada.id, claims["sid"], claims["jti"], ["member"],
        )  # fmt: skip
        server.client.revoke_session(auth.url, claims["sid"])
        assert_denied(server.client.verify(token), "TOKEN_REVOKED")
        assert_denied(server.client.verify(ada.token()), "TOKEN_REVOKED")
        ada.sign_in()
        assert_allowed(server.client.verify(ada.token()))
    finally:
        auth.stop()
