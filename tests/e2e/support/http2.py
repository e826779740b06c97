"""HTTP/2 byte by byte, for what no honest client sends."""

import socket
import struct

VERIFY = "/gatehouse.v1.AuthorizationService/Verify"
HEADERS, DATA, SETTINGS = 1, 0, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field without compression, RFC 7541 section 6.2.2."""
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call(stream: int, request: bytes, headers: dict[str, str], path: str = VERIFY) -> bytes:
    # 0x83 and 0x86 are ":method: POST" and ":scheme: http".
    fields = b"\x83\x86" + literal(":path", path) + literal(":authority", "x")
    fields += literal("content-type", "application/grpc") + literal("te", "trailers")
    fields += b"".join(literal(name, value) for name, value in headers.items())
    body = b"\0" + struct.pack(">I", len(request)) + request
    return frame(HEADERS, 4, stream, fields) + frame(DATA, 1, stream, body)


def connect(target: str) -> socket.socket:
    host, port = target.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
    return connection


def read_until_closed(connection: socket.socket):
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
