"""Calls and streams over grpc.aio. A fake of the tests stands in its place."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import grpc

from gatehouse import _wire as wire
from gatehouse import connection
from gatehouse.connection import CallFailed, Caller
from gatehouse.errors import SettingError
from gatehouse.settings import Settings

log = logging.getLogger("gatehouse")


class Stream(Protocol):
    async def write(self, request: Any) -> None: ...

    # The next message; raises CallFailed at the end.
    async def read(self) -> Any: ...

    # Ends it from outside: read() raises CallFailed, for it is not its task that is cancelled.
    def drop(self) -> None: ...

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
        self._dropped = False

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
        except asyncio.CancelledError:
            if self._dropped:
                raise CallFailed("UNAVAILABLE", "the stream was dropped") from None
            raise
        if message is grpc.aio.EOF:
            await self._end()
        return message

    async def _end(self) -> None:
        raise CallFailed((await self._call.code()).name, await self._call.details())

    def drop(self) -> None:
        self._dropped = True
        self._call.cancel()

    def cancel(self) -> None:
        self._call.cancel()


class _Link:
    """A channel, and what is called over it."""

    def __init__(self, settings: Settings) -> None:
        self.channel = connection.async_channel(settings)
        self.stubs = connection.stubs(self.channel)
        self.closed = False

    async def close(self) -> None:
        self.closed = True
        await self.channel.close()


class GrpcTransport:
    def __init__(self, settings: Settings, caller: Caller) -> None:
        self._settings = settings
        self._caller = caller
        self._files = connection.TlsFiles(settings)
        self._stream: GrpcStream | None = None
        self._link = _Link(settings)
        # Those before, with what closes each when the calls under way have had their time.
        self._old: dict[_Link, asyncio.Task[None]] = {}

    async def call(self, method: wire.Method, request: Any, timeout: float) -> Any:
        self._reread()
        link = self._link
        try:
            return await link.stubs[method.name](
                request, timeout=timeout, metadata=self._caller.metadata()
            )
        except grpc.RpcError as error:
            raise connection.failed(error) from None
        except asyncio.CancelledError:
            # To gRPC a channel that is closed cancels; whoever waits has not been.
            if not link.closed:
                raise
        except grpc.aio.UsageError:
            pass
        if link is not self._link:
            raise CallFailed("CANCELLED", "its connection was closed")
        raise CallFailed("ABORTED", "this Gatehouse was closed")

    def watch(self) -> GrpcStream:
        self._reread()
        self._stream = GrpcStream(self._link.stubs["Watch"](metadata=self._caller.metadata()))
        return self._stream

    def renew(self) -> None:
        old, self._link = self._link, _Link(self._settings)
        if self._stream is not None:
            self._stream.drop()
        self._old[old] = asyncio.ensure_future(self._retire(old))

    async def _retire(self, old: _Link) -> None:
        await asyncio.sleep(self._settings.deadline)
        await old.close()
        del self._old[old]

    def _reread(self) -> None:
        """Another certificate or CA: a connection of its own."""
        if self._files.changed():
            try:
                self.renew()
            except SettingError as error:
                log.warning("the connection before stays in use: %s", error)

    async def close(self) -> None:
        for retiring in self._old.values():
            retiring.cancel()
        await asyncio.gather(*(link.close() for link in [*self._old, self._link]))
