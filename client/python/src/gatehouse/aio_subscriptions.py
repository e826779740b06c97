"""What outlives a request: docs/clients.md."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gatehouse import _wire as wire
from gatehouse.decisions import Decision
from gatehouse.errors import GatehouseError
from gatehouse.memory import Listener, Memory
from gatehouse.retry import StreamPause

if TYPE_CHECKING:
    from gatehouse.aio import Gatehouse

Callback = Callable[[Decision], Awaitable[None] | None]
# Where everything is touched, everybody asks anew within so many seconds, by chance.
SPREAD = 1.0


class Subscription:
    """Asks anew when one of the token's tags is touched, and calls back if it is a denial."""

    def __init__(
        self, gatehouse: Gatehouse, memory: Memory, token: str, callback: Callback
    ) -> None:
        self._gatehouse, self._memory = gatehouse, memory
        self._token, self._callback = token, callback
        self._listener = Listener(self._told)
        self._touched = asyncio.Event()
        self._everything = self._cancelled = False
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._memory.listen(self._listener)
        try:
            decision, overtaken = await self._look()
        except BaseException:
            self._end()
            raise
        if overtaken:
            self._touched.set()
        self._task = asyncio.create_task(self._run(decision))

    def cancel(self) -> None:
        """Nothing is called back any more."""
        self._cancelled = True
        self._end()
        if self._task is not None:
            self._task.cancel()

    def _end(self) -> None:
        self._memory.unlisten(self._listener)
        self._gatehouse._subscriptions.discard(self)

    def _told(self, everything: bool) -> None:
        self._everything = self._everything or everything
        self._touched.set()

    async def _look(self) -> tuple[Decision, bool]:
        """The answer of now, and whether it may have been overtaken already."""
        core = self._gatehouse._core
        question = core.verifying_anew(self._token)
        decision, reply, mark = await self._gatehouse._answer(question, core.settings.deadline)
        stamp = wire.stamp(reply)
        self._listener.tags = stamp.tags or self._listener.tags
        # Without a stream there is nothing to compare with: what comes later will tell.
        overtaken = self._memory.live and self._memory.overtaken(stamp, mark)
        return decision, overtaken

    async def _run(self, decision: Decision) -> None:
        pause = StreamPause()
        try:
            while decision.allowed:
                await self._wait(decision)
                if self._cancelled:
                    return
                if self._everything:
                    await asyncio.sleep(random.uniform(0, SPREAD))
                self._touched.clear()
                self._everything = False
                try:
                    decision, overtaken = await self._look()
                    pause.reset()
                    if overtaken:
                        self._touched.set()
                except GatehouseError:
                    # Not known: asked again, since what was touched stays so.
                    self._touched.set()
                    await asyncio.sleep(pause.take())
        finally:
            self._end()
        if self._cancelled:
            return
        done: Any = self._callback(decision)
        if inspect.isawaitable(done):
            await done

    async def _wait(self, decision: Decision) -> None:
        """Until it is touched or expires."""
        seconds = None
        if decision.principal is not None and decision.principal.expire_time is not None:
            left = decision.principal.expire_time - datetime.now(timezone.utc)
            # Beyond it there is the server's clock skew, of which only the server knows.
            seconds = max(1.0, left.total_seconds())
        try:
            await asyncio.wait_for(self._touched.wait(), seconds)
        except asyncio.TimeoutError:
            pass
