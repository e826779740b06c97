"""What the asynchronous and the synchronous client share: questions, and what an answer to them
is worth. Without any I/O."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from gatehouse import _wire as wire
from gatehouse.connection import Caller
from gatehouse.counters import Figures
from gatehouse.decisions import Batch, Code, Decision, Principal
from gatehouse.errors import GatehouseError, InvalidArgument, from_status
from gatehouse.memory import Mark, Memory
from gatehouse.retry import RETRIED, Budget, call_pause
from gatehouse.settings import Settings

log = logging.getLogger("gatehouse")

# Who asks: a token, or the principal that one was found to speak for.
Who = str | Principal
Relations = Mapping[str, Iterable[str]]
Attributes = Mapping[str, str]
# A stream with this status is tried again this many seconds later, and said once.
REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED")
REFUSED_PAUSE = 30.0
NO_ID = "-"


@dataclass(frozen=True)
class Check:
    """One question of a batch."""

    resource: str
    action: str = ""
    owner: str | None = None
    tenant: str | None = None
    relations: Relations | None = None
    attributes: Attributes | None = None


class Question:
    """One RPC that may be shared: its key, its request, and what to make of the reply."""

    __slots__ = ("key", "method", "build", "read")

    def __init__(
        self,
        key: Any,
        method: wire.Method,
        # build(min_revision, store_id) -> request
        build: Callable[[int, str], Any],
        # read(reply, mark) -> value; keeps what may be kept
        read: Callable[[Any, Mark], Any],
    ) -> None:
        self.key, self.method, self.build, self.read = key, method, build, read


def facts(
    resource: str, action: str, owner: str | None, tenant: str | None, relations: Relations | None,
    attributes: Attributes | None,
) -> wire.Facts:  # fmt: skip
    """The whole of a question but the token, as a tuple."""
    return (
        resource, action, "" if owner is None else owner, "" if tenant is None else tenant,
        _relations(relations) if relations else (),
        _attributes(attributes) if attributes else (),
    )  # fmt: skip


def _relations(relations: Relations) -> tuple[tuple[str, tuple[str, ...]], ...]:
    made = []
    for name, subjects in _items("relations", relations):
        if isinstance(subjects, (str, bytes)) or not isinstance(subjects, Iterable):
            raise InvalidArgument(f"relations: {name!r} wants a list of subjects")
        made.append((name, tuple(subjects)))
    return tuple(sorted(made, key=lambda one: str(one[0])))


def _attributes(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(_items("attributes", attributes), key=lambda one: str(one[0])))


def _items(name: str, given: Any) -> Iterable[tuple[Any, Any]]:
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"{name}: {type(given).__name__} is no mapping")
    return given.items()


def resource_of(type: str, id: str) -> str:
    for name, value in (("type", type), ("id", id)):
        if not isinstance(value, str):
            raise InvalidArgument(f"{name}: {value.__class__.__name__} is no str")
    return f"{type}/{id}"


def token_of(who: Who) -> str:
    return who.token if isinstance(who, Principal) else who


class Core:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.memory = Memory(
            settings.memory_entries, settings.memory_mib, settings.max_staleness
        )
        self.budget = Budget()
        self.caller = Caller(settings.token_file)
        self.warned: set[str] = set()

    def figures(self) -> Figures:
        """Hits, misses, staleness and more, for the application's metrics."""
        return self.memory.figures()

    # Questions.

    def verifying(self, token: str, claims: bool, explain: bool) -> Question:
        def build(revision: int, store_id: str) -> Any:
            return wire.verify_request(
                token, revision, store_id, with_claims=claims, explain=explain
            )

        def read(reply: Any, mark: Mark) -> Decision:
            return self._keep((token,), reply, mark, wire.answer(reply, token), claims or explain)

        return Question((token,), wire.VERIFY, build, read)

    def verifying_anew(self, token: str) -> Question:
        """Verify because of what the stream has told: no replica may answer from before it."""
        question = self.verifying(token, False, False)
        build = question.build
        question.build = lambda revision, store_id: build(*self.memory.at_least(revision, store_id))
        return question

    def authorizing(self, token: str, asked: wire.Facts, explain: bool) -> Question:
        key = (token, *asked)

        def build(revision: int, store_id: str) -> Any:
            return wire.authorize_request(token, asked, revision, store_id, explain)

        def read(reply: Any, mark: Mark) -> Decision:
            return self._keep(key, reply, mark, wire.answer(reply, token), explain)

        return Question(key, wire.AUTHORIZE, build, read)

    def batching(self, token: str, checks: list[wire.Facts]) -> Question:
        def build(revision: int, store_id: str) -> Any:
            return wire.batch_request(token, checks, revision, store_id)

        def read(reply: Any, mark: Mark) -> Batch:
            made = wire.batch(reply, token, len(checks))
            # What the server said nothing of is not kept.
            for asked, decision in list(zip(checks, made.decisions))[: len(reply.decisions)]:
                self._keep((token, *asked), reply, mark, decision, False)
            return made

        return Question(("batch", token, *checks), wire.BATCH, build, read)

    def filtering(self, token: str, type: str, action: str) -> Question:
        return Question(
            ("filter", token, type, action), wire.FILTER,
            lambda revision, store_id: wire.filter_request(token, type, action, revision, store_id),
            lambda reply, mark: wire.filter_of(reply, token),
        )  # fmt: skip

    def _keep(
        self, key: tuple[Any, ...], reply: Any, mark: Mark, value: Decision, special: bool
    ) -> Decision:
        if not special and value.code is not Code.UNSPECIFIED:
            # The principal's texts are some of the token's.
            size = _size(key) + len(key[0])
            self.memory.keep(key, value, wire.stamp(reply), mark, size)
        return value

    def remembered(self, key: Any) -> Any:
        try:
            return self.memory.get(key)
        except TypeError:  # what cannot be hashed is no text: the request says of which field
            return None

    def remembered_batch(self, token: str, checks: list[wire.Facts]) -> list[Decision | None]:
        return [self.remembered((token, *asked)) for asked in checks]

    def wrote(self, reply: Any) -> None:
        self.memory.wrote(reply.revision, reply.store_id)

    # Errors.

    def pause_before_another(self, status: str, tries: int, end: float) -> float | None:
        """Seconds before a call that has ended so is tried again; None: it is not. Takes it from
        the budget."""
        pause = call_pause(tries, end - time.monotonic())
        if status not in RETRIED or pause is None or not self.budget.take():
            return None
        self.memory.counters.retries += 1
        return pause

    def error(self, status: str, details: str | None) -> GatehouseError:
        settings = self.settings
        return from_status(status, details or "", settings.target, settings.secure)

    def late(self) -> GatehouseError:
        """The caller's own deadline has passed, while a call that began earlier was waited for."""
        return self.error("DEADLINE_EXCEEDED", "a call that began earlier goes on")

    def stream_ended(self, status: str, details: str | None) -> float | None:
        """What the end of a stream means for the memory. Seconds to wait, or None: as usual."""
        if status == "FAILED_PRECONDITION":
            self.memory.lose_place()
        elif status == "RESOURCE_EXHAUSTED":
            self.memory.lose_place(keep_place=True)
        elif status in REFUSED:
            if status not in self.warned:
                self.warned.add(status)
                log.warning(
                    "nothing is remembered, and every call is asked, since Gatehouse refuses to be watched: %s%s",
                    self.error(status, details),
                    "; its caller needs `watch` in `may`" if status == "PERMISSION_DENIED" else "",
                )  # fmt: skip
            # Nobody tells those who wait to be told: let them look themselves.
            self.memory.tell_everybody()
            return REFUSED_PAUSE
        return None


