"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar, cast

from gatehouse import _wire as wire
from gatehouse.aio_stream import follow
from gatehouse.aio_subscriptions import Callback, Subscription
from gatehouse.aio_transport import GrpcTransport, Transport
from gatehouse.connection import CallFailed
from gatehouse.core import (
    NO_ID, Attributes, Check, Core, Part, Question, Relations, Who, facts, joined, parts_of,
    place_of, resource_of, revoking, token_of,
)  # fmt: skip
from gatehouse.counters import Figures
from gatehouse.decisions import Batch, Decision, Principal, Revoked
from gatehouse.errors import Denied, InvalidArgument, Unavailable
from gatehouse.filters import Filter
from gatehouse.memory import Mark
from gatehouse.settings import Settings

Self = TypeVar("Self", bound="Gatehouse")


class Gatehouse:
    """Asks Gatehouse, and remembers. One per process; it lives on one event loop.

    Every call raises Unavailable when no decision can be had, and InvalidArgument when the
    question is malformed. `timeout` is in seconds; `fresh` does not read the memory.
    """

    def __init__(self, settings: Settings) -> None:
        self._core = Core(settings)
        self._memory = self._core.memory
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stream: asyncio.Task[None] | None = None
        # By question: what was known when it was sent, when it ends, and the call.
        self._shared: dict[Any, tuple[Mark, float, asyncio.Task[Any]]] = {}
        self._watch = True
        self._subscriptions: set[Subscription] = set()
        # In tests: what decides instead of the server.
        self._stand_in: Transport | None = None

    @classmethod
    def from_env(cls: type[Self]) -> Self:
        """With the settings of the environment. Raises SettingError, which names the wrong one."""
        return cls(Settings.from_env())

    @property
    def settings(self) -> Settings:
        return self._core.settings

    async def start(self) -> None:
        """Connects, and begins to watch. Does not wait for either; a call does this by itself."""
        self._begin()

    def _begin(self) -> Transport:
        if self._stand_in is not None:
            return self._stand_in
        loop = asyncio.get_running_loop()
        if self._transport is not None and self._loop is loop:
            return self._transport
        if self._loop is not None and not self._loop.is_closed():
            raise RuntimeError("this Gatehouse belongs to another event loop: make one for each, or close() it first")
        self._loop = loop
        self._shared.clear()
        self._transport = GrpcTransport(self._core.settings, self._core.caller)
        if self._watch:
            self._stream = loop.create_task(follow(self._core, self._begin))
        return self._transport

    async def close(self) -> None:
        """Ends the stream, subscriptions and the connection. It may be started again."""
        for one in list(self._subscriptions):
            one.cancel()
        stream, transport = self._stream, self._transport
        self._stream = self._transport = self._loop = None
        while stream is not None and not stream.done():
            stream.cancel()
            await asyncio.wait([stream], timeout=0.1)
        self._memory.lose_place()
        if transport is not None:
            await transport.close()

    async def __aenter__(self: Self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.close()

    # Questions.

    async def verify(
        self, token: Who, *, with_claims: bool = False, explain: bool = False, fresh: bool = False,
        timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """Whether a token is good now, and whose it is."""
        text = token_of(token)
        if not (fresh or with_claims or explain):
            found = self._core.remembered((text,))
            if found is not None:
                return cast(Decision, found)
        question = self._core.verifying(text, with_claims, explain)
        return cast(Decision, await self._ask(question, fresh, with_claims or explain, timeout))

    async def authorize(
        self, token: Who, resource: str, action: str = "", *, owner: str | None = None, tenant: str | None = None,
        relations: Relations | None = None, attributes: Attributes | None = None,
        explain: bool = False, fresh: bool = False, timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """Whether the token's principal may do this. `resource` is "type/id"; `owner`, `tenant`,
        `relations` and `attributes` are what one's own database says of it."""
        text = token.token if isinstance(token, Principal) else token
        asked = (
            (resource, action, "" if owner is None else owner, "" if tenant is None else tenant, (), ())
            if relations is None and attributes is None
            else facts(resource, action, owner, tenant, relations, attributes)
        )
        if not (fresh or explain):
            found = self._core.remembered((text, *asked))
            if found is not None:
                return cast(Decision, found)
        question = self._core.authorizing(text, asked, explain)
        return cast(Decision, await self._ask(question, fresh, explain, timeout))

    async def allows(
        self, user: Who, type: str, action: str, *, id: str = NO_ID, owner: str | None = None,
        tenant: str | None = None, relations: Relations | None = None,
        attributes: Attributes | None = None, fresh: bool = False, timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """`authorize` in the words of `require`: true if it is allowed."""
        return await self.authorize(
            user, resource_of(type, id), action, owner=owner, tenant=tenant, relations=relations,
            attributes=attributes, fresh=fresh, timeout=timeout,
        )  # fmt: skip

    async def require(
        self, user: Who, type: str, action: str, *, id: str = NO_ID, owner: str | None = None,
        tenant: str | None = None, relations: Relations | None = None,
        attributes: Attributes | None = None, fresh: bool = False, timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """Raises Denied unless the user may do this."""
        decision = await self.authorize(
            user, resource_of(type, id), action, owner=owner, tenant=tenant, relations=relations,
            attributes=attributes, fresh=fresh, timeout=timeout,
        )  # fmt: skip
        if not decision.allowed:
            raise self._denied(decision)
        return decision

    async def batch_authorize(
        self, token: Who, checks: Iterable[Check], *, fresh: bool = False,
        timeout: float | None = None,
    ) -> Batch:  # fmt: skip
        """`authorize` for many questions about one token, in as few RPCs as they fit into."""
        text = token_of(token)
        asked = [
            facts(one.resource, one.action, one.owner, one.tenant, one.relations, one.attributes)
            for one in checks
        ]
        found: list[Decision | None] = [None] * len(asked)
        if not fresh:
            found = self._core.remembered_batch(text, asked)
        parts = parts_of(asked, found)
        answers = await asyncio.gather(*(self._part(text, one, fresh, timeout) for one in parts))
        return joined(found, parts, answers)

    async def _part(
        self, token: str, part: Part, fresh: bool, timeout: float | None
    ) -> Batch:
        question = self._core.batching(token, [asked for _, asked in part])
        try:
            return cast(Batch, await self._ask(question, fresh, False, timeout))
        except InvalidArgument as error:
            raise place_of(error, part) from None

    async def filter(
        self, token: Who, type: str, action: str, *, timeout: float | None = None
    ) -> Filter:
        """On which things of a type the token's principal may do this. Raises Denied for a bad token."""
        question = self._core.filtering(token_of(token), type, action)
        made = cast(Filter, await self._ask(question, False, False, timeout))
        if made.decision.status == 401:
            raise self._denied(made.decision)
        return made

    # Revocations.

    async def revoke(
        self, *, token: Who | None = None, issuer: str = "", token_id: str | None = None,
        session: str | None = None, subject: str | None = None, tenant: str | None = None,
        client: str | None = None, key: str | None = None, issued_until: datetime | None = None,
        expire_time: datetime | None = None, reason: str = "", timeout: float | None = None,
    ) -> Revoked:  # fmt: skip
        """Revokes one target; all but `token` want their `issuer`. In force when it returns."""
        targets = {"token": token, "token_id": token_id, "session": session, "subject": subject,
                   "tenant": tenant, "client": client, "key": key}  # fmt: skip
        request = revoking(targets, issuer, issued_until, expire_time, reason)
        reply, _ = await self._call(wire.REVOKE, lambda *_: request, self._timeout(timeout))
        self._core.wrote(reply)
        return wire.revoked(reply)

    async def reinstate(
        self, id: str, *, reason: str = "", timeout: float | None = None
    ) -> Revoked:
        """Takes a revocation back."""
        request = wire.reinstate_request(id, reason)
        reply, _ = await self._call(wire.REINSTATE, lambda *_: request, self._timeout(timeout))
        self._core.wrote(reply)
        return wire.revoked(reply)

    async def on_revoked(self, user: Who, callback: Callback) -> Subscription:
        """Calls back once, with the denial, when this token stops being good: for what outlives a
        request. `cancel()` the subscription when the stream or socket is closed."""
        self._begin()
        made = Subscription(self, self._memory, token_of(user), callback)
        self._subscriptions.add(made)
        await made.begin()
        return made

    def figures(self) -> Figures:
        """For the application's metrics."""
        return self._core.figures()

    # Calls.

    def _denied(self, decision: Decision) -> Denied:
        return Denied(decision)

    def _timeout(self, timeout: float | None) -> float:
        return self._core.settings.deadline if timeout is None else timeout

    async def _ask(
        self, question: Question, fresh: bool, alone: bool, timeout: float | None
    ) -> Any:
        seconds = self._timeout(timeout)
        if fresh or alone:
            return (await self._answer(question, seconds))[0]
        key = question.key
        end = time.monotonic() + seconds
        while True:
            try:
                under_way = self._shared.get(key)
            except TypeError:
                return (await self._answer(question, seconds))[0]
            # One that has ended is not yet taken away.
            if (
                under_way is None
                or not self._memory.is_recent(under_way[0])
                or under_way[2].done()
            ):
                return (await asyncio.shield(self._lead(question, end)))[0]
            self._memory.counters.shared += 1
            _, its_end, task = under_way
            if its_end > end:
                await asyncio.wait([task], timeout=max(0.0, end - time.monotonic()))
                if not task.done():
                    raise self._core.late()
            try:
                return (await asyncio.shield(task))[0]
            except Unavailable as error:
                if error.status != "DEADLINE_EXCEEDED" or time.monotonic() >= end:
                    raise

    def _lead(self, question: Question, end: float) -> asyncio.Task[Any]:
        """Asks for all who ask the same meanwhile. Whoever gives up leaves it to the others."""
        self._begin()
        key, left, mark = question.key, end - time.monotonic(), self._memory.mark()
        task = asyncio.get_running_loop().create_task(self._answer(question, left))
        self._shared[key] = (mark, end, task)
        task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def _forget(self, key: Any, done: asyncio.Task[Any]) -> None:
        under_way = self._shared.get(key)
        if under_way is not None and under_way[2] is done:
            del self._shared[key]
        if not done.cancelled():
            done.exception()  # seen, also where everybody gave up

    async def _answer(self, question: Question, timeout: float) -> tuple[Any, Any, Mark]:
        reply, mark = await self._call(question.method, question.build, timeout)
        return question.read(reply, mark), reply, mark

    async def _call(self, method: wire.Method, build: Any, timeout: float) -> tuple[Any, Mark]:
        """One RPC, tried again as the budget and the deadline allow."""
        transport = self._begin()
        counters = self._memory.counters
        end = time.monotonic() + timeout
        tries = 0
        earlier: CallFailed | None = None
        self._core.budget.called()
        while True:
            tries += 1
            written = self._memory.written()
            request = build(*written)
            mark = self._memory.mark()
            try:
                reply = await transport.call(method, request, max(0.0, end - time.monotonic()))
                counters.rpcs[method.name, "OK"] += 1
                return reply, mark
            except CallFailed as error:
                failed = error
                counters.rpcs[method.name, failed.status] += 1
                if failed.status == "FAILED_PRECONDITION" and written[0] and method.asks:
                    self._memory.forget_written(written)
                    continue
                pause = self._core.pause_before_another(failed.status, tries, end)
                if pause is not None:
                    earlier = failed
                    await asyncio.sleep(pause)
                    continue
                if failed.status == "DEADLINE_EXCEEDED" and earlier is not None:
                    failed = earlier  # what was wrong before the time ran out
                raise self._core.error(failed.status, failed.details) from None
