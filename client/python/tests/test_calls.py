"""One call: how often it is tried, who shares it, and what becomes of it when its connection, its
client or its process goes."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gatehouse import Gatehouse, GatehouseError, Settings, Unavailable, sync
from gatehouse.connection import CallFailed
from support.stand import REPOSITORY
from support.waiting import come_true, wait_until
from test_revoked import authorize, sessions


class Fake:
    """In the place of the server: each call waits until the test says how it ends."""

    def __init__(self, kind: str):
        self.ends = []
        self.call = self.call_async if kind == "aio" else self.call_sync

    def begin(self):
        self.ends.append(None)
        return len(self.ends) - 1

    def end(self, number: int):
        raise CallFailed(self.ends[number], "as the test says")

    async def call_async(self, method, request, timeout):
        number = self.begin()
        await come_true(lambda: self.ends[number], "the test to end this call")
        self.end(number)

    def call_sync(self, method, request, timeout):
        number = self.begin()
        wait_until(lambda: self.ends[number], "the test to end this call")
        self.end(number)


@pytest.fixture
def fake(connect, stand, kind):
    """(client, fake)"""
    client, made = connect(stand, live=False, watch=False, deadline=30.0), Fake(kind)
    client.client._stand_in = made
    yield client, made
    client.client._stand_in = None


def begins(client, **how):
    """A call in the background: what waits for the status of its error."""
    wait = client.begin(lambda one: one.verify("token", **how))

    def status() -> str:
        with pytest.raises(Unavailable) as caught:
            wait()
        return caught.value.status

    return status


class Restart:
    """A server that is away for so many seconds, by a clock that only pauses move, and ends calls
    with this status meanwhile."""

    def __init__(self, monkeypatch, kind: str, chance: float, lasts: float, status: str = "UNAVAILABLE"):
        self.kind, self.now, self.lasts, self.status = kind, 0.0, lasts, status
        # Of each try: when, and how long it may take.
        self.tries: list[tuple[float, float]] = []
        self.call = self.call_async if kind == "aio" else self.answer
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
        for module in ("aio", "sync", "core"):
            monkeypatch.setattr(f"gatehouse.{module}.time", clock)
        monkeypatch.setattr("gatehouse.aio.asyncio.sleep", self.sleep_async)
        monkeypatch.setattr("gatehouse.retry.random.uniform", lambda a, b: a + chance * (b - a))

    def sleep(self, seconds):
        self.now += seconds

    async def sleep_async(self, seconds):
        self.sleep(seconds)

    def answer(self, method, request, timeout):
        self.tries.append((self.now, timeout))
        if self.now < self.lasts:
            raise CallFailed(self.status, "it starts again")
        reply = method.response()
        reply.decision.effect = reply.decision.code = 1
        return reply

    async def call_async(self, method, request, timeout):
        return self.answer(method, request, timeout)

    def client(self):
        made = {"aio": Gatehouse, "sync": sync.Gatehouse}[self.kind](Settings("localhost:1"))
        made._stand_in = self
        return made

    def ask(self, client, **how):
        call = client.verify("token", fresh=True, **how)
        return asyncio.run(call) if self.kind == "aio" else call


@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED"])
def test_what_the_server_ended_or_never_got_is_tried_again(monkeypatch, kind, status):
    server = Restart(monkeypatch, kind, chance=0.5, lasts=0.3, status=status)
    client = server.client()
    assert server.ask(client).allowed
    figures = client.figures()
    assert figures.retries == len(server.tries) - 1 == figures.rpcs["Verify", status] > 0


@pytest.mark.parametrize("status", ["INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED"])
def test_what_another_try_would_not_help_is_not_tried_again(monkeypatch, kind, status):
    server = Restart(monkeypatch, kind, chance=0.5, lasts=0.3, status=status)
    with pytest.raises(Unavailable) as caught:
        server.ask(server.client())
    assert caught.value.status == status
    assert len(server.tries) == 1


@pytest.mark.parametrize("chance", [0, 0.25, 0.5, 0.75, 1])
def test_a_call_bridges_a_restart_of_three_tenths_of_a_second(monkeypatch, kind, chance):
    server = Restart(monkeypatch, kind, chance, lasts=0.3)
    client = server.client()
    assert server.ask(client).allowed
    assert 2 <= client.figures().retries <= 3
    assert server.tries[-1][1] >= 0.025, "left for the answer"


@pytest.mark.parametrize(
    ("chance", "pauses"),
    [(0, [0.02, 0.15, 0.3]), (0.5, [0.03, 0.25, 0.5]), (1, [0.04, 0.35, 0.7])],
)
def test_the_pauses_of_a_call_rise_and_none_has_a_fifth_try(monkeypatch, kind, chance, pauses):
    server = Restart(monkeypatch, kind, chance, lasts=1000)
    with pytest.raises(Unavailable) as caught:
        server.ask(server.client(), timeout=60)
    assert caught.value.status == "UNAVAILABLE"
    moments = [moment for moment, _ in server.tries]
    assert moments == pytest.approx([sum(pauses[:n]) for n in range(4)])


def test_a_pause_takes_three_quarters_of_the_time_that_is_left_at_most_and_20_ms_at_least(monkeypatch, kind):
    server = Restart(monkeypatch, kind, chance=1, lasts=1000)
    with pytest.raises(Unavailable):
        server.ask(server.client(), timeout=0.04)
    assert server.tries == [(0, pytest.approx(0.04)), (pytest.approx(0.03), pytest.approx(0.01))]


def test_later_tries_are_a_tenth_of_the_calls_and_ten_more(monkeypatch, kind):
    server = Restart(monkeypatch, kind, chance=0.5, lasts=1e9)
    client = server.client()
    for _ in range(500):
        with pytest.raises(Unavailable):
            server.ask(client)
    assert 50 <= client.figures().retries <= 60


def test_who_has_time_left_asks_once_more_together(fake):
    client, server = fake
    first = begins(client)
    wait_until(lambda: server.ends, "the call")
    others = [begins(client, timeout=20.0) for _ in range(3)]
    wait_until(lambda: client.figures().shared == 3, "all to share it")
    server.ends[0] = "DEADLINE_EXCEEDED"
    assert first() == "DEADLINE_EXCEEDED"
    wait_until(lambda: len(server.ends) == 2 and client.figures().shared == 5, "the others to share another")
    server.ends[1] = "INTERNAL"
    assert [other() for other in others] == ["INTERNAL"] * 3
    assert len(server.ends) == 2


def test_each_waits_as_long_as_its_own_deadline_says(fake):
    client, server = fake
    first = begins(client)
    wait_until(lambda: server.ends, "the call")
    assert begins(client, timeout=0.05)() == "DEADLINE_EXCEEDED"
    server.ends[0] = "INTERNAL"
    assert first() == "INTERNAL"
    assert len(server.ends) == 1


@pytest.fixture
def holding(stand):
    """A stand whose proxy holds the reply to the next call."""
    yield stand
    stand.proxied("mend")


def test_what_is_under_way_when_the_client_is_closed_ends_with_an_error(connect, holding, kind):
    client = connect(holding, deadline=30.0)
    token = holding.token()
    holding.proxied("hold")
    wait = client.begin(lambda one: authorize(one, token))
    holding.proxied("held", seconds=20)
    if kind == "aio":
        client.run(client.client.close())
    else:
        client.close()
    with pytest.raises(Unavailable):
        wait()


def test_what_is_under_way_on_a_connection_that_is_given_up_is_asked_over_the_next(connect, holding, kind):
    client = connect(holding, deadline=0.5)
    token = holding.token(sid=next(sessions))
    holding.proxied("hold")
    wait = client.begin(lambda one: one.verify(token, fresh=True, timeout=30.0))
    holding.proxied("held", seconds=20)
    transport = client.client._transport

    async def renew():
        transport.renew()

    client.run(renew()) if kind == "aio" else transport.renew()
    assert wait().allowed


@pytest.mark.parametrize("kind", ["aio"])
def test_who_is_cancelled_is_cancelled(connect, holding):
    client, token = connect(holding, deadline=30.0), holding.token()
    holding.proxied("hold")

    async def run():
        asked = asyncio.create_task(client.client.verify(token, fresh=True))
        await asyncio.to_thread(holding.proxied, "held", seconds=20)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    client.run(run())


FORK = """
import os, sys, threading
from gatehouse import Settings
from gatehouse.sync import Gatehouse
from support.waiting import wait_until

