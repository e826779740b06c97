"""What keeps the server from starting: each with a message that names the place."""

import os
import signal
import socket
import sqlite3

import pytest

from support import leaks
from support.server import run

GOOD = """\
listen:
  grpc: "127.0.0.1:0"
  http: "127.0.0.1:0"
issuers:
  - issuer: https://issuer.test
    audiences: [https://issuer.test]
    algorithms: [EdDSA]
    keys:
      jwks_url: https://issuer.test/jwks
revocations:
  sqlite:
    path: gatehouse.db
"""

# What is replaced by what; the line and the field that the message must name.
MISTAKES = {
    "unknown section": ("revocations:", "revocation:", 10, "revocation"),
    "unknown field": ("  grpc:", "  grcp:", 2, "grcp"),
    "unknown field of an issuer": ("    audiences:", "    audience:", 6, "audience"),
    "unknown field of keys": ("      jwks_url:", "      jwks_uri:", 9, "jwks_uri"),
    "unknown field deep down": ("    path:", "    file:", 12, "file"),
    "unknown algorithm": ("[EdDSA]", "[EdDSA, none]", 7, "algorithms"),
    "text for a list": ("[EdDSA]", "EdDSA", 7, "algorithms"),
    "list for a text": ("  grpc: \"127.0.0.1:0\"", "  grpc: [a, b]", 2, "grpc"),
    "no port": ("  grpc: \"127.0.0.1:0\"", "  grpc: \"127.0.0.1\"", 2, "grpc"),
    "port too large": ("  grpc: \"127.0.0.1:0\"", "  grpc: \"127.0.0.1:65536\"", 2, "grpc"),
    "not loopback": ("  grpc: \"127.0.0.1:0\"", "  grpc: \"0.0.0.0:0\"", 2, "grpc"),
    "no audience": ("[https://issuer.test]", "[]", 6, "audiences"),
    "empty audience": ("[https://issuer.test]", '[""]', 6, "audiences"),
    "plain http": ("https://issuer.test/jwks", "http://issuer.test/jwks", 9, "jwks_url"),
    "two sources of keys": (
        "      jwks_url:", "      jwks_file: a.json\n      jwks_url:", None, "keys",
    ),
    "repeated field": ("  http:", "  grpc: \"127.0.0.1:0\"\n  http:", 3, "grpc"),
    "not a duration": ("    path: gatehouse.db\n", "    path: gatehouse.db\n  keep: soon\n", 13, "keep"),
    "mistyped flag": ("    keys:", "    allow_missing_iat: perhaps\n    keys:", 8, "allow_missing_iat"),
    "tab": ("  grpc:", "\tgrpc:", 2, ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_the_configuration_is_named_with_file_line_and_field(tmp_path, mistake):
    old, new, line, field = MISTAKES[mistake]
    assert GOOD.count(old) >= 1
    config = tmp_path / "gatehouse.yaml"
    config.write_text(GOOD.replace(old, new, 1))
    place = f"{config}:{line}:" if line else f"{config}:"
    for args in (["--check", config], ["--config", config]):
        result = run(*args)
        assert result.returncode not in (0, None) and result.returncode > 0
        named = [text for text in result.stderr.splitlines() if place in text and field in text]
        assert named, f"no line names {place} and {field!r}:\n{result.stderr}"


def test_good_configuration_passes_the_check(tmp_path):
    config = tmp_path / "gatehouse.yaml"
    config.write_text(GOOD)
    result = run("--check", config)
    assert result.returncode == 0, result.stderr


def test_all_mistakes_are_told_at_once(tmp_path):
    config = tmp_path / "gatehouse.yaml"
    config.write_text(GOOD.replace("  grpc:", "  grcp:").replace("    path:", "    file:"))
    result = run("--check", config)
    assert result.returncode > 0
    assert f"{config}:2:" in result.stderr and f"{config}:12:" in result.stderr


@pytest.mark.parametrize("flag", ["--config", "--check"])
def test_missing_configuration_is_named(tmp_path, flag):
    result = run(flag, tmp_path / "missing.yaml")
    assert result.returncode > 0
    assert str(tmp_path / "missing.yaml") in result.stderr


def test_a_configuration_without_its_flag_is_told_which(tmp_path):
    config = tmp_path / "gatehouse.yaml"
    config.write_text(GOOD)
    for args in ([config], ["--create-database", config]):
        result = run(*args)
        assert result.returncode == 2
        assert result.stderr == (
            f'gatehouse-server: unexpected argument "{config}": did you mean --config {config}?\n'
        )
    result = run("--config", config, "other.yaml")
    assert result.returncode == 2
    assert result.stderr == 'gatehouse-server: unexpected argument "other.yaml"\n'
    result = run("--confg", config)
    assert result.returncode == 2
    assert "--confg" in result.stderr and "did you mean" not in result.stderr
    assert not (tmp_path / "gatehouse.db").exists()


def start_fails(server, *wanted: str) -> str:
    status = server.launch().wait()
    assert status > 0, f"exit status {status}\n{server.log}"
    for text in wanted:
        assert text in server.log, f"{text!r} is not in:\n{server.log}"
    return server.log


@pytest.mark.parametrize("source", ["secret_file", "jwks_file"])
def test_missing_file_with_keys_is_named(make_server, hmac_issuer, tmp_path, source):
    config = hmac_issuer.config({source: str(tmp_path / "missing")})
    if source == "jwks_file":
        config["algorithms"] = ["EdDSA"]
    server = make_server([config], start=False).create_database()
    start_fails(server, str(tmp_path / "missing"))


def test_missing_variable_with_a_secret_is_named(make_server, hmac_issuer):
    server = make_server([hmac_issuer.config({"secret_env": "NO_SUCH_SECRET"})], start=False)
    start_fails(server.create_database(), "NO_SUCH_SECRET")


@pytest.mark.parametrize("secret", ["short but not on a list 31 b.!!", "ab" * 32, ""])
@pytest.mark.parametrize("source", ["secret_file", "secret_env"])
def test_weak_hmac_secret_stops_the_start(make_server, hmac_issuer, tmp_path, source, secret):
    assert len(secret) != 31 or secret == leaks.remember(secret)
    path = tmp_path / "weak.secret"
    path.write_text(secret)
    place = str(path) if source == "secret_file" else "WEAK_SECRET"
    config = hmac_issuer.config({source: place})
    server = make_server([config], start=False, env={"WEAK_SECRET": secret}).create_database()
    log = start_fails(server, place)
    assert not secret or secret not in log


def test_key_set_that_is_none_is_named(make_server, hmac_issuer, tmp_path):
    (tmp_path / "jwks.json").write_text('{"keys": "none"}')
    config = {
        **hmac_issuer.config({"jwks_file": str(tmp_path / "jwks.json")}),
        "algorithms": ["EdDSA"],
    }
    start_fails(make_server([config], start=False).create_database(), str(tmp_path / "jwks.json"))


@pytest.mark.parametrize("port", ["grpc", "http"])
def test_port_in_use_is_named(make_server, hmac_issuer, tmp_path, port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", port: address}
        server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False, listen=listen)
        start_fails(server.create_database(), address)


def test_second_server_on_the_same_ports_is_refused(make_server, hmac_issuer, tmp_path):
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    first = make_server(issuers)
    listen = {"grpc": first.grpc, "http": first.http}
    second = make_server(issuers, start=False, listen=listen).create_database()
    log = start_fails(second)
    assert first.grpc in log or first.http in log
    assert first.get("/readyz")[0] == 200


def test_missing_database_is_named_with_the_command_that_makes_one(
    make_server, hmac_issuer, tmp_path
):
    server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False)
    start_fails(server, str(server.database), "gatehouse-server --create-database")
    assert not server.database.exists(), "an empty list would let every revoked token pass"
    server.create_database().start()


def test_database_is_not_made_anew_over_another(make_server, hmac_issuer, tmp_path):
    server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False).create_database()
    before = server.database.read_bytes()
    again = run("--create-database", "--config", server.config)
    assert again.returncode > 0 and str(server.database) in again.stderr
    assert server.database.read_bytes() == before


