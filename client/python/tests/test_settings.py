"""What is wrong with the settings, or shows only at a call, is said in the developer's words."""

import re
import subprocess
import time

import pytest

from gatehouse import (
    CallerRefused, GatehouseError, InvalidArgument, Settings, SettingError, Unavailable,
)  # fmt: skip
from gatehouse.connection import Caller
from support.waiting import wait_until

GOOD = {"GATEHOUSE_TARGET": "127.0.0.1:7070"}


@pytest.fixture
def files(tmp_path):
    for name, text in {
        "good": "secret-token\n", "empty": " \n", "spaced": "secret token", "binary": "a\x00b",
        "pem": "-----BEGIN CERTIFICATE-----\n", "no-pem": "hello",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "locked").mkdir()
    return tmp_path


def test_the_defaults():
    settings = Settings.from_env(GOOD)
    assert (settings.deadline, settings.max_staleness) == (0.5, 3.0)
    assert (settings.memory_entries, settings.memory_mib) == (10_000, 64)
    assert settings == Settings("127.0.0.1:7070")


def test_all_of_them_from_the_environment(files):
    settings = Settings.from_env({
        **GOOD, "GATEHOUSE_TOKEN_FILE": str(files / "good"), "GATEHOUSE_CA_FILE": str(files / "pem"),
        "GATEHOUSE_CERT_FILE": str(files / "pem"), "GATEHOUSE_KEY_FILE": str(files / "pem"),
        "GATEHOUSE_DEADLINE": "1.5s", "GATEHOUSE_MAX_STALENESS": "1s",
        "GATEHOUSE_MEMORY_ENTRIES": "5", "GATEHOUSE_MEMORY_MIB": "1",
        "GATEHOUSE_PLAINTEXT_BEHIND_MESH": "false",
    })  # fmt: skip
    assert (settings.deadline, settings.max_staleness, settings.memory_entries) == (1.5, 1.0, 5)
    assert settings.secure


@pytest.mark.parametrize(
    "target", ["unix:/run/gatehouse.sock", "dns:///localhost:1", "[::1]:7070", "localhost:7070"]
)
def test_good_targets(target):
    Settings(target)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"GATEHOUSE_TARGET": ""}, "TARGET"),
        ({"GATEHOUSE_TARGET": "localhost"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "http://localhost:7070"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "localhost:99999"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "localhost:0"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "unix:"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "local host:1"}, "TARGET"),
        ({"GATEHOUSE_TARGET": "gatehouse.prod:7070"}, "CA_FILE"),
        ({"GATEHOUSE_TARGET": "dns:///gatehouse.prod:7070"}, "CA_FILE"),
        ({"GATEHOUSE_TARGET": "10.0.0.1:7070"}, "CA_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "missing"}, "TOKEN_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "locked"}, "TOKEN_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "empty"}, "TOKEN_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "spaced"}, "TOKEN_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "binary"}, "TOKEN_FILE"),
        ({"GATEHOUSE_TOKEN_FILE": "bytes"}, "TOKEN_FILE"),
        ({"GATEHOUSE_CA_FILE": "missing"}, "CA_FILE"),
        ({"GATEHOUSE_CA_FILE": "no-pem"}, "CA_FILE"),
        ({"GATEHOUSE_CA_FILE": "pem", "GATEHOUSE_CERT_FILE": "pem"}, "KEY_FILE"),
        ({"GATEHOUSE_CA_FILE": "pem", "GATEHOUSE_KEY_FILE": "pem"}, "CERT_FILE"),
        ({"GATEHOUSE_CERT_FILE": "pem", "GATEHOUSE_KEY_FILE": "pem"}, "CA_FILE"),
        ({"GATEHOUSE_PLAINTEXT_BEHIND_MESH": "yes"}, "PLAINTEXT_BEHIND_MESH"),
        ({"GATEHOUSE_DEADLINE": "500"}, "DEADLINE"),
        ({"GATEHOUSE_DEADLINE": "0s"}, "DEADLINE"),
        ({"GATEHOUSE_MAX_STALENESS": "soon"}, "MAX_STALENESS"),
        ({"GATEHOUSE_MAX_STALENESS": "999ms"}, "MAX_STALENESS"),
        ({"GATEHOUSE_MAX_STALENESS": "61s"}, "MAX_STALENESS"),
        ({"GATEHOUSE_MEMORY_ENTRIES": "-1"}, "MEMORY_ENTRIES"),
        ({"GATEHOUSE_MEMORY_MIB": "many"}, "MEMORY_MIB"),
    ],
)
def test_a_wrong_setting_is_named_and_its_secret_is_not_shown(files, changes, setting):
    env = {
        name: str(files / value) if name.endswith("_FILE") else value
        for name, value in {**GOOD, **changes}.items()
    }
    with pytest.raises(SettingError, match="^GATEHOUSE_" + setting) as caught:
        Settings.from_env(env)
    assert "secret" not in str(caught.value)


