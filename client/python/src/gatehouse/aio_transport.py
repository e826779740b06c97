"""Calls and streams over grpc.aio. A fake of the tests stands in its place."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import grpc

from gatehouse import _wire as wire
from gatehouse import connection
from gatehouse.connection import CallFailed, Caller
from gatehouse.settings import Settings


class Stream(Protocol):
    async def write(self, request: Any) -> None: ...

    # The next message; raises CallFailed at the end.
    async def read(self) -> Any: ...

    def cancel(self) -> None: ...


class Transport(Protocol):
    async def call(self, method: wire.Method, request: Any, timeout: float) -> Any: ...

    def watch(self) -> Stream: ...

    # Makes the connection anew, since the one there is has gone deaf.
    def renew(self) -> None: ...

    async def close(self) -> None: ...


class GrpcStream:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def write(self, request: Any) -> None:
        try:
            await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            await self._end()

    async def read(self) -> Any:
        try:
            message = await self._call.read()
        except grpc.RpcError as error:
            raise connection.failed(error) from None
        if message is grpc.aio.EOF:
            await self._end()
        return message

    async def _end(self) -> None:
        raise CallFailed((await self._call.code()).name, await self._call.details())

    def cancel(self) -> None:
        self._call.cancel()


class GrpcTransport:
    def __init__(self, settings: Settings, caller: Caller) -> None:
        self._settings = settings
        self._caller = caller
        self._closing: set[asyncio.Task[None]] = set()
        self._open()

    def _open(self) -> None:
        self._channel = connection.async_channel(self._settings)
        methods = (
            wire.VERIFY, wire.AUTHORIZE, wire.BATCH, wire.FILTER, wire.REVOKE, wire.REINSTATE,
            wire.WATCH,
        )  # fmt: skip
        self._stubs = {one.name: connection.stub(self._channel, one) for one in methods}

    async def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        try:
            return await self._stubs[method.name](
                request, timeout=timeout, metadata=self._caller.metadata()
            )
        except grpc.RpcError as error:
            raise connection.failed(error) from None

    def watch(self) -> GrpcStream:
        return GrpcStream(self._stubs["Watch"](metadata=self._caller.metadata()))

    def renew(self) -> None:
        old = self._channel
        self._open()
        closing = asyncio.ensure_future(old.close(self._settings.deadline))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        await self._channel.close()
