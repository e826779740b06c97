"""Calls and streams over synchronous gRPC. A fake of the tests stands in its place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import grpc

from gatehouse import _wire as wire
from gatehouse import connection
from gatehouse.connection import CallFailed, Caller
from gatehouse.errors import SettingError
from gatehouse.settings import Settings

log = logging.getLogger("gatehouse")


class Transport(Protocol):
    def call(self, method: wire.Method, request: Any, timeout: float) -> Any: ...

    # Iterable over messages; raises CallFailed at the end. `cancel()` ends it.
    def watch(self, requests: Iterator[Any]) -> Any: ...

    def renew(self) -> None: ...

    def close(self) -> None: ...


class GrpcStream:
    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise connection.failed(error) from None

    def cancel(self) -> None:
        self._call.cancel()


class GrpcTransport:
    def __init__(self, settings: Settings, caller: Caller) -> None:
        self._settings = settings
        self._caller = caller
        self._lock = threading.Lock()
        self._files = connection.TlsFiles(settings)
        self._open()

    def _open(self) -> None:
        self._channel = connection.sync_channel(self._settings)
        self._stubs = connection.stubs(self._channel)

    def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        self._reread()
        try:
            return self._stubs[method.name](
                request, timeout=timeout, metadata=self._caller.metadata()
            )
        except grpc.RpcError as error:
            raise connection.failed(error) from None
        except ValueError as error:
            if "closed" not in str(error):
                raise
            raise CallFailed("ABORTED", "this Gatehouse was closed") from None

    def watch(self, requests: Iterator[Any]) -> GrpcStream:
        self._reread()
        return GrpcStream(self._stubs["Watch"](requests, metadata=self._caller.metadata()))

    def renew(self) -> None:
        old = self._channel
        self._open()
        # Calls under way on it have their time.
        later = threading.Timer(self._settings.deadline, old.close)
        later.daemon = True
        later.start()

    def _reread(self) -> None:
        """Another certificate or CA: a connection of its own."""
        with self._lock:
            if self._files.changed():
                try:
                    self.renew()
                except SettingError as error:
                    log.warning("the connection before stays in use: %s", error)

    def close(self) -> None:
        self._channel.close()
