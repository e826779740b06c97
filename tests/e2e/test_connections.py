"""How long connections live, what they may take, and how the server ends."""

import asyncio
import contextlib
import signal
import socket
import struct
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
from support.relay import Relay
from support.server import LOOPBACK, listen
from support.waiting import wait_until
from support.watching import Stream, connection

MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 6


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


def test_drain_says_not_ready_and_alive_until_the_last_call_has_ended(serve, hmac_issuer, probe):
    server = serve(health=LOOPBACK, drain="10m").wait_until_ready()
    client = probe(server)
    wait_until(lambda: client.serving() == "SERVING", "the health port to say so")
    request = health_pb2.HealthCheckRequest(service="readiness")
    watch = client.health.Watch(request, timeout=DEADLINE)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with StuckClient(server, hmac_issuer.token()):
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
    except ConnectionError:
        return False
    return True


def test_call_that_is_not_done_at_the_end_of_the_drain_is_cut_off(serve, hmac_issuer):
    server = serve(drain="1s").wait_until_ready()
    with StuckClient(server, hmac_issuer.token()):
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


def test_no_call_fails_while_connections_are_recycled(serve, hmac_issuer):
    server = serve(connections={"max_age": "1s", "max_age_grace": "20s"}).wait_until_ready()
    token = hmac_issuer.token()
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
            asking = (ask(stub, relay) for stub in stubs for _ in range(4))
            await asyncio.wait_for(asyncio.gather(*asking), timeout=120)

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


def test_connections_are_limited_by_the_hard_limit_of_open_files(serve, probe):
    server = serve(start=False, health=LOOPBACK).create_database()
    server.wrapper = ["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh"]
    server.start().wait_until_ready()
    with contextlib.ExitStack() as open_ones:
        for _ in range(100):
            stream = open_ones.enter_context(http2.connect(server.grpc))
            assert stream.recv(1), "the server speaks"
        assert probe(server).serving("liveness") == "SERVING"


@pytest.mark.parametrize("port", ["grpc", "health"])
def test_more_connections_than_there_are_files_end_no_port(serve, probe, hmac_issuer, port):
    server = serve(start=False, health=LOOPBACK).create_database()
    server.wrapper = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
    server.start().wait_until_ready()
    with contextlib.ExitStack() as open_ones:
        open_ones.callback(server.client.close)
        for _ in range(100):
            open_ones.enter_context(http2.connect(server.address(port)))
        wait_until(lambda: "connections are sent away" in server.log, "somebody to be sent away")

    def verified() -> bool:
        with contextlib.closing(Client(server.grpc)) as client:
            return status_of(lambda: client.verify(hmac_issuer.token())) == grpc.StatusCode.OK

    def alive() -> bool:
        said = []
        with contextlib.closing(probe(server)) as client:
            status_of(lambda: said.append(client.serving("liveness")))
        return said == ["SERVING"]

    wait_until(verified, "the gRPC port to be open still")
    wait_until(alive, "the health port to be open still")


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


def test_headers_beyond_the_limit_are_refused(serve, hmac_issuer):
    server = serve().wait_until_ready()
    request = messages.VerifyRequest(token=hmac_issuer.token())

    def verify(client, size: int):
        padding = [("x-padding", "x" * size)]
        return client.stub.Verify(request, timeout=DEADLINE, metadata=padding)

    assert_allowed(verify(server.client, 15 * 1024))
    with contextlib.closing(Client(server.grpc)) as other:
        refused = status_of(lambda: verify(other, 17 * 1024))
        assert refused == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_allowed(verify(server.client, 15 * 1024))
