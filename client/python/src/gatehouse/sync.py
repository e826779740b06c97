"""The client for threads. The same as `gatehouse.Gatehouse`, without `await`."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as Late
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar, cast

from gatehouse import _wire as wire
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
from gatehouse.sync_stream import Follower
from gatehouse.sync_subscriptions import Callback, Subscription
from gatehouse.sync_transport import GrpcTransport, Transport

Self = TypeVar("Self", bound="Gatehouse")

_all: weakref.WeakSet[Gatehouse] = weakref.WeakSet()
# Of the process that this one was forked off. To close or to free it here would wait for threads
# that are only there.
_left_behind: list[Any] = []


class Gatehouse:
    """Asks Gatehouse, and remembers. One per process; any thread may use it. In a process that was
    forked off it begins anew, with an empty memory and without the subscriptions.

    Every call raises Unavailable when no decision can be had, and InvalidArgument when the
    question is malformed. `timeout` is in seconds; `fresh` does not read the memory.
    """

    def __init__(self, settings: Settings) -> None:
        self._watch = True
        # In tests: what decides instead of the server.
        self._stand_in: Transport | None = None
        self._reset(settings)
        _all.add(self)

    def _reset(self, settings: Settings) -> None:
        self._core = Core(settings)
        self._memory = self._core.memory
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._stream: Follower | None = None
        # By question: what was known when it was sent, and what will be the answer.
        self._shared: dict[Any, tuple[Mark, Future[Any]]] = {}
        self._subscriptions: set[Subscription] = set()

    @classmethod
    def from_env(cls: type[Self]) -> Self:
        """With the settings of the environment. Raises SettingError, which names the wrong one."""
        return cls(Settings.from_env())

    @property
    def settings(self) -> Settings:
        return self._core.settings

    def start(self) -> None:
        """Connects, and begins to watch. Does not wait for either; a call does this by itself."""
        self._begin()

    def _begin(self) -> Transport:
        transport = self._stand_in or self._transport
        if transport is not None:
            return transport
        with self._lock:
            if self._transport is None:
                self._transport = GrpcTransport(self._core.settings, self._core.caller)
                if self._watch:
                    self._stream = Follower(self._core, self._current)
            return self._transport

    def _current(self) -> Transport:
        transport = self._transport
        if transport is None:
            raise Unavailable("this Gatehouse was closed", "CANCELLED")
        return transport

    def close(self) -> None:
        """Ends the stream, subscriptions and the connection. It may be started again."""
        for one in list(self._subscriptions):
            one.cancel()
        with self._lock:
            stream, transport = self._stream, self._transport
            self._stream = self._transport = None
        if stream is not None:
            stream.stop()
        self._memory.lose_place()
        if transport is not None:
            transport.close()

    def __enter__(self: Self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    # Questions.

    def verify(
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
        return cast(Decision, self._ask(question, fresh, with_claims or explain, timeout))

    def authorize(
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
        return cast(Decision, self._ask(question, fresh, explain, timeout))

    def allows(
        self, user: Who, type: str, action: str, *, id: str = NO_ID, owner: str | None = None,
        tenant: str | None = None, relations: Relations | None = None,
        attributes: Attributes | None = None, fresh: bool = False, timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """`authorize` in the words of `require`: true if it is allowed."""
        return self.authorize(
            user, resource_of(type, id), action, owner=owner, tenant=tenant, relations=relations,
            attributes=attributes, fresh=fresh, timeout=timeout,
        )  # fmt: skip

    def require(
        self, user: Who, type: str, action: str, *, id: str = NO_ID, owner: str | None = None,
        tenant: str | None = None, relations: Relations | None = None,
        attributes: Attributes | None = None, fresh: bool = False, timeout: float | None = None,
    ) -> Decision:  # fmt: skip
        """Raises Denied unless the user may do this."""
        decision = self.authorize(
            user, resource_of(type, id), action, owner=owner, tenant=tenant, relations=relations,
            attributes=attributes, fresh=fresh, timeout=timeout,
        )  # fmt: skip
        if not decision.allowed:
            raise self._denied(decision)
        return decision

    def batch_authorize(
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
        answers = [self._part(text, one, fresh, timeout) for one in parts]
        return joined(found, parts, answers)

    def _part(
        self, token: str, part: Part, fresh: bool, timeout: float | None
    ) -> Batch:
        question = self._core.batching(token, [asked for _, asked in part])
        try:
            return cast(Batch, self._ask(question, fresh, False, timeout))
        except InvalidArgument as error:
            raise place_of(error, part) from None

    def filter(
        self, token: Who, type: str, action: str, *, timeout: float | None = None
    ) -> Filter:
        """On which things of a type the token's principal may do this. Raises Denied for a bad token."""
        question = self._core.filtering(token_of(token), type, action)
        made = cast(Filter, self._ask(question, False, False, timeout))
        if made.decision.status == 401:
            raise self._denied(made.decision)
        return made

    # Revocations.

    def revoke(
        self, *, token: Who | None = None, issuer: str = "", token_id: str | None = None,
        session: str | None = None, subject: str | None = None, tenant: str | None = None,
        client: str | None = None, key: str | None = None, issued_until: datetime | None = None,
        expire_time: datetime | None = None, reason: str = "", timeout: float | None = None,
    ) -> Revoked:  # fmt: skip
        """Revokes one target; all but `token` want their `issuer`. In force when it returns."""
        targets = {"token": token, "token_id": token_id, "session": session, "subject": subject,
                   "tenant": tenant, "client": client, "key": key}  # fmt: skip
        request = revoking(targets, issuer, issued_until, expire_time, reason)
        reply, _ = self._call(wire.REVOKE, lambda *_: request, self._timeout(timeout))
        self._core.wrote(reply)
        return wire.revoked(reply)

    def reinstate(
        self, id: str, *, reason: str = "", timeout: float | None = None
    ) -> Revoked:
        """Takes a revocation back."""
        request = wire.reinstate_request(id, reason)
        reply, _ = self._call(wire.REINSTATE, lambda *_: request, self._timeout(timeout))
        self._core.wrote(reply)
        return wire.revoked(reply)

    def on_revoked(self, user: Who, callback: Callback) -> Subscription:
        """Calls back once, with the denial, when this token stops being good: for what outlives a
        request. `cancel()` the subscription when the stream or socket is closed."""
        return Subscription(self, self._memory, token_of(user), callback)

    def figures(self) -> Figures:
        """For the application's metrics."""
        return self._core.figures()

    # Calls.

    def _denied(self, decision: Decision) -> Denied:
        return Denied(decision)

    def _timeout(self, timeout: float | None) -> float:
        return self._core.settings.deadline if timeout is None else timeout

    def _ask(
        self, question: Question, fresh: bool, alone: bool, timeout: float | None
    ) -> Any:
        seconds = self._timeout(timeout)
        key = question.key
        if fresh or alone or not _hashable(key):
            return self._answer(question, seconds)[0]
        end = time.monotonic() + seconds
        while True:
            mine: Future[Any] = Future()
            with self._lock:
                under_way = self._shared.get(key)
                if under_way is None or not self._memory.is_recent(under_way[0]):
                    self._shared[key] = (self._memory.mark(), mine)
                    under_way = None
            if under_way is None:
                return self._lead(question, end - time.monotonic(), mine)
            self._memory.counters.shared += 1
            try:
                return under_way[1].result(max(0.0, end - time.monotonic()))
            except CancelledError:
                continue  # who asked was interrupted
            except Late:
                raise self._core.late() from None
            except Unavailable as error:
                # The first one's deadline; whoever has time left asks once more.
                if error.status != "DEADLINE_EXCEEDED" or time.monotonic() >= end:
                    raise

    def _lead(self, question: Question, timeout: float, mine: Future[Any]) -> Any:
        """Asks, for all who wait for `mine`."""
        try:
            value = self._answer(question, timeout)[0]
        except Exception as error:
            self._land(question.key, mine)
            mine.set_exception(error)
            raise
        except BaseException:
            self._land(question.key, mine)
            mine.cancel()
            raise
        self._land(question.key, mine)
        mine.set_result(value)
        return value

    def _land(self, key: Any, mine: Future[Any]) -> None:
        """Nobody may join it any more."""
        with self._lock:
            under_way = self._shared.get(key)
            if under_way is not None and under_way[1] is mine:
                del self._shared[key]

    def _answer(self, question: Question, timeout: float) -> tuple[Any, Any, Mark]:
        reply, mark = self._call(question.method, question.build, timeout)
        return question.read(reply, mark), reply, mark

    def _call(self, method: wire.Method, build: Any, timeout: float) -> tuple[Any, Mark]:
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
                reply = transport.call(method, request, max(0.0, end - time.monotonic()))
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
                    time.sleep(pause)
                    continue
                if failed.status == "DEADLINE_EXCEEDED" and earlier is not None:
                    failed = earlier  # what was wrong before the time ran out
                raise self._core.error(failed.status, failed.details) from None


def _forked() -> None:
    """Neither a thread nor, surely, a lock came along."""
    for one in list(_all):
        _left_behind.append((one._transport, one._stream))
        one._reset(one.settings)


os.register_at_fork(after_in_child=_forked)


def _hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True
