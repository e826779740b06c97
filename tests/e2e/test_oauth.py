"""Token revocation (RFC 7009) and introspection (RFC 7662), as a library's client has them."""

import pytest
from authlib.integrations.requests_client import OAuth2Auth, OAuth2Session

from support.callers import Caller
from support.client import assert_allowed, assert_denied
from support.issuers import URL, Issuer

LISTEN = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "oauth": True}
WAYS = ("client_secret_basic", "client_secret_post", "bearer")


@pytest.fixture
def gateway(tmp_path) -> Caller:
    return Caller(tmp_path, "edge_gateway.1", ["introspect", "verify"])


@pytest.fixture
def server(make_server, hmac_issuer, tmp_path, gateway):
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    made = make_server(issuers, callers=[gateway.config], listen=LISTEN)
    return made.wait_until_ready()


class LibraryClient:
    """Authlib's, authenticating in one of the ways."""

    def __init__(self, server, caller: Caller, way: str, secret: str | None = None):
        self._base = f"http://{server.http}/oauth"
        secret = secret or caller.token
        method = way if way != "bearer" else "client_secret_basic"
        self._session = OAuth2Session(
            caller.name,
            secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
        )
        token = {"access_token": secret, "token_type": "Bearer"}
        self._auth = OAuth2Auth(token) if way == "bearer" else None

    def introspect(self, token: str, **fields):
        return self._session.introspect_token(
            f"{self._base}/introspect", token=token, auth=self._auth, timeout=30, **fields
        )

    def revoke(self, token: str, **fields):
        return self._session.revoke_token(
            f"{self._base}/revoke", token=token, auth=self._auth, timeout=30, **fields
        )


@pytest.mark.parametrize("way", WAYS)
def test_a_token_revoked_over_rfc_7009_is_inactive_and_refused(server, gateway, hmac_issuer, way):
    library, grpc = LibraryClient(server, gateway, way), gateway.client(server.grpc)
    token = hmac_issuer.token(jti="j-1", scope="read write")
    other = hmac_issuer.token(jti="j-2")

    answer = library.introspect(token, token_type_hint="access_token")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    told = answer.json()
    claims = hmac_issuer.claims()
    assert told["active"] is True and told["iss"] == URL and told["sub"] == claims["sub"]
    assert told["jti"] == "j-1" and told["scope"] == "read write"
    assert told["token_type"] == "Bearer" and told["exp"] > told["iat"]
    assert_allowed(grpc.verify(token))

    answer = library.revoke(token, token_type_hint="access_token")
    assert (answer.status_code, answer.content) == (200, b"")

    assert library.introspect(token).json() == {"active": False}
    assert_denied(grpc.verify(token), "TOKEN_REVOKED")
    assert library.introspect(other).json()["active"] is True
    assert library.revoke(token).status_code == 200, "a second time"
    assert library.revoke("no-token").status_code == 200
    grpc.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_secret_is_told_apart_from_a_bad_token(server, gateway, hmac_issuer, way):
    token = hmac_issuer.token()
    stranger = LibraryClient(server, gateway, way, secret="x" * 40)
    for answer in (stranger.introspect(token), stranger.revoke(token)):
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert LibraryClient(server, gateway, way).introspect(token).json()["active"] is True


def test_without_keys_a_token_is_not_called_inactive(make_server, gateway):
    issuer = Issuer("EdDSA")
    config = issuer.config({"jwks_url": "http://127.0.0.1:1/jwks"})
    server = make_server([config], callers=[gateway.config], listen=LISTEN)
    library = LibraryClient(server, gateway, "client_secret_basic")
    token = issuer.token()
    for answer in (library.introspect(token), library.revoke(token)):
        assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
        assert "active" not in answer.text
