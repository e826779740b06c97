"""What outlives a request, for threads: docs/clients.md."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gatehouse import _wire as wire
from gatehouse.aio_subscriptions import SPREAD
from gatehouse.decisions import Decision
from gatehouse.errors import GatehouseError
from gatehouse.memory import Listener, Memory
from gatehouse.retry import StreamPause

if TYPE_CHECKING:
    from gatehouse.sync import Gatehouse

Callback = Callable[[Decision], None]


class Subscription:
    """Asks anew when one of the token's tags is touched, and calls back, on a thread of its own, if
    it is a denial."""

    def __init__(
        self, gatehouse: Gatehouse, memory: Memory, token: str, callback: Callback
    ) -> None:
        self._gatehouse, self._memory = gatehouse, memory
        self._token, self._callback = token, callback
        self._listener = Listener(self._told)
        self._touched = threading.Event()
        self._everything = self._cancelled = False
        memory.listen(self._listener)
        gatehouse._subscriptions.add(self)
        try:
            decision, overtaken = self._look()
        except BaseException:
            self._end()
            raise
        if overtaken:
            self._touched.set()
        threading.Thread(
            target=self._run, args=(decision,), name="gatehouse-revoked", daemon=True
        ).start()

    def cancel(self) -> None:
        """Nothing is called back any more."""
        self._end()
        self._cancelled = True
        self._touched.set()

    def _end(self) -> None:
        self._memory.unlisten(self._listener)
        self._gatehouse._subscriptions.discard(self)

    def _told(self, everything: bool) -> None:
        self._everything = self._everything or everything
        self._touched.set()

    def _look(self) -> tuple[Decision, bool]:
        core = self._gatehouse._core
        question = core.verifying_anew(self._token)
        decision, reply, mark = self._gatehouse._answer(question, core.settings.deadline)
        stamp = wire.stamp(reply)
        self._listener.tags = stamp.tags or self._listener.tags
        return decision, self._memory.live and self._memory.overtaken(stamp, mark)

    def _run(self, decision: Decision) -> None:
        pause = StreamPause()
        try:
            while decision.allowed:
                self._touched.wait(_left(decision))
                if self._cancelled:
                    return
                self._touched.clear()
                if self._everything:
                    self._everything = False
                    threading.Event().wait(random.uniform(0, SPREAD))
                try:
                    decision, overtaken = self._look()
                    pause.reset()
                    if overtaken:
                        self._touched.set()
                except GatehouseError:
                    self._touched.set()
                    threading.Event().wait(pause.take())
        finally:
            self._end()
        if not self._cancelled:
            self._callback(decision)


def _left(decision: Decision) -> float | None:
    """Seconds until the token expires; beyond it there is the server's clock skew."""
    if decision.principal is None or decision.principal.expire_time is None:
        return None
    left = decision.principal.expire_time - datetime.now(timezone.utc)
    return max(1.0, left.total_seconds())
