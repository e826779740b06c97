"""Clients that never take their replies, or never end their requests, cost nobody else
anything."""

import contextlib
import re
import select
import socket
import struct
from pathlib import Path

from support import http2
from support.client import assert_allowed, messages

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
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


def resident_mib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) // 1024


class Hog:
    """A connection on which each of many calls has sent all of a message but the end, as
    fast as the server takes it, and takes its windows' word for how much that is."""

    STREAMS = 400
    MESSAGE = 1_000_000
    WINDOW = 65_535

    def __init__(self, target: str):
        self._connection = http2.connect(target)
        self._received = b""
        self._window, self._initial = self.WINDOW, self.WINDOW
        self._windows = {1 + 2 * n: self.WINDOW for n in range(self.STREAMS)}
        self._left = dict.fromkeys(self._windows, self.MESSAGE)
        self.sent = 0
        for stream in self._windows:
            head = b"\0" + struct.pack(">I", self.MESSAGE + 1)
            self._connection.sendall(open_only(stream) + frame(DATA, 0, stream, head))
            self._count(stream, len(head))

    def close(self):
        self._connection.close()

    def run(self):
        """Until nothing more is taken for a while, or the server ends the connection."""
        with contextlib.suppress(ConnectionError):
            while self._send() or self._hear():
                pass

    def _count(self, stream: int, size: int):
        self._windows[stream] -= size
        self._window -= size

    def _send(self) -> bool:
        before = self.sent
        for stream, left in list(self._left.items()):
            size = min(16_384, left, self._windows[stream], self._window)
            if size <= 0 or stream not in self._left:
                continue
            self._connection.sendall(frame(DATA, 0, stream, b"\x0a" * size))
            self._count(stream, size)
            self._left[stream] -= size
            self.sent += size
            if self._is_readable(0):  # which may take streams out
                self._hear()
        return self.sent > before

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self._connection], [], [], seconds)[0])

    def _hear(self) -> bool:
        if not self._is_readable(2):
            return False
        received = self._connection.recv(1 << 20)
        if not received:
            return False
        self._received += received
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                break
            kind, flags = self._received[3:5]
            stream = int.from_bytes(self._received[5:9], "big") & 0x7FFFFFFF
            self._on_frame(kind, flags, stream, self._received[9 : 9 + size])
            self._received = self._received[9 + size :]
        return True

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes):
        if kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big")
        elif kind == RST_STREAM or (kind == HEADERS and flags & 1):
            self._left.pop(stream, None)
        elif kind == PING and not flags & 1:
            self._connection.sendall(frame(PING, 1, 0, payload))
        elif kind == SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at : at + 6])
                if name == INITIAL_WINDOW_SIZE:
                    for one in self._windows:
                        self._windows[one] += value - self._initial
                    self._initial = value
            # Never acknowledged: until then the server's limit of streams does not hold.


def open_only(stream: int, path: str = VERIFY.decode()) -> bytes:
    fields = b"\x83\x86" + literal(b":path", path.encode()) + literal(b":authority", b"x")
    fields += literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
    return frame(HEADERS, 4, stream, fields)


def test_messages_that_never_end_take_memory_once_and_not_for_each_connection(server, hmac_issuer):
    assert_allowed(server.client.verify(hmac_issuer.token()))
    before = resident_mib(server.pid)
    with contextlib.ExitStack() as stack:
        hogs = [stack.enter_context(contextlib.closing(Hog(server.grpc))) for _ in range(4)]
        for hog in hogs:
            hog.run()
            assert_allowed(server.client.verify(hmac_issuer.token(jti=str(hog.sent))))
        took = resident_mib(server.pid) - before
        print(f"{took} MiB for {[hog.sent >> 20 for hog in hogs]} MiB sent")
        # One connection's 400 MB come before the server can tell; the others' do not.
        assert took < 800
        assert_allowed(server.client.verify(hmac_issuer.token(jti="last")))


def test_health_checks_whose_request_never_comes_keep_no_probe_out(server):
    with http2.connect(server.grpc) as stuck:
        stuck.sendall(
            b"".join(open_only(1 + 2 * n, "/grpc.health.v1.Health/Check") for n in range(300))
        )
        # Each of these may be the one before which the server has read them all.
        for _ in range(100):
            assert server.client.serving() == "SERVING"
