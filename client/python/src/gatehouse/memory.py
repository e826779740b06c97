"""What is remembered, and when it may be used: docs/clients.md, "What is kept, and for how long".

No I/O and no clock of its own. Safe to use from several threads: one lock, held for
microseconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gatehouse.counters import Counters, Figures

KEPT_CHANGES = 4096
# What an entry takes beside its texts, roughly: objects, tuple, index.
_ENTRY_BYTES = 1500
_TAG_BYTES = 150


class Stamp(NamedTuple):
    """What an answer was given by."""

    revision: int
    store_id: str
    rules: str
    # Seconds; zero: not to be remembered.
    remember_for: float
    tags: tuple[bytes, ...]


class Mark(NamedTuple):
    """Taken just before a request is sent."""

    moment: float
    # How many changes were known.
    known: int


class Change(NamedTuple):
    # None: it cannot be said what is touched, so everything is.
    tag: bytes | None
    # Zero: it has none.
    revision: int


@dataclass
class Message:
    """One message of the stream."""

    changes: list[Change]
    revision: int
    store_id: str
    rules: str
    ping: int
    fell_behind: bool


class Listener:
    """Somebody to be told when a tag is touched or the stream has lost its place."""

    __slots__ = ("tags", "told")

    def __init__(self, told: Callable[[bool], None]) -> None:
        self.tags: tuple[bytes, ...] = ()
        # told(everything): called without the lock, on the stream's own task or thread.
        self.told = told


class _Entry:
    __slots__ = ("key", "value", "until", "revision", "tags", "bytes")

    def __init__(self, key: Hashable, value: Any, until: float, stamp: Stamp, size: int) -> None:
        self.key, self.value, self.until = key, value, until
        self.revision, self.tags, self.bytes = stamp.revision, stamp.tags, size


class Memory:
    def __init__(
        self,
        entries: int,
        mib: int,
        max_staleness: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = Counters()
        self._max_entries = entries
        self._max_bytes = mib << 20
        self._max_staleness = max_staleness
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._by_tag: dict[bytes, set[_Entry]] = {}
        self._bytes = 0
        # Where the stream stands. Without a place: no revision.
        self._revision: int | None = None
        self._store_id = ""
        self._rules = ""
        self._confirmed: float | None = None
        self._live_until = float("-inf")
        self._pings: dict[int, float] = {}
        self._ping = 0
        # The last changes, (tag, revision, number). All beyond _reach are among them, and all
        # that came since so many were known as _reach_known.
        self._changes: deque[tuple[bytes | None, int, int]] = deque(maxlen=KEPT_CHANGES)
        self._reach = 0
        self._reach_known = 0
        self._count = 0
        # What this process itself has written, until the stream has passed it.
        self._written: tuple[int, str] | None = None
        self._listeners: set[Listener] = set()

    # Reading and writing.

    def get(self, key: Hashable) -> Any:
        """What is remembered and may be used now; else None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                now = self._clock()
                if now >= entry.until:
                    self._drop(entry)
                elif now < self._live_until and (
                    self._written is None or self._is_behind_nothing(entry, *self._written)
                ):
                    self._entries.move_to_end(key)
                    self.counters.hits += 1
                    return entry.value
            self.counters.misses += 1
            return None

    def _is_behind_nothing(self, entry: _Entry, revision: int, store_id: str) -> bool:
        return store_id == self._store_id and entry.revision >= revision

    def mark(self) -> Mark:
        with self._lock:
            return Mark(self._clock(), self._count)

    def is_recent(self, mark: Mark) -> bool:
        """Whether a call sent after `mark` may still be joined: no change is known since, and it is
        not so long ago that without a stream its answer may be older than any that is used."""
        with self._lock:
            return mark.known == self._count and self._clock() < mark.moment + self._max_staleness

    def keep(self, key: Hashable, value: Any, stamp: Stamp, mark: Mark, size: int) -> bool:
        """Keeps the answer to a request sent after `mark`, if it may be; `size` is that of
        its texts."""
        if stamp.remember_for <= 0 or not stamp.tags or not self._max_entries:
            return False
        until = mark.moment + stamp.remember_for
        size += _ENTRY_BYTES + _TAG_BYTES * len(stamp.tags)
        with self._lock:
            now = self._clock()
            if not (
                now < self._live_until
                and now < until
                and stamp.store_id == self._store_id
                and stamp.rules == self._rules
                and not self._overtaken(stamp, mark)
                and size <= self._max_bytes
            ):
                return False
            old = self._entries.get(key)
            if old is not None:
                self._drop(old)
            entry = _Entry(key, value, until, stamp, size)
            self._entries[key] = entry
            for tag in stamp.tags:
                self._by_tag.setdefault(tag, set()).add(entry)
            self._bytes += size
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries.values())))
            return True

    def overtaken(self, stamp: Stamp, mark: Mark) -> bool:
        """Whether a change that is known may have come too late for this answer."""
        with self._lock:
            return self._overtaken(stamp, mark)

    def _overtaken(self, stamp: Stamp, mark: Mark) -> bool:
        if self._revision is None:
            return True
        if stamp.revision < self._reach or mark.known < self._reach_known:
            return True
        for tag, revision, number in reversed(self._changes):
            if revision <= stamp.revision and number <= mark.known:
                break
            if tag is None or tag in stamp.tags:
                return True
        return False

    # What this process writes itself.

    def wrote(self, revision: int, store_id: str) -> None:
        """A change of one's own: nothing older is used until the stream has passed it."""
        with self._lock:
            self._count += 1
            if store_id == self._store_id and self._revision is not None:
                if revision <= self._revision:
                    return
            if self._written is None or self._written[1] != store_id or self._written[0] < revision:
                self._written = (revision, store_id)

    def written(self) -> tuple[int, str]:
        """The min_revision and store_id of the next request."""
        return self._written or (0, "")

    def at_least(self, revision: int, store_id: str) -> tuple[int, str]:
        """The same, and no less than what the stream has told: for whoever asks because of it."""
        with self._lock:
            if self._revision is None or (revision and store_id != self._store_id):
                return revision, store_id
            return max(revision, self._revision), self._store_id

    def forget_written(self, what: tuple[int, str]) -> None:
        """The server has never heard of it. Another one stays."""
        with self._lock:
            if self._written == what:
                self._written = None

    # The stream.

    def begin(self) -> tuple[int | None, str]:
        """A stream begins: the place to resume from."""
        with self._lock:
            self._pings.clear()
            return self._revision, self._store_id

    def ping(self) -> int:
        """The number of a ping that is sent right after."""
        with self._lock:
            self._ping += 1
            self._pings[self._ping] = self._clock()
            return self._ping

    def apply(self, message: Message) -> None:
        """What a message says."""
        with self._lock:
            everything, told = self._apply(message)
        for listener in told:
            listener.told(everything)

    def _apply(self, message: Message) -> tuple[bool, list[Listener]]:
        moved = self._revision is not None and message.store_id != self._store_id
        everything = (
            moved
            or message.fell_behind
            or (self._revision is not None and message.rules != self._rules)
            or any(change.tag is None for change in message.changes)
        )
        touched: set[bytes] = set()
        for change in message.changes:
            self._count += 1
            self.counters.changes += 1
            if change.tag is None:
                continue
            if len(self._changes) == KEPT_CHANGES:
                self._reach = max(self._reach, self._changes[0][1])
                self._reach_known = self._changes[0][2]
            self._changes.append((change.tag, change.revision or message.revision, self._count))
            touched.add(change.tag)
            for entry in list(self._by_tag.get(change.tag, ())):
                self._drop(entry)
                self.counters.dropped += 1
        if everything:
            self._drop_all()
        if moved or message.fell_behind or self._revision is None or any(
            change.tag is None for change in message.changes
        ):
            self._changes.clear()
            self._reach = message.revision
            # What was left out may have no revision: a key that has gone.
            self._count += 1
            self._reach_known = self._count
        self._revision, self._store_id, self._rules = (
            message.revision, message.store_id, message.rules,
        )  # fmt: skip
        if self._written is not None and self._written[1] == message.store_id:
            if message.revision >= self._written[0]:
                self._written = None
        sent = self._pings.get(message.ping)
        if sent is not None:
            self._confirmed = sent if self._confirmed is None else max(self._confirmed, sent)
            self._live_until = self._confirmed + self._max_staleness
            for number in [number for number in self._pings if number <= message.ping]:
                if number != message.ping:
                    del self._pings[number]
        return everything, self._told(None if everything else touched)

    def lose_place(self, keep_place: bool = False) -> None:
        """Another store, or a stream that cannot be resumed: everything is dropped."""
        with self._lock:
            self._drop_all()
            self._live_until = float("-inf")
            if not keep_place:
                self._revision, self._store_id, self._rules = None, "", ""
                self._written = None
        self.tell_everybody()

    def _drop_all(self) -> None:
        self._count += 1
        self.counters.dropped += len(self._entries)
        self._entries.clear()
        self._by_tag.clear()
        self._bytes = 0

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.key]
        self._bytes -= entry.bytes
        for tag in entry.tags:
            others = self._by_tag.get(tag)
            if others is not None:
                others.discard(entry)
                if not others:
                    del self._by_tag[tag]

    # Who wants to be told.

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def tell_everybody(self) -> None:
        """Nobody knows what was touched."""
        with self._lock:
            told = self._told(None)
        for listener in told:
            listener.told(True)

    def _told(self, tags: Iterable[bytes] | None) -> list[Listener]:
        if tags is None:
            return list(self._listeners)
        touched = set(tags)
        return [one for one in self._listeners if touched.intersection(one.tags)] if touched else []

    @property
    def live(self) -> bool:
        return self._clock() < self._live_until

    def staleness(self) -> float | None:
        confirmed = self._confirmed
        return None if confirmed is None else self._clock() - confirmed

    def figures(self) -> Figures:
        with self._lock:
            counted = self.counters
            return Figures(
                hits=counted.hits, misses=counted.misses, shared=counted.shared,
                retries=counted.retries, changes=counted.changes, dropped=counted.dropped,
                rpcs=dict(counted.rpcs), entries=len(self._entries),
                live=self._clock() < self._live_until,
                staleness=None if self._confirmed is None else self._clock() - self._confirmed,
            )  # fmt: skip