def test_behind_a_mesh_plaintext_may_leave_the_machine():
    env = {"GATEHOUSE_TARGET": "gatehouse.prod:7070", "GATEHOUSE_PLAINTEXT_BEHIND_MESH": "true"}
    assert not Settings.from_env(env).secure


def test_the_token_is_read_again_when_its_file_changes(files, caplog):
    path = files / "good"
    caller = Caller(str(path))
    assert caller.metadata() == (("authorization", "Bearer secret-token"),)
    path.write_text("another-one\n")
    assert caller.metadata() == (("authorization", "Bearer another-one"),)
    path.unlink()
    assert caller.metadata() == (("authorization", "Bearer another-one"),)
    assert "GATEHOUSE_TOKEN_FILE" in caplog.text or str(path) in caplog.text
    path.write_text("a third")
    assert caller.metadata() == (("authorization", "Bearer another-one"),)
    assert "another" not in caplog.text and "third" not in caplog.text


def error_of(client, *args, **named) -> GatehouseError:
    with pytest.raises(GatehouseError) as caught:
        client.verify(*(args or ("eyJ.secret.x",)), **named)
    assert "secret" not in str(caught.value)
    return caught.value


def test_a_target_where_nobody_is(connect, stand):
    for target in ("127.0.0.1:1", "dns:///nobody.localhost:7070"):
        client = connect(
            stand, None, target=target, live=False, plaintext_behind_mesh=True, deadline=1.0
        )
        error = error_of(client)
        assert isinstance(error, Unavailable) and not isinstance(error, CallerRefused)
        assert target in str(error) and "GATEHOUSE_TARGET" in str(error)


def test_an_http_port_is_no_gatehouse(connect, stand):
    client = connect(stand, None, target=stand.facts["http"], live=False, deadline=1.0)
    assert re.search("GATEHOUSE_TARGET.*`listen.grpc`", str(error_of(client)))


def test_an_unknown_caller_and_one_without_the_right(connect, stand):
    unknown = error_of(connect(stand, "unknown", live=False))
    assert isinstance(unknown, CallerRefused) and "GATEHOUSE_TOKEN_FILE" in str(unknown)
    asker = connect(stand, "asker", live=False)
    with pytest.raises(CallerRefused, match="`may`"):
        asker.authorize(stand.tokens["ada"], "note/1", "read", owner="ada")


def test_an_older_server_decides_but_is_not_remembered(connect, stand, caplog):
    reply = {
        "decision": {"effect": 1, "code": 1}, "revision": 1, "store_id": "stub", "rules": "stub",
        "remember_for": "30s", "tags": ["dGFndGFndGFndGFndGE="],
        "principal": {"issuer": "i", "subject": "ada"},
    }  # fmt: skip
    target = stand.do("stub", replies={"verify": reply})["grpc"]
    client = connect(stand, target=target, live=False)
    for _ in range(3):
        assert client.verify("x").allowed
    assert stand.do("stub_calls", grpc=target)["calls"] == 3
    wait_until(lambda: "older than this client" in caplog.text, "a warning")
    with pytest.raises(Unavailable, match="older than this client"):
        client.authorize("x", "note/1")
    assert caplog.text.count("nothing is remembered") == 1


