"""What gRPC is told about the server: channels, credentials, and who is calling."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

import grpc

from gatehouse import _wire as wire
from gatehouse.errors import SettingError
from gatehouse.settings import Settings, read_pem, read_token

log = logging.getLogger("gatehouse")

# Of its own, so that a channel made anew is a connection made anew; and it comes back soon
# after the server does: the third connection is tried after 0.32 to 0.41 s, in time for the last
# try of a call that a restart of 0.3 s has met.
_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 140),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.primary_user_agent", "gatehouse-python"),
]


class Caller:
    """Names this service in each call: by a token from a file, read again when it changes."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._metadata: tuple[tuple[str, str], ...] = ()
        self._lock = threading.Lock()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        if self._path is None:
            return ()
        with self._lock:
            try:
                found = os.stat(self._path)
                seen = (found.st_mtime_ns, found.st_ino, found.st_size)
                if seen != self._seen:
                    self._metadata = (("authorization", "Bearer " + read_token(self._path)),)
                    self._seen = seen
            except (OSError, SettingError) as error:
                if not self._metadata:
                    raise SettingError(f"GATEHOUSE_TOKEN_FILE: {error}") from None
                if self._seen is not None:
                    log.warning("the token before stays in use: %s", error)
                    self._seen = None
            return self._metadata


class TlsFiles:
    """Tells when the files of TLS have changed, looking at them once a second at most."""

    def __init__(self, settings: Settings) -> None:
        given = (settings.ca_file, settings.cert_file, settings.key_file)
        self._paths = [path for path in given if path is not None]
        self._looked = 0.0
        self._seen = self._look()

    def changed(self) -> bool:
        if not self._paths:
            return False
        now = time.monotonic()
        if now - self._looked < 1:
            return False
        self._looked = now
        seen = self._look()
        if seen is None or seen == self._seen:
            return False
        self._seen = seen
        return True

    def _look(self) -> list[tuple[int, int, int]] | None:
        try:
            found = [os.stat(path) for path in self._paths]
        except OSError:  # they are being replaced
            return None
        return [(one.st_mtime_ns, one.st_ino, one.st_size) for one in found]


def credentials(settings: Settings) -> Any:
    """None: plaintext."""
    if settings.ca_file is None:
        return None
    key = certificate = None
    if settings.cert_file is not None and settings.key_file is not None:
        certificate = read_pem("GATEHOUSE_CERT_FILE", settings.cert_file)
        key = read_pem("GATEHOUSE_KEY_FILE", settings.key_file)
    roots = read_pem("GATEHOUSE_CA_FILE", settings.ca_file)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def sync_channel(settings: Settings) -> Any:
    secure = credentials(settings)
    if secure is None:
        return grpc.insecure_channel(settings.target, options=_OPTIONS)
    return grpc.secure_channel(settings.target, secure, options=_OPTIONS)


def async_channel(settings: Settings) -> Any:
    secure = credentials(settings)
    if secure is None:
        return grpc.aio.insecure_channel(settings.target, options=_OPTIONS)
    return grpc.aio.secure_channel(settings.target, secure, options=_OPTIONS)


def stubs(channel: Any) -> dict[str, Any]:
    """The callable of each method, by name."""

    def stub(method: wire.Method) -> Any:
        make = channel.stream_stream if method is wire.WATCH else channel.unary_unary
        return make(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )

    methods = (
        wire.VERIFY, wire.AUTHORIZE, wire.BATCH, wire.FILTER, wire.REVOKE, wire.REINSTATE,
        wire.WATCH,
    )  # fmt: skip
    return {one.name: stub(one) for one in methods}


class CallFailed(Exception):
    """A call ended with another status than OK."""

    def __init__(self, status: str, details: str | None) -> None:
        super().__init__(status)
        self.status, self.details = status, details


def failed(error: Any) -> CallFailed:
    """Of an RpcError, without the rest of it, which names metadata."""
    return CallFailed(error.code().name, error.details())
