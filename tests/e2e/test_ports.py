"""Where the server listens: Unix sockets, and the probes' own port."""

import contextlib
import os
import signal
import socket
import stat
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2

from support.client import DEADLINE, Client, assert_allowed, status_of, token_id_target
from support.issuers import URL, Issuer
from support.places import program
from support.server import LOOPBACK, listen
from support.waiting import wait_until

SERVICE = "gatehouse.v1.AuthorizationService"


@pytest.fixture
def sockets(tmp_path):
    """The folder of a test's sockets, whose paths must be short."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def refused(server) -> str:
    """What the log says of a start that fails."""
    process = server.launch()
    assert process.wait() == 1
    return process.text()


# Unix sockets


def test_unix_sockets_are_served_and_taken_away_at_the_end(serve, sockets, probe):
    path, health = sockets / "gate 100%41.sock", sockets / "health"
    server = serve(grpc=f"unix:{path}", health=f"unix:{health}")
    assert server.grpc == f"unix:{path}"
    assert {file.name for file in sockets.iterdir()} == {path.name, health.name}
    for file in (path, health):
        assert stat.S_IMODE(file.stat().st_mode) == 0o660
    wait_until(lambda: probe(server).serving() == "SERVING", "the health socket to say so")
    server.stop()
    assert list(sockets.iterdir()) == []


def test_backends_and_the_command_reach_a_unix_socket(serve, hmac_issuer, sockets):
    server = serve(grpc=f"unix:{sockets}/g.sock").wait_until_ready()
    token = hmac_issuer.token()
    assert_allowed(server.client.verify(token))
    done = subprocess.run(
        [str(program("gatehouse")), "--target", server.grpc, "verify"],
        input=token, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada" in done.stdout


def test_second_server_leaves_the_firsts_socket_alone(serve, hmac_issuer, sockets):
    path = sockets / "g.sock"
    first = serve(grpc=f"unix:{path}").wait_until_ready()
    inode = path.stat().st_ino
    for fields in ({"grpc": f"unix:{path}"}, {"health": f"unix:{path}"}):
        second = serve(start=False, **fields).create_database()
        said = refused(second)
        assert f"cannot listen on unix:{path}: another server is running" in said
    assert path.stat().st_ino == inode
    with contextlib.closing(Client(first.grpc)) as client:
        assert_allowed(client.verify(hmac_issuer.token()))
    assert [file.name for file in sockets.iterdir()] == [path.name]


def test_socket_of_a_killed_server_is_replaced(serve, hmac_issuer, sockets):
    path = sockets / "g.sock"
    server = serve(grpc=f"unix:{path}")
    server.kill()
    assert stat.S_ISSOCK(path.stat().st_mode)
    server.start().wait_until_ready()
    assert_allowed(server.client.verify(hmac_issuer.token()))
    server.stop()
    assert not path.exists()


def test_socket_that_another_has_put_there_since_is_left(serve, sockets):
    path = sockets / "g.sock"
    server = serve(grpc=f"unix:{path}")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        server.stop()
        assert stat.S_ISSOCK(path.stat().st_mode)


def make_file(path):
    path.write_text("precious")


def make_folder(path):
    path.mkdir()


def make_link_to_nothing(path):
    path.symlink_to(path.parent / "nothing")


@pytest.mark.parametrize("make", [make_file, make_folder, make_link_to_nothing])
def test_what_is_no_socket_is_left_and_named(serve, sockets, make):
    path = sockets / "g.sock"
    make(path)
    before = path.lstat()
    server = serve(start=False, grpc=f"unix:{path}").create_database()
    assert f"cannot listen on unix:{path}: there is something else than a socket" in refused(server)
    assert path.lstat() == before
    assert [file.name for file in sockets.iterdir()] == [path.name]


def test_socket_of_another_kind_is_left_and_named(serve, sockets):
    path = sockets / "g.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        server = serve(start=False, grpc=f"unix:{path}").create_database()
        assert f"cannot listen on unix:{path}: " in refused(server)
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_folder_that_is_missing_is_named(serve, sockets):
    server = serve(start=False, grpc=f"unix:{sockets}/none/g.sock").create_database()
    assert f"cannot listen on unix:{sockets}/none/g.sock: its folder: No such" in refused(server)


def test_failed_start_leaves_no_socket_behind(serve, sockets):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        server = serve(start=False, grpc=taken, health=f"unix:{sockets}/h").create_database()
        assert taken in refused(server)
    assert list(sockets.iterdir()) == []


# Health


def test_health_port_answers_probes_and_nothing_else(serve, probe):
    server = serve(health=LOOPBACK).wait_until_ready()
    client = probe(server)
    names = ("", "readiness", "liveness", URL)
    for name in names:
        wait_until(lambda n=name: client.serving(n) == "SERVING", f"{name!r} to be serving")
        wait_until(lambda n=name: server.client.serving(n) == "SERVING", f"{name!r} on the main")
    assert status_of(lambda: client.serving("no.such")) == grpc.StatusCode.NOT_FOUND
    assert status_of(lambda: client.serving(SERVICE)) == grpc.StatusCode.NOT_FOUND
    unknown = client.health.Watch(health_pb2.HealthCheckRequest(service="x"), timeout=DEADLINE)
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    revoke = token_id_target(URL, "of-a-probe")
    assert status_of(lambda: client.revoke(revoke)) == grpc.StatusCode.UNIMPLEMENTED
    assert server.client.revocations() == []
    for method in (
        f"/{SERVICE}/Verify",
        f"/{SERVICE}/ImportRevocations",
        f"/{SERVICE}/Watch",
        "/envoy.service.auth.v3.Authorization/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/List",
    ):
        call = client.channel.stream_stream(method)(iter([b""]), timeout=DEADLINE)
        assert status_of(lambda c=call: list(c)) == grpc.StatusCode.UNIMPLEMENTED, method


def test_health_port_needs_no_caller_and_no_mesh_on_all_addresses(serve):
    server = serve(health="0.0.0.0:0").wait_until_ready()
    port = server.address("health").rsplit(":", 1)[1]
    with contextlib.closing(Client(f"127.0.0.1:{port}")) as client:
        assert client.serving("liveness") == "SERVING"


def test_server_without_keys_is_alive_and_not_ready(make_server, probe):
    issuer = Issuer("EdDSA").config({"jwks_url": "http://127.0.0.1:1/jwks"})
    server = make_server([issuer], listen=listen(health=LOOPBACK))
    client = probe(server)
    wait_until(lambda: status_of(lambda: client.serving(URL)) == grpc.StatusCode.OK, "the issuer")
    for name in ("", "readiness", URL):
        assert client.serving(name) == "NOT_SERVING"
    assert client.serving("liveness") == "SERVING"


def watches(stub):
    """A stream of health that is open; None if there are too many."""
    stream = stub.Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    try:
        assert next(stream).status == health_pb2.HealthCheckResponse.SERVING
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        return None
    return stream


def test_neither_port_takes_the_others_places(serve, probe):
    server = serve(health=LOOPBACK, connections={"max_streams": 1000}).wait_until_ready()
    taken = list(iter(lambda: watches(server.client.health), None))
    assert len(taken) > 100
    client = probe(server)
    stream = client.health.Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    assert next(stream).status == health_pb2.HealthCheckResponse.SERVING
    assert client.serving() == "SERVING"
    for call in taken:
        call.cancel()
    request = health_pb2.HealthCheckRequest()
    # All streams of one connection, and a second one still comes in.
    taken = [client.health.Watch(request, timeout=DEADLINE) for _ in range(15)]
    for call in taken:
        assert next(call).status == health_pb2.HealthCheckResponse.SERVING
    assert probe(server).serving("liveness") == "SERVING"
    wait_until(lambda: watches(server.client.health), "the cancelled ones to have left")


def test_what_was_started_with_needs_a_restart(serve, sockets):
    server = serve(grpc=f"unix:{sockets}/g.sock", health=LOOPBACK)
    text = server.config.read_text()
    changed = text.replace("/g.sock", "/h.sock").replace("health:", "drain: 3s\n  health:")
    server.config.write_text(changed.replace("drain:", "connections: {max_streams: 7}\n  drain:"))
    server.send(signal.SIGHUP)
    wait_until(lambda: server.log.count("needs a restart") >= 3, "the refusal")
    for field in ("listen.grpc", "listen.connections", "listen.drain"):
        assert f"{field}: is " in server.log
    assert os.listdir(sockets) == ["g.sock"]