def test_a_reply_of_a_stub_that_is_watched_is_remembered(connect, stand):
    """So that the test above says something."""
    reply = {
        "decision": {"effect": 1, "code": 1}, "revision": 1, "store_id": "stub", "rules": "stub",
        "remember_for": "30s", "tags": ["dGFndGFndGFndGFndGE="],
        "principal": {"issuer": "i", "subject": "ada"},
    }  # fmt: skip
    target = stand.do("stub", replies={"verify": reply}, watch=True)["grpc"]
    client = connect(stand, target=target)
    for _ in range(3):
        assert client.verify("x").allowed
    assert stand.do("stub_calls", grpc=target)["calls"] == 1


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certificate(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"), "-days",
            "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1")  # fmt: skip


@pytest.fixture
def tls(tmp_path):
    """A TLS server that knows no method, and another CA."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    for name in ("server", "other"):
        certificate(tmp_path, name)
    pair = ((tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes())
    made = grpc.server(ThreadPoolExecutor(4))
    port = made.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    made.start()
    yield f"127.0.0.1:{port}", tmp_path
    made.stop(None)


def test_a_wrong_ca_is_named(connect, stand, tls):
    target, folder = tls
    right = connect(stand, target=target, live=False, ca_file=str(folder / "server.pem"))
    assert error_of(right).status == "UNIMPLEMENTED", "the handshake succeeds"
    wrong = connect(stand, target=target, live=False, ca_file=str(folder / "other.pem"), deadline=1.0)
    error = error_of(wrong)
    assert isinstance(error, Unavailable)
    assert re.search("GATEHOUSE_CA_FILE.*GATEHOUSE_CERT_FILE", str(error))


def test_the_files_of_tls_are_read_again_when_they_change(connect, stand, tls):
    target, folder = tls
    ca = folder / "ca.pem"
    ca.write_bytes((folder / "other.pem").read_bytes())
    client = connect(stand, target=target, live=False, ca_file=str(ca), deadline=1.0)
    assert "GATEHOUSE_CA_FILE" in str(error_of(client))
    ca.write_text("nonsense")
    assert isinstance(error_of(client), Unavailable)
    ca.write_bytes((folder / "server.pem").read_bytes())
    wait_until(lambda: error_of(client).status == "UNIMPLEMENTED", "the new CA to be read")


def test_plaintext_to_a_tls_port_is_named(connect, stand, tls):
    client = connect(stand, target=tls[0], live=False, deadline=1.0)
    error = error_of(client)
    assert isinstance(error, Unavailable) and "GATEHOUSE_CA_FILE" in str(error)


@pytest.mark.parametrize(
    ("named", "names"),
    [
        ({"id": 42}, "id"), ({"id": None}, "id"), ({"id": b"1"}, "id"), ({"owner": 42}, "owner"),
        ({"owner": ["ada"]}, "owner"), ({"tenant": 1.5}, "tenant"),
        ({"type": 42}, "type"), ({"action": 42}, "action"), ({"relations": ["ada"]}, "relations"),
        ({"relations": {"editor": [42]}}, "relations"), ({"relations": {42: ["a"]}}, "relations"),
        ({"attributes": {"size": 3}}, "attributes"), ({"attributes": "size"}, "attributes"),
        ({"owner": "\ud800"}, "owner"), ({"id": ""}, "resource"), ({"user": 42}, "token"),
    ],
)  # fmt: skip
def test_an_argument_of_the_wrong_type_is_named(connect, stand, named, names):
    client = connect(stand)
    good = {"user": stand.tokens["ada"], "action": "read", "type": "note", "owner": "ada"}
    with pytest.raises(InvalidArgument, match="^" + names):
        client.require(**{**good, **named})


def test_the_deadline_holds_and_may_be_set_for_a_call(connect, stand):
    client = connect(stand, deadline=30.0)
    stand.proxied("delay", seconds=5, way="down")
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="GATEHOUSE_DEADLINE"):
            client.verify(stand.token(), timeout=0.1)
        assert time.monotonic() - began < 3
    finally:
        stand.proxied("mend")
