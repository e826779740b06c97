"""Requests that ask for what nobody may be given."""

import grpc
import pytest
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import revocation_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from support.client import assert_allowed, assert_denied, status_of
from support.issuers import URL

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("resource", ["", "note", "note/", "/1", "/", "note/1\n", "no\x00te/1"])
def test_malformed_resource_is_never_allowed(server, hmac_issuer, resource):
    token = hmac_issuer.token()
    with pytest.raises(grpc.RpcError) as caught:
        server.client.authorize(token, resource, owner="ada")
    assert caught.value.code() == INVALID_ARGUMENT
    assert "resource" in caught.value.details()


@pytest.mark.parametrize("owner", ["", " ", "Ada", "ada ", "adA", "bob"])
def test_owner_matches_byte_by_byte_and_empty_matches_nobody(server, hmac_issuer, owner):
    reply = server.client.authorize(hmac_issuer.token(), "note/1", owner)
    assert_denied(reply, "INSUFFICIENT_PERMISSIONS")


def test_owner_with_a_control_character_is_malformed(server, hmac_issuer):
    with pytest.raises(grpc.RpcError) as caught:
        server.client.authorize(hmac_issuer.token(), "note/1", "ada\x00")
    assert caught.value.code() == INVALID_ARGUMENT
    assert "owner" in caught.value.details()


def test_owner_may_do_everything(server, hmac_issuer):
    for action in ["", "read", "delete"]:
        for resource in ["note/1", "note/a/b/c"]:
            assert_allowed(server.client.authorize(hmac_issuer.token(), resource, "ada", action))


def test_malformed_revocation_writes_nothing(server, hmac_issuer):
    expired = hmac_issuer.token(iat=1_700_000_000, exp=1_700_000_600)
    ahead = Timestamp(seconds=4_000_000_000)
    requests = {
        "no target": messages.RevokeRequest(),
        "no token": messages.RevokeRequest(token=""),
        "bad token": messages.RevokeRequest(token="a.b.c"),
        "expired token": messages.RevokeRequest(token=expired),
        "no token id": messages.RevokeRequest(token_id=revocation_pb2.TokenIdTarget(issuer=URL)),
        "unknown issuer": messages.RevokeRequest(
            token_id=revocation_pb2.TokenIdTarget(issuer="https://other.test", token_id="1")
        ),
        "no issuer": messages.RevokeRequest(session=revocation_pb2.SessionTarget(session_id="1")),
        "no subject": messages.RevokeRequest(subject=revocation_pb2.SubjectTarget(issuer=URL)),
        "far ahead": messages.RevokeRequest(
            subject=revocation_pb2.SubjectTarget(issuer=URL, subject="ada", issued_until=ahead)
        ),
        "long reason": messages.RevokeRequest(
            token_id=revocation_pb2.TokenIdTarget(issuer=URL, token_id="1"), reason="x" * 257
        ),
        "control character": messages.RevokeRequest(
            token_id=revocation_pb2.TokenIdTarget(issuer=URL, token_id="1"), reason="a\nb"
        ),
    }
    statuses = {
        name: status_of(lambda r=r: server.client.revoke(r)) for name, r in requests.items()
    }
    assert statuses == dict.fromkeys(requests, INVALID_ARGUMENT)
    assert server.client.revocations() == []
    assert_allowed(server.client.verify(hmac_issuer.token(sub="ada", jti="1", sid="1")))


@pytest.mark.parametrize("request_fields", [{"page_size": -1}, {"page_token": "no such page"}])
def test_malformed_listing(server, request_fields):
    request = messages.ListRevocationsRequest(**request_fields)
    call = lambda: server.client.stub.ListRevocations(request, timeout=30)  # noqa: E731
    assert status_of(call) == INVALID_ARGUMENT


def test_each_target_revokes_its_own_tokens_and_no_other(server, hmac_issuer):
    good = hmac_issuer.token(sub="eve", jti="good", sid="good")
    by_token = hmac_issuer.token(sub="eve", jti="token")
    by_id = hmac_issuer.token(sub="eve", jti="id")
    by_session = hmac_issuer.token(sub="eve", sid="session")
    by_subject = hmac_issuer.token(sub="mallory")
    for token in (good, by_token, by_id, by_session, by_subject):
        assert_allowed(server.client.verify(token))
    replies = [
        server.client.revoke_token(by_token),
        server.client.revoke_token_id(URL, "id"),
        server.client.revoke_session(URL, "session"),
        server.client.revoke_subject(URL, "mallory"),
    ]
    assert [reply.revision for reply in replies] == sorted({reply.revision for reply in replies})
    for token in (by_token, by_id, by_session, by_subject):
        assert_denied(server.client.verify(token), "TOKEN_REVOKED")
    assert_allowed(server.client.verify(good))
    # Newest first, and again what was said on making them.
    assert server.client.revocations() == [reply.revocation for reply in reversed(replies)]
    again = server.client.revoke_token(by_token)
    assert again.revocation == replies[0].revocation
    assert len(server.client.revocations()) == 4
