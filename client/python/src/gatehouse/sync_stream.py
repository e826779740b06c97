"""Keeps one Watch stream up from a thread: docs/clients.md, "The stream"."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gatehouse import _wire as wire
from gatehouse.aio_stream import PATIENCE, ping_every
from gatehouse.connection import CallFailed
from gatehouse.core import Core
from gatehouse.errors import SettingError, Unavailable
from gatehouse.retry import StreamPause
from gatehouse.sync_transport import Transport

log = logging.getLogger("gatehouse")


class Follower:
    """A daemon thread, which `stop` ends."""

    def __init__(self, core: Core, transport: Callable[[], Transport]) -> None:
        self._core, self._transport = core, transport
        self._stopped = threading.Event()
        self._call: Any = None
        self._thread = threading.Thread(target=self._run, name="gatehouse-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        call = self._call
        if call is not None:
            call.cancel()
        self._thread.join(5)

    def _run(self) -> None:
        pause = StreamPause()
        while not self._stopped.is_set():
            one = _One(self._core, self._stopped)
            status, details = self._follow(one, pause)
            if self._stopped.is_set():
                return
            if one.deaf:
                self._renew()
            wait = self._core.stream_ended(status, details)
            self._stopped.wait(pause.take() if wait is None else wait)

    def _renew(self) -> None:
        try:
            self._transport().renew()
        except Unavailable:
            pass  # closed meanwhile

    def _follow(self, one: _One, pause: StreamPause) -> tuple[str, str | None]:
        call: Any = None
        try:
            call = self._call = self._transport().watch(one.requests())
            one.call = call
            for message in call:
                said = wire.heard(message)
                one.answered(said.ping)
                self._core.memory.apply(said)
                if said.ping:
                    pause.reset()
                    self._core.warned.clear()
            return "UNAVAILABLE", "the stream has ended"
        except CallFailed as failed:
            if one.deaf:
                return "UNAVAILABLE", "the stream has gone quiet"
            return failed.status, failed.details
        except (SettingError, Unavailable) as error:
            return "UNAVAILABLE", str(error)
        except Exception:  # whatever it was, the stream must come back
            if not self._stopped.is_set():
                log.exception("the stream has failed")
            return "UNKNOWN", None
        finally:
            one.over.set()
            if call is not None:
                call.cancel()


class _One:
    """One stream: its pings, and whether anything still comes."""

    def __init__(self, core: Core, stopped: threading.Event) -> None:
        self._core, self._stopped = core, stopped
        self._begun = core.memory.begin()
        self._answered = time.monotonic()
        self._ping = 0
        self.over = threading.Event()
        self.call: Any = None
        self.deaf = False

    def answered(self, ping: int) -> None:
        if ping > self._ping:
            self._ping = ping
            self._answered = time.monotonic()

    def requests(self) -> Iterator[Any]:
        """What gRPC's own thread sends."""
        memory = self._core.memory
        staleness = self._core.settings.max_staleness
        yield wire.watch_request(memory.ping(), *self._begun)
        while not self.over.wait(ping_every(staleness)) and not self._stopped.is_set():
            silent = time.monotonic() - self._answered
            if silent > staleness + PATIENCE and self.call is not None:
                self.deaf = True
                self.call.cancel()
                return
            yield wire.watch_request(memory.ping(), None, "")