target, token_file, known, new = sys.argv[1:]
client = Gatehouse(Settings(target, token_file=token_file, deadline=20.0))
client.start()
wait_until(lambda: client.figures().live, "the parent's stream")
assert client.verify(known).allowed
client.on_revoked(known, print)
child = os.fork()
if child == 0:
    assert client.figures().entries == 0, "the parent's memory has no stream here"
    assert client.verify(new).allowed
    wait_until(lambda: client.figures().live, "the child's own stream")
    client.close()
    print("the child has ended", flush=True)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert client.verify(new).allowed and client.figures().live
client.close()
print("the parent has ended")
"""


def test_in_a_forked_process_a_client_begins_anew(stand):
    """As where gunicorn loads an application before it forks."""
    path = [str(REPOSITORY / "client" / "python" / one) for one in ("src", "tests")]
    done = subprocess.run(
        [sys.executable, "-c", FORK, stand.proxy, stand.caller(), stand.token(), stand.token()],
        env={"PYTHONPATH": ":".join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["the child has ended", "the parent has ended"]


class Refuses:
    """Takes one revocation, refuses the next ones, and answers questions: the revision they ask for."""

    def __init__(self, kind: str):
        self.calls: list[tuple[str, int]] = []
        self.call = self.call_async if kind == "aio" else self.answer

    def answer(self, method, request, timeout):
        self.calls.append((method.name, getattr(request, "min_revision", 0)))
        if method.name == "Revoke" and len(self.calls) > 1:
            raise CallFailed("FAILED_PRECONDITION", "it would end before it began")
        reply = method.response()
        reply.revision, reply.store_id = 12, "store"
        return reply

    async def call_async(self, method, request, timeout):
        return self.answer(method, request, timeout)


def test_a_revocation_that_is_refused_does_not_forget_the_one_before(kind):
    server = Refuses(kind)
    client = {"aio": Gatehouse, "sync": sync.Gatehouse}[kind](Settings("localhost:1"))
    client._stand_in = server

    def run(call):
        return asyncio.run(call) if kind == "aio" else call

    run(client.revoke(session="s1", issuer="https://issuer"))
    with pytest.raises(GatehouseError):
        run(client.revoke(session="s2", issuer="https://issuer"))
    run(client.verify("token", fresh=True))
    assert server.calls == [("Revoke", 0), ("Revoke", 0), ("Verify", 12)]
