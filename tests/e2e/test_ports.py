"""Where the server listens: Unix sockets, the probes' own port, how long connections live, and
how it ends."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess
import threading
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2

from support import http2
from support.client import (
    DEADLINE, Client, assert_allowed, messages, status_of, token_id_target,
)  # fmt: skip
from support.issuers import URL, Issuer, JwksServer
from support.places import program
from support.relay import Relay
from support.waiting import wait_until
from support.watching import Stream, connection

LOOPBACK = "127.0.0.1:0"
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 6
SERVICE = "gatehouse.v1.AuthorizationService"


def listen(**fields) -> dict:
    return {"grpc": LOOPBACK, "http": LOOPBACK, **fields}


@pytest.fixture
def issuer(hmac_issuer, tmp_path):
    """Its section, too."""
    return hmac_issuer, hmac_issuer.config_with_file(tmp_path)


@pytest.fixture
def serve(make_server, issuer):
    """serve(start=..., **fields of listen) -> a Server."""
    return lambda start=True, **fields: make_server(
        [issuer[1]], start=start, listen=listen(**fields)
    )


@pytest.fixture
def probe():
    """probe(server) -> a Client of its health port."""
    with contextlib.ExitStack() as made:
        yield lambda server: made.enter_context(
            contextlib.closing(Client(server.address("health")))
        )


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


def test_unix_sockets_are_served_and_taken_away_at_the_end(serve, issuer, sockets, probe):
    path, health = sockets / "gate 100%41.sock", sockets / "health"
    server = serve(grpc=f"unix:{path}", health=f"unix:{health}")
    assert server.grpc == f"unix:{path}"
    assert {file.name for file in sockets.iterdir()} == {path.name, health.name}
    for file in (path, health):
        assert stat.S_IMODE(file.stat().st_mode) == 0o660
    wait_until(lambda: probe(server).serving() == "SERVING", "the health socket to say so")
    server.stop()
    assert list(sockets.iterdir()) == []


def test_backends_and_the_command_reach_a_unix_socket(serve, issuer, sockets):
    server = serve(grpc=f"unix:{sockets}/g.sock").wait_until_ready()
    token = issuer[0].token()
    assert_allowed(server.client.verify(token))
    done = subprocess.run(
        [str(program("gatehouse")), "--target", server.grpc, "verify"],
        input=token, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada" in done.stdout


def test_second_server_leaves_the_firsts_socket_alone(serve, issuer, sockets):
    path = sockets / "g.sock"
    first = serve(grpc=f"unix:{path}").wait_until_ready()
    inode = path.stat().st_ino
    for fields in ({"grpc": f"unix:{path}"}, {"health": f"unix:{path}"}):
        second = serve(start=False, **fields).create_database()
        said = refused(second)
        assert f"cannot listen on unix:{path}: another server is running" in said
    assert path.stat().st_ino == inode
    with contextlib.closing(Client(first.grpc)) as client:
        assert_allowed(client.verify(issuer[0].token()))
    assert [file.name for file in sockets.iterdir()] == [path.name]


def test_socket_of_a_killed_server_is_replaced(serve, issuer, sockets):
    path = sockets / "g.sock"
    server = serve(grpc=f"unix:{path}")
    server.kill()
    assert stat.S_ISSOCK(path.stat().st_mode)
    server.start().wait_until_ready()
    assert_allowed(server.client.verify(issuer[0].token()))
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
    server = serve(health="127.0.0.1:0").wait_until_ready()
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


def watch_until_refused(stub, name: str = "") -> list:
    """Streams of health that are open, as many as may be."""
    streams = []
    while True:
        stream = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE)
        try:
            next(stream)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            return streams
        streams.append(stream)


def test_neither_port_takes_the_others_places(serve, probe):
    server = serve(health="127.0.0.1:0", connections={"max_streams": 1000}).wait_until_ready()
    taken = watch_until_refused(server.client.health)
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
    main = server.client.health.Watch(request, timeout=DEADLINE)
    assert next(main).status == health_pb2.HealthCheckResponse.SERVING


# The end


class StuckClient:
    """Asks for a token, and takes nothing of the answer: its call stays in flight."""

    def __init__(self, server, token: str):
        host, port = server.grpc.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self._socket.sendall(http2.frame(http2.SETTINGS, 0, 0, settings))
        request = messages.VerifyRequest(token=token).SerializeToString()
        self._socket.sendall(http2.call(1, request, {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def decisions(server) -> float:
    return sum(n for name, n in server.metrics().items() if name.startswith("gatehouse_decisions_"))


def test_drain_says_not_ready_and_alive_until_the_last_call_has_ended(serve, issuer, probe):
    server = serve(health="127.0.0.1:0", drain="10m").wait_until_ready()
    client = probe(server)
    wait_until(lambda: client.serving() == "SERVING", "the health port to say so")
    request = health_pb2.HealthCheckRequest(service="readiness")
    watch = client.health.Watch(request, timeout=DEADLINE)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with StuckClient(server, issuer[0].token()):
        wait_until(lambda: decisions(server) == 1, "the call to be decided")
        server.send(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        # Each of these may be the one after the main port has begun to drain.
        wait_until(lambda: not connects(server.grpc), "the main port to take nobody more")
        for name in ("", "readiness", URL):
            assert client.serving(name) == "NOT_SERVING"
        assert client.serving("liveness") == "SERVING"
        with contextlib.closing(Client(server.address("health"))) as late:
            assert late.serving("liveness") == "SERVING"
        assert server.get("/readyz")[0] == 503
        assert server.get("/livez")[0] == 200
        assert server.running()
    server.stop()
    assert status_of(lambda: list(watch)) == grpc.StatusCode.UNAVAILABLE


def connects(target: str) -> bool:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=30).close()
    except ConnectionRefusedError:
        return False
    return True


def test_call_that_is_not_done_at_the_end_of_the_drain_is_cut_off(serve, issuer):
    server = serve(drain="1s").wait_until_ready()
    with StuckClient(server, issuer[0].token()):
        wait_until(lambda: decisions(server) == 1, "the call to be decided")
        server.stop()
    assert "stopped" in server.log


def test_call_that_waits_for_keys_ends_with_the_drain(make_server):
    """By itself it would wait 5 s."""
    asked, over = threading.Event(), threading.Event()

    def answer():
        asked.set()
        over.wait(DEADLINE)
        return 503, b""

    jwks = JwksServer(answer).appear()
    try:
        issuer = Issuer("EdDSA")
        section = issuer.config({"jwks_url": jwks.url})
        server = make_server([section], listen=listen(drain="0s"))
        assert asked.wait(DEADLINE)
        call = server.client.stub.Verify.future(
            messages.VerifyRequest(token=issuer.token()), timeout=DEADLINE
        )
        # Each of these comes behind it, on the same connection.
        for _ in range(20):
            assert server.client.serving() == "NOT_SERVING"
        server.send(signal.SIGTERM)
        error = call.exception(timeout=DEADLINE)
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert "keys" not in error.details()
        server.stop()
    finally:
        over.set()
        jwks.vanish()


# Connections


def test_no_call_fails_while_connections_are_recycled(serve, issuer):
    server = serve(connections={"max_age": "1s", "max_age_grace": "20s"}).wait_until_ready()
    token = issuer[0].token()
    calls = 0

    async def ask(stub, relay):
        nonlocal calls
        while relay.connections < 40:
            assert_allowed(await stub.Verify(messages.VerifyRequest(token=token), timeout=DEADLINE))
            calls += 1

    async def run():
        async with Relay(server.grpc) as relay, AsyncExitStack() as open_ones:
            stubs = [
                await open_ones.enter_async_context(connection(relay.target)) for _ in range(8)
            ]
            await asyncio.gather(*(ask(stub, relay) for stub in stubs for _ in range(4)))

    asyncio.run(run())
    assert calls > 40


def test_watcher_of_an_aged_connection_comes_back_and_misses_nothing(serve):
    server = serve(connections={"max_age": "1s", "max_age_grace": "1s"}).wait_until_ready()
    heard, ends = [], []

    async def follow(stub):
        first, start = {}, None
        while len(ends) < 3:
            call = stub.Watch(timeout=DEADLINE)
            await call.write(messages.WatchRequest(**first))
            try:
                while (reply := await call.read()) is not grpc.aio.EOF:
                    assert not reply.fell_behind
                    start = reply.revision if start is None else start
                    heard.extend(change.revision for change in reply.changes)
                    first = {"from_revision": reply.revision, "store_id": reply.store_id}
            except grpc.aio.AioRpcError:
                pass
            ends.append(await call.code())
        return start, first["from_revision"]

    async def run():
        async with connection(server.grpc) as stub, connection(server.grpc) as other:
            following = asyncio.create_task(follow(stub))
            made = 0
            while not following.done():
                await other.Revoke(token_id_target(URL, f"t{made}"), timeout=DEADLINE)
                made += 1
            start, last = await following
            stream = await Stream(stub, from_revision=last, store_id=server.client.verify("x").store_id).begin()
            await stream.until(lambda s: s.last.revision == made)
            return start, stream.revisions, made

    start, rest, made = asyncio.run(run())
    assert ends == [grpc.StatusCode.UNAVAILABLE] * 3
    assert heard + rest == list(range(start + 1, made + 1))
    wait_until(lambda: server.metrics()["gatehouse_watchers"] == 0, "nobody to watch")


def settings_of(server) -> dict[int, int]:
    """What the server says of its limits as soon as somebody connects."""
    with contextlib.closing(http2.connect(server.grpc)) as stream, stream.makefile("rb") as file:
        head = file.read(9)
        assert head[3] == http2.SETTINGS
        body = file.read(int.from_bytes(head[:3], "big"))
    return dict(struct.iter_unpack(">HI", body))


def test_streams_and_headers_of_a_connection_are_limited(serve):
    server = serve()
    assert settings_of(server)[MAX_CONCURRENT_STREAMS] == 256
    assert settings_of(server)[MAX_HEADER_LIST_SIZE] == 16 * 1024
    server.stop()
    few = serve(connections={"max_streams": 7, "max_age": "0s"})
    assert settings_of(few)[MAX_CONCURRENT_STREAMS] == 7


def test_headers_beyond_the_limit_are_refused(serve, issuer):
    server = serve().wait_until_ready()
    request = messages.VerifyRequest(token=issuer[0].token())

    def verify(client, size: int):
        padding = [("x-padding", "x" * size)]
        return client.stub.Verify(request, timeout=DEADLINE, metadata=padding)

    assert_allowed(verify(server.client, 15 * 1024))
    with contextlib.closing(Client(server.grpc)) as other:
        refused = status_of(lambda: verify(other, 17 * 1024))
        assert refused == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_allowed(verify(server.client, 15 * 1024))


def test_what_was_started_with_needs_a_restart(serve, sockets):
    server = serve(grpc=f"unix:{sockets}/g.sock", health=LOOPBACK)
    text = server.config.read_text()
    changed = text.replace("/g.sock", "/h.sock").replace("health:", "drain: 3s\n  health:")
    server.config.write_text(changed.replace("drain:", "connections: {max_streams: 7}\n  drain:"))
    server.send(signal.SIGHUP)
    wait_until(lambda: server.log.count("needs a restart") == 3, "the refusal")
    for field in ("listen.grpc", "listen.connections", "listen.drain"):
        assert f"{field}: is " in server.log
    assert os.listdir(sockets) == ["g.sock"]