def _size(key: Any) -> int:
    if isinstance(key, str):
        return len(key)
    if isinstance(key, tuple):
        return 64 + sum(_size(part) for part in key)
    return 0


# Of one BatchAuthorize; the server takes 1,000 checks and 128 KiB, token and all.
_PART_CHECKS = 1000
_PART_BYTES = 96 << 10
# The checks of one RPC, each with its place in the caller's list.
Part = list[tuple[int, wire.Facts]]


def parts_of(asked: list[wire.Facts], found: list[Decision | None]) -> list[Part]:
    """The checks that are not remembered, in parts that fit into a message."""
    parts: list[Part] = [] if asked else [[]]
    room = 0
    for index, one in enumerate(asked):
        if found[index] is not None:
            continue
        size = 32 + _bytes(one)
        if not parts or size > room or len(parts[-1]) == _PART_CHECKS:
            parts.append([])
            room = _PART_BYTES
        parts[-1].append((index, one))
        room -= size
    return parts


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="replace")) + 4
    return sum(_bytes(one) + 4 for one in value) if isinstance(value, tuple) else 0


def place_of(error: InvalidArgument, part: Part) -> InvalidArgument:
    """The error with the place in the caller's own list, of which only a part was sent."""

    def place(text: re.Match[str]) -> str:
        index = int(text[1])
        return f"checks[{part[index][0] if index < len(part) else index}]"

    return InvalidArgument(re.sub(r"checks\[([0-9]+)\]", place, str(error), count=1))


def joined(found: list[Decision | None], parts: list[Part], answers: list[Batch]) -> Batch:
    """What was remembered and what was asked for, in order."""
    made = list(found)
    for part, answer in zip(parts, answers):
        if not answer.token.allowed:
            return Batch(answer.token, (answer.token,) * len(found))
        for (index, _), decision in zip(part, answer.decisions):
            made[index] = decision
    known = [one for one in made if one is not None]
    if answers:
        return Batch(answers[0].token, tuple(known))
    first = known[0]
    if first.status != 401:
        first = Decision(True, Code.OK, 200, "", first.id, first.principal)
    return Batch(first, tuple(known))


TARGETS = ("token", "token_id", "session", "subject", "tenant", "client", "key")


def revoking(
    targets: Mapping[str, Any], issuer: str, issued_until: datetime | None,
    expire_time: datetime | None, reason: str,
) -> Any:  # fmt: skip
    """The request for exactly one target."""
    given = [(kind, value) for kind, value in targets.items() if value is not None]
    if len(given) != 1:
        raise InvalidArgument(f"revoke: name one of {', '.join(TARGETS)}")
    kind, value = given[0]
    if isinstance(value, Principal):
        value = value.token
    return wire.revoke_request(
        kind, issuer, value, _utc(issued_until), _utc(expire_time), reason
    )


def _utc(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidArgument("a time without a time zone: use datetime.now(timezone.utc)")
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
