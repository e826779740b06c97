"""Clients that never take their replies cost nobody else anything."""

import socket
import struct

from support.client import assert_allowed, messages

HEADERS, DATA, SETTINGS = 1, 0, 4
INITIAL_WINDOW_SIZE = 4
VERIFY = b"/gatehouse.v1.AuthorizationService/Verify"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field without compression, RFC 7541 section 6.2.2."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call(stream: int, request: bytes) -> bytes:
    # 0x83 and 0x86 are ":method: POST" and ":scheme: http".
    headers = b"\x83\x86" + literal(b":path", VERIFY) + literal(b":authority", b"x")
    headers += literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
    body = b"\0" + struct.pack(">I", len(request)) + request
    return frame(HEADERS, 4, stream, headers) + frame(DATA, 1, stream, body)


def test_replies_that_are_never_taken_keep_nobody_out(server, hmac_issuer):
    token = hmac_issuer.token()
    assert_allowed(server.client.verify(token))
    request = messages.VerifyRequest(token=token).SerializeToString()
    host, port = server.grpc.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as stuck:
        # No reply of more than no bytes is wanted, and nothing is ever read.
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
        stuck.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
        stuck.sendall(b"".join(call(1 + 2 * i, request) for i in range(900)))
        # Each of these may be the one before which the server has read them all.
        for _ in range(300):
            assert_allowed(server.client.verify(token))


def test_more_untaken_replies_than_there_are_places_keep_nobody_out(server, hmac_issuer):
    token = hmac_issuer.token()
    assert_allowed(server.client.verify(token))
    request = messages.VerifyRequest(token=token).SerializeToString()
    host, port = server.grpc.rsplit(":", 1)
    settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
    stuck = []
    try:
        for _ in range(22):
            connection = socket.create_connection((host, int(port)), timeout=30)
            stuck.append(connection)
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
            connection.sendall(b"".join(call(1 + 2 * i, request) for i in range(990)))
            assert_allowed(server.client.verify(token))
        for _ in range(300):
            assert_allowed(server.client.verify(token))
    finally:
        for connection in stuck:
            connection.close()
