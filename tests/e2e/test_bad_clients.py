"""Whatever comes in on the ports, the server goes on for everybody else."""

import os
import select
import socket
import time

import pytest

from support.client import assert_allowed

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GARBAGE = {
    "zeros": bytes(4096),
    "random": os.urandom(64 * 1024),
    "http/1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100f1010000ed0303") + os.urandom(238),
    "http/2 then random": HTTP2_PREFACE + os.urandom(64 * 1024),
    "frame too large": HTTP2_PREFACE + bytes.fromhex("ffffff0400000000ff") + bytes(4096),
    "long request line": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n",
    "endless header": b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * (1 << 20),
    "many headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    "huge body": b"POST /livez HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + bytes(1 << 20),
    "two lengths": b"GET /livez HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
}


def port_of(address: str) -> tuple[str, int]:
    host, port = address.rsplit(":", 1)
    return host, int(port)


def serves(server, token: str):
    assert_allowed(server.client.verify(token))
    assert server.get("/livez")[0] == 200
    assert server.running()


@pytest.mark.parametrize("port", ["grpc", "http"])
def test_garbage_on_a_port_hurts_nobody(server, hmac_issuer, port):
    token = hmac_issuer.token()
    for garbage in GARBAGE.values():
        with socket.create_connection(port_of(getattr(server, port)), timeout=30) as connection:
            try:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except TimeoutError:
                raise
            except OSError:
                pass  # closing the connection is an answer too
        serves(server, token)


@pytest.mark.parametrize("port", ["grpc", "http"])
def test_connections_that_are_cut_off_hurt_nobody(server, hmac_issuer, port):
    token = hmac_issuer.token()
    for _ in range(100):
        with socket.create_connection(port_of(getattr(server, port)), timeout=30) as connection:
            # No lingering: the server reads a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.send(b"GET /li")
    serves(server, token)


def test_slow_loris_is_cut_off_and_others_are_served_meanwhile(server, hmac_issuer):
    """Half of the connections send a byte now and then, so that it is not idleness
    that ends them; none of them ever finishes its request."""
    connections = {}
    for number in range(200):
        connection = socket.create_connection(port_of(server.http), timeout=30)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        connections[connection] = number % 2 == 0
    token, deadline = hmac_issuer.token(), time.monotonic() + 120
    while connections:
        assert time.monotonic() < deadline, f"{len(connections)} connections are still open"
        readable, _, _ = select.select(list(connections), [], [], 0.2)
        for connection in readable:
            try:
                ended = connection.recv(4096) == b""
            except ConnectionError:
                ended = True
            if ended:
                connection.close()
                del connections[connection]
        for connection in [each for each, drips in connections.items() if drips]:
            try:
                connection.send(b"a")
            except OSError:
                pass  # the next look at it finds it closed
        serves(server, token)


def test_idle_connection_does_not_keep_the_server_from_ending(server):
    with (
        socket.create_connection(port_of(server.http)),
        socket.create_connection(port_of(server.grpc)),
    ):
        server.stop()
