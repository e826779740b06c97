"""Calls and streams over synchronous gRPC. A fake of the tests stands in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import grpc

from gatehouse import _wire as wire
from gatehouse import connection
from gatehouse.connection import Caller
from gatehouse.settings import Settings


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
        self._open()

    def _open(self) -> None:
        self._channel = connection.sync_channel(self._settings)
        methods = (
            wire.VERIFY, wire.AUTHORIZE, wire.BATCH, wire.FILTER, wire.REVOKE, wire.REINSTATE,
            wire.WATCH,
        )  # fmt: skip
        self._stubs = {one.name: connection.stub(self._channel, one) for one in methods}

    def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        try:
            return self._stubs[method.name](
                request, timeout=timeout, metadata=self._caller.metadata()
            )
        except grpc.RpcError as error:
            raise connection.failed(error) from None

    def watch(self, requests: Iterator[Any]) -> GrpcStream:
        return GrpcStream(self._stubs["Watch"](requests, metadata=self._caller.metadata()))

    def renew(self) -> None:
        # Calls under way on it end as UNAVAILABLE, and are tried again on the new one.
        old = self._channel
        self._open()
        old.close()

    def close(self) -> None:
        self._channel.close()
