"""Keeps one Watch stream up: docs/clients.md, "The stream"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gatehouse import _wire as wire
from gatehouse.aio_transport import Stream, Transport
from gatehouse.connection import CallFailed
from gatehouse.core import Core
from gatehouse.errors import SettingError
from gatehouse.retry import StreamPause

log = logging.getLogger("gatehouse")


# Seconds beyond max_staleness without an answer to a ping, after which the connection is given
# up: it may be half dead.
PATIENCE = 1.0


def ping_every(max_staleness: float) -> float:
    return min(1.0, max_staleness / 3)


async def follow(core: Core, transport: Callable[[], Transport]) -> None:
    """Until it is cancelled."""
    pause = StreamPause()
    while True:
        status, details, deaf = await _one(core, transport(), pause)
        if deaf:
            transport().renew()
        wait = core.stream_ended(status, details)
        await asyncio.sleep(pause.take() if wait is None else wait)


async def _one(core: Core, transport: Transport, pause: StreamPause) -> tuple[str, str | None, bool]:
    """One stream to its end: its status, and whether nothing came any more."""
    revision, store_id = core.memory.begin()
    stream: Stream | None = None
    pings: asyncio.Task[None] | None = None
    patience = core.settings.max_staleness + PATIENCE
    answered = 0
    deaf = False

    def give_up() -> None:
        nonlocal deaf
        deaf = True
        if stream is not None:
            stream.drop()

    # No wait_for: before Python 3.12 it may lose the cancellation of this task.
    loop = asyncio.get_running_loop()
    timer = loop.call_later(patience, give_up)
    try:
        stream = transport.watch()
        pings = asyncio.create_task(_ping(core, stream, revision, store_id))
        while True:
            said = wire.heard(await stream.read())
            if said.ping > answered:
                answered = said.ping
                timer.cancel()
                timer = loop.call_later(patience, give_up)
            core.memory.apply(said)
            if said.ping:
                pause.reset()
                core.warned.clear()
    except CallFailed as failed:
        if deaf:
            return "UNAVAILABLE", "the stream has gone quiet", True
        return failed.status, failed.details, False
    except SettingError as error:
        return "UNAVAILABLE", str(error), False
    except Exception:  # whatever it was, the stream must come back
        log.exception("the stream has failed")
        return "UNKNOWN", None, False
    finally:
        timer.cancel()
        if pings is not None:
            pings.cancel()
        if stream is not None:
            stream.cancel()


async def _ping(core: Core, stream: Stream, revision: int | None, store_id: str) -> None:
    try:
        await stream.write(wire.watch_request(core.memory.ping(), revision, store_id))
        while True:
            await asyncio.sleep(ping_every(core.settings.max_staleness))
            await stream.write(wire.watch_request(core.memory.ping(), None, ""))
    except CallFailed:
        pass  # the reader is told the same
