"""The command `gatehouse` to a server with TLS."""

import os
import subprocess

import pytest

from support.certificates import Authority, Files, put
from support.places import program

OPS = "spiffe://cluster.local/ns/ops/sa/ops"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def stage(make_server, hmac_issuer, authority, tmp_path):
    """run(*options, **variables) -> what `gatehouse verify` of a good token did."""
    files = Files(tmp_path / "tls", authority.server(), authority.pem)
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)],
        listen={"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "tls": files.config},
        callers=[{"name": "ops", "spiffe_ids": OPS, "may": ["verify"]}],
    )
    pair = authority.client(OPS)
    put(tmp_path / "ca.pem", authority.pem)
    put(tmp_path / "ops.pem", pair.chain)
    put(tmp_path / "ops.key", pair.key)
    put(tmp_path / "other.key", authority.client(OPS).key)
    put(tmp_path / "stranger-ca.pem", Authority("stranger").pem)

    def run(*options: str, target: str = "", **variables):
        return subprocess.run(
            [str(program("gatehouse")), "--target", target or server.grpc, "--timeout", "3s", "verify", *options],
            input=hmac_issuer.token(), capture_output=True, text=True, timeout=60, cwd=tmp_path,
            env={**os.environ, **variables},
        )  # fmt: skip

    run.server = server
    run.secrets = [*pair.key.splitlines()[1:-1], (tmp_path / "other.key").read_text().splitlines()[1]]
    return run


OWN = ("--cert-file", "ops.pem", "--key-file", "ops.key")


def test_a_caller_with_a_certificate_is_answered(stage):
    done = stage("--ca-file", "ca.pem", *OWN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada" in done.stdout
    done = stage(GATEHOUSE_CA_FILE="ca.pem", GATEHOUSE_CERT_FILE="ops.pem", GATEHOUSE_KEY_FILE="ops.key")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_servers_name_may_be_another_than_the_targets(stage):
    target = "127.0.0.2:" + stage.server.grpc.rpartition(":")[2]
    assert stage("--ca-file", "ca.pem", *OWN, "--server-name", "localhost").returncode == 0
    wrong = stage("--ca-file", "ca.pem", *OWN, "--server-name", "elsewhere.example")
    assert wrong.returncode == 2 and "--server-name" in wrong.stderr
    assert stage("--ca-file", "ca.pem", *OWN, target=target).returncode == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "If the server speaks TLS, name its CA with --ca-file"),
        (("--ca-file", "ca.pem"), "--cert-file is one that it trusts"),
        (("--ca-file", "stranger-ca.pem", *OWN), "See that --ca-file vouches"),
        (("--ca-file", "missing.pem"), "--ca-file: missing.pem"),
        (("--ca-file", "ops.key"), "--ca-file: ops.key:1: "),
        (("--ca-file", "ca.pem", "--cert-file", "ops.pem"), "go together"),
        (("--ca-file", "ca.pem", "--cert-file", "ops.pem", "--key-file", "other.key"),
         "other.key is not the key of the certificate in ops.pem"),
        (OWN, "--cert-file needs --ca-file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_the_option_to_look_at(stage, options, words):
    done = stage(*options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert not any(secret in done.stderr for secret in stage.secrets)


def test_a_file_that_was_named_and_is_empty_is_no_leave_to_speak_plaintext(stage):
    for option in ("--ca-file", "--cert-file", "--key-file"):
        for given in ((option, ""), (f"{option}=",)):
            done = stage(*given)
            assert done.returncode == 2 and "connect" not in done.stderr
            assert option in done.stderr


def test_a_key_that_is_given_in_the_place_of_its_file_is_not_shown(stage, tmp_path):
    pem = (tmp_path / "ops.key").read_text()
    lines = pem.splitlines()[1:-1]
    for key in (pem, pem.replace("\n", " "), "".join(lines)):
        for option in ("--ca-file", "--cert-file", "--key-file"):
            variable = "GATEHOUSE_" + option.strip("-").replace("-", "_").upper()
            for done in (stage(option, key), stage(**{variable: key})):
                assert done.returncode == 2 and "takes the name of a file" in done.stderr
                assert not any(line in done.stderr for line in lines)
