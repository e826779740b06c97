"""The command `gatehouse` against a running server."""

import json
import os
import subprocess

import pytest

from support.issuers import URL
from support.places import program


@pytest.fixture
def gatehouse(server):
    """gatehouse(*args, token=...) -> what it did; the token goes by standard input."""

    def run(*args: str, token: str = "", target: str | None = None, **variables):
        env = {**os.environ, **variables}
        return subprocess.run(
            [str(program("gatehouse")), "--target", target or server.grpc, *args],
            input=token, capture_output=True, text=True, timeout=60, env=env,
        )  # fmt: skip

    return run


AS_OWNER = ("authorize", "--resource", "note/1", "--owner", "ada", "--action", "read")
AS_STRANGER = ("authorize", "--resource", "note/1", "--owner", "bob", "--action", "read")


def test_exit_status_is_the_verdict(gatehouse, hmac_issuer):
    token = hmac_issuer.token()
    assert gatehouse("verify", token=token).returncode == 0
    assert gatehouse("verify", token="a.b.c").returncode == 1
    assert gatehouse(*AS_OWNER, token=token).returncode == 0
    assert gatehouse(*AS_STRANGER, token=token).returncode == 1
    nobody = gatehouse("verify", token=token, target="127.0.0.1:1")
    assert nobody.returncode == 2 and nobody.stderr
    assert gatehouse("verify", "--no-such-flag", token=token).returncode == 2


def test_token_comes_from_a_file_the_environment_or_standard_input(
    gatehouse, hmac_issuer, tmp_path
):
    token = hmac_issuer.token()
    (tmp_path / "token").write_text(token + "\n")
    for done in (
        gatehouse("verify", "--token-file", str(tmp_path / "token")),
        gatehouse("verify", GATEHOUSE_TOKEN=token),
        gatehouse("verify", token=token + "\n"),
    ):
        assert done.returncode == 0, done.stderr
        assert "ada" in done.stdout
    as_argument = gatehouse("verify", token)
    assert as_argument.returncode == 2
    assert token not in as_argument.stdout + as_argument.stderr


def test_json_is_the_reply(gatehouse, hmac_issuer):
    done = gatehouse("--output", "json", "verify", token=hmac_issuer.token())
    reply = json.loads(done.stdout)
    assert reply["decision"]["code"] == "CODE_OK"
    assert reply["principal"]["subject"] == "ada"


@pytest.mark.parametrize(
    ("target", "claims"),
    [
        (("token",), {"jti": "one"}),
        (("token-id", "--issuer", URL, "two"), {"jti": "two"}),
        (("session", "--issuer", URL, "three"), {"sid": "three"}),
        (("subject", "--issuer", URL, "four"), {"sub": "four"}),
        (("subject", "--issuer", URL, "five", "--issued-until", "now"), {"sub": "five"}),
    ],
    ids=["token", "token-id", "session", "subject", "subject-until-now"],
)
def test_revoked_is_refused_and_listed(gatehouse, hmac_issuer, target, claims):
    token = hmac_issuer.token(**claims)
    assert gatehouse("verify", token=token).returncode == 0
    done = gatehouse("revoke", *target, token=token if target == ("token",) else "")
    assert done.returncode == 0, done.stderr
    assert gatehouse("verify", token=token).returncode == 1
    listed = gatehouse("revocations")
    assert listed.returncode == 0
    assert token not in listed.stdout
    if target != ("token",):
        assert next(iter(claims.values())) in listed.stdout