def write_text(path):
    path.write_text("This is a shopping list, and no database.\n" * 200)


def write_other_database(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, owner TEXT)")
    database.close()


@pytest.mark.parametrize("write", [write_text, write_other_database, lambda path: path.touch()],
                         ids=["text", "other-database", "empty"])  # fmt: skip
def test_file_that_is_no_database_of_ours_is_refused_and_left_alone(
    make_server, hmac_issuer, tmp_path, write
):
    server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False)
    write(server.database)
    before = server.database.read_bytes()
    start_fails(server, str(server.database))
    assert server.database.read_bytes() == before


def test_database_in_use_is_refused_and_names_the_process(make_server, hmac_issuer, tmp_path):
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    first = make_server(issuers)
    sqlite = {"sqlite": {"path": str(first.database)}}
    second = make_server(issuers, start=False, revocations=sqlite)
    start_fails(second, str(first.database), str(first.pid))
    # Once the first one is gone, the second one can have it.
    first.stop()
    second.start()


def test_damaged_database_is_refused(make_server, hmac_issuer, tmp_path):
    server = make_server([hmac_issuer.config_with_file(tmp_path)])
    for number in range(200):
        server.client.revoke_token_id(hmac_issuer.issuer, f"{number:064}")
    server.stop(signal.SIGTERM)
    size = os.path.getsize(server.database)
    with server.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    start_fails(server, str(server.database))
