"""Good tokens of each algorithm, and every kind of bad one, with their public codes."""

import json
import time

import grpc
import jwt
import pytest

from support.client import assert_allowed, assert_denied, status_of
from support.issuers import URL, Issuer, forge


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
def test_good_token_is_accepted(make_server, tmp_path, algorithm):
    issuer = Issuer(algorithm)
    server = make_server([issuer.config_with_file(tmp_path)])
    reply = server.client.verify(issuer.token(sub="ada"))
    assert_allowed(reply)
    assert (reply.principal.issuer, reply.principal.subject) == (URL, "ada")
    assert_denied(server.client.verify(Issuer(algorithm).token()), "TOKEN_INVALID")


def test_algorithm_that_is_not_on_the_list_is_refused(make_server, tmp_path):
    """Its key is in the set all the same."""
    listed, other = Issuer("EdDSA"), Issuer("ES256")
    (tmp_path / "jwks.json").write_text(json.dumps(listed.jwks(other)))
    server = make_server([listed.config({"jwks_file": str(tmp_path / "jwks.json")})])
    assert_allowed(server.client.verify(listed.token()))
    assert_denied(server.client.verify(other.token()), "TOKEN_INVALID")


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", ""])
def test_token_without_signature_is_refused(server, hmac_issuer, none):
    token = forge({"alg": none, "typ": "JWT"}, hmac_issuer.claims())
    assert_denied(server.client.verify(token), "TOKEN_INVALID")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_public_key_is_no_hmac_secret(make_server, tmp_path, algorithm):
    issuer = Issuer(algorithm)
    server = make_server([issuer.config_with_file(tmp_path)])
    for key in (issuer.public_pem(), issuer.public_pem().strip()):
        for header in ({"alg": "HS256", "kid": issuer.kid}, {"alg": "HS256"}):
            forged = forge(header, issuer.claims(), key)
            assert_denied(server.client.verify(forged), "TOKEN_INVALID")


BAD_CLAIMS = {
    "expired": ({"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}, "TOKEN_EXPIRED"),
    "no-exp": ({"exp": None}, "TOKEN_INVALID"),
    "exp-is-text": ({"exp": "tomorrow"}, "TOKEN_INVALID"),
    "no-iat": ({"iat": None}, "TOKEN_INVALID"),
    "iat-ahead": ({"iat": int(time.time()) + 3000}, "TOKEN_INVALID"),
    "not-yet": ({"nbf": int(time.time()) + 3000}, "TOKEN_INVALID"),
    "lives-too-long": ({"exp": int(time.time()) + 30 * 86400}, "TOKEN_INVALID"),
    "other-audience": ({"aud": "https://other.test"}, "TOKEN_INVALID"),
    "no-audience": ({"aud": None}, "TOKEN_INVALID"),
    "empty-audiences": ({"aud": []}, "TOKEN_INVALID"),
    "other-issuer": ({"iss": "https://other.test"}, "TOKEN_INVALID"),
    "issuer-with-slash": ({"iss": URL + "/"}, "TOKEN_INVALID"),
    "no-issuer": ({"iss": None}, "TOKEN_INVALID"),
    "no-subject": ({"sub": None}, "TOKEN_INVALID"),
    "empty-subject": ({"sub": ""}, "TOKEN_INVALID"),
}


@pytest.mark.parametrize(("changes", "code"), BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_token_with_bad_claims_is_refused(server, hmac_issuer, changes, code):
    claims = {**hmac_issuer.claims(), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    token = forge({"alg": "HS256", "typ": "JWT"}, claims, hmac_issuer.key.encode())
    assert_denied(server.client.verify(token), code)
    assert_denied(server.client.authorize(token, "note/1", "ada"), code)


def test_expired_token_with_a_bad_signature_is_only_invalid(server, hmac_issuer):
    old = {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}
    token = forge({"alg": "HS256"}, hmac_issuer.claims(**old), b"x" * 32)
    assert_denied(server.client.verify(token), "TOKEN_INVALID")


def test_request_without_token(server):
    assert_denied(server.client.verify(""), "TOKEN_MISSING")
    assert_denied(server.client.authorize("", "note/1", "ada"), "TOKEN_MISSING")


@pytest.mark.parametrize("shape", ["one part", "three parts", "a good one made long"])
def test_token_of_64_kib_is_invalid(server, hmac_issuer, shape):
    size = 64 * 1024
    token = {
        "one part": "A" * size,
        "three parts": ".".join(["A" * (size // 3)] * 3),
        "a good one made long": hmac_issuer.token(padding="A" * size),
    }[shape]
    assert len(token) >= size - 8
    assert_denied(server.client.verify(token), "TOKEN_INVALID")
    assert_denied(server.client.authorize(token, "note/1", "ada"), "TOKEN_INVALID")


def test_token_of_2_mib_is_too_much_for_grpc(server, hmac_issuer):
    token = "A" * (2 << 20)
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status_of(lambda: server.client.verify(token)) == exhausted
    assert status_of(lambda: server.client.authorize(token, "note/1", "ada")) == exhausted
    assert_allowed(server.client.verify(hmac_issuer.token()))


def test_token_that_no_text_field_may_hold(server, hmac_issuer):
    for token in ["\x00", "a.b.c", "...", " ", "Bearer " + hmac_issuer.token(), "ü.ü.ü", "\n"]:
        assert_denied(server.client.verify(token), "TOKEN_INVALID")


def test_pyjwt_and_the_server_agree_on_the_signature(server, hmac_issuer):
    """Every single changed character of the signature is refused; the last one may
    hold bits that base64url does not use."""
    token = hmac_issuer.token()
    head, signature = token.rsplit(".", 1)
    for at in range(0, len(signature), 5):
        other = "A" if signature[at] != "A" else "B"
        changed = f"{head}.{signature[:at]}{other}{signature[at + 1 :]}"
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(changed, hmac_issuer.key, ["HS256"], audience=URL)
        assert_denied(server.client.verify(changed), "TOKEN_INVALID")
