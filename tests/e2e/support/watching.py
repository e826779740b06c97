"""Streams of Watch, and a client that remembers answers by one, after the design's rules."""

import asyncio
import collections
import time
from contextlib import asynccontextmanager

import grpc
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import authorization_service_pb2_grpc as services
from gatehouse.v1 import revocation_pb2

from support import leaks
from support.client import ALLOW

REVOKED = revocation_pb2.RevocationChange.KIND_REVOKED
REINSTATED = revocation_pb2.RevocationChange.KIND_REINSTATED
KEY_GONE = revocation_pb2.RevocationChange.KIND_KEY_GONE

DEADLINE = 120


async def come_true(condition, what: str):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connection(target: str, more_options=()):
    options = [("grpc.use_local_subchannel_pool", 1), *more_options]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield services.AuthorizationServiceStub(channel)


class Stream:
    """One stream. Whoever waits for something reads until it has come."""

    def __init__(self, stub, metadata=(), **first):
        self.call = stub.Watch(metadata=list(metadata), timeout=DEADLINE)
        self.first = messages.WatchRequest(**first)
        self.changes = []
        self.messages = 0  # with changes
        self.last = None
        self.fell_behind = 0

    async def begin(self):
        await self.call.write(self.first)
        await self.read()
        return self

    async def ping(self, number: int):
        await self.call.write(messages.WatchRequest(ping=number))

    async def read(self):
        reply = await self.call.read()
        assert reply is not grpc.aio.EOF, "the stream has ended"
        for change in reply.changes:
            if change.kind != KEY_GONE:
                before = self.last.revision if self.last else self.first.from_revision
                assert change.revision > before, "each once, in order"
                assert change.revision <= reply.revision
        self.changes.extend(reply.changes)
        self.messages += bool(reply.changes)
        self.fell_behind += reply.fell_behind
        if self.last is not None:
            assert reply.revision >= self.last.revision
        self.last = reply
        return reply

    async def until(self, condition):
        while not condition(self):
            await self.read()
        return self

    async def status(self) -> grpc.StatusCode:
        """Reads to the end."""
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return error.code()
        return await self.call.code()

    @property
    def revisions(self) -> list[int]:
        return [change.revision for change in self.changes]


class RememberingClient:
    """Verifies, and remembers the answers as long as the design allows."""

    MAX_STALENESS = 3.0
    KEPT_CHANGES = 4096

    def __init__(self, stub):
        self.stub = stub
        self.asked = self.remembered = 0
        self._answers = {}
        self._by_tag = collections.defaultdict(set)
        # (number, tag, revision) of the last changes; the number counts all.
        self._changes = collections.deque(maxlen=self.KEPT_CHANGES)
        self._count = 0
        self._revision, self._store, self._rules = None, "", ""
        self._pinged = {}
        self._fresh_until = 0.0

    async def follow(self):
        """Watches until it is cancelled, again whenever the stream ends."""
        while True:
            from_here = {} if self._revision is None else {
                "from_revision": self._revision, "store_id": self._store,
            }  # fmt: skip
            call = self.stub.Watch()
            self._pinged.clear()
            pings = asyncio.create_task(self._ping(call, from_here))
            try:
                async for reply in call:
                    self._hear(reply)
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    self._forget_all()
                    self._revision = None
            finally:
                pings.cancel()
                call.cancel()
            await asyncio.sleep(0.05)

    async def _ping(self, call, first: dict):
        number = 0
        while True:
            number += 1
            self._pinged[number] = time.monotonic()
            try:
                await call.write(messages.WatchRequest(ping=number, **first))
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return
            first = {}
            await asyncio.sleep(1)

    def _hear(self, reply):
        if reply.fell_behind or (reply.store_id, reply.rules) != (self._store, self._rules):
            self._forget_all()
            # What is asked already may be of before.
            self._count += self.KEPT_CHANGES + 1
        self._store, self._rules = reply.store_id, reply.rules
        for change in reply.changes:
            self._count += 1
            self._changes.append((self._count, change.tag, change.revision))
            for question in self._by_tag.pop(change.tag, ()):
                self._answers.pop(question, None)
        self._revision = reply.revision
        if reply.ping in self._pinged:
            self._fresh_until = self._pinged[reply.ping] + self.MAX_STALENESS

    def _forget_all(self):
        self._answers.clear()
        self._by_tag.clear()

    @property
    def live(self) -> bool:
        return time.monotonic() < self._fresh_until

    def recall(self, token: str):
        """The answer that may be used now, or None."""
        if not self.live or token not in self._answers:
            return None
        answer, until = self._answers[token]
        return answer if time.monotonic() < until else None

    async def verify(self, token: str):
        """The answer, and whether it was remembered."""
        leaks.remember_token(token)
        known = self.recall(token)
        if known is not None:
            self.remembered += 1
            return known, True
        self.asked += 1
        begun, count = time.monotonic(), self._count
        request = messages.VerifyRequest(token=token, with_tags=True)
        reply = await self.stub.Verify(request, timeout=30)
        self._keep(token, reply, begun, count)
        return reply, False

    def _keep(self, token: str, reply, begun: float, count: int):
        seconds = reply.remember_for.ToTimedelta().total_seconds()
        if not reply.tags or seconds <= 0 or self._revision is None:
            return
        if (reply.store_id, reply.rules) != (self._store, self._rules):
            return
        if self._count - count > self.KEPT_CHANGES:
            return
        if len(self._changes) == self.KEPT_CHANGES and reply.revision < self._changes[0][2]:
            return
        tags = set(reply.tags)
        for number, tag, revision in self._changes:
            if tag in tags and (number > count or revision > reply.revision):
                return
        self._answers[token] = (reply, begun + seconds)
        for tag in tags:
            self._by_tag[tag].add(token)


def allows(reply) -> bool:
    return reply.decision.effect == ALLOW
