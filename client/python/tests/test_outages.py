"""A server that is killed, restarted, restored, and a network that cuts, delays and parts."""

import asyncio
import threading
import time

import pytest

from gatehouse import Code, Settings, Unavailable
from support.either import KINDS
from support.stand import ISSUER
from support.waiting import wait_until
from test_revoked import authorize, remembered, sessions

STALENESS = 1.0


@pytest.fixture
def stale(connect):
    """A client that may use nothing older than a second."""
    return lambda stand: connect(stand, max_staleness=STALENESS, deadline=0.5)


@pytest.fixture
def mended(stand):
    yield stand
    stand.proxied("mend")


def outcome(client, token) -> str:
    try:
        return authorize(client, token).code.value
    except Unavailable:
        return "UNAVAILABLE"


def come_back(client, token, code: str = "OK"):
    wait_until(lambda: outcome(client, token) == code, f"{code} after the outage")
    wait_until(lambda: client.figures().live, "a live stream after the outage")


def never_allowed_beyond_staleness(client, token, revoked: float):
    """Watches for as long again; gives what was said."""
    said = set()
    while (now := time.monotonic()) < revoked + 2 * STALENESS:
        answer = outcome(client, token)
        if time.monotonic() > revoked + STALENESS and now > revoked + STALENESS:
            said.add(answer)
            assert answer != "OK", f"an allow {now - revoked:.2f} s after the revocation"
    return said


@pytest.mark.parametrize("way", ["both", "down", "up"])
def test_partitioned_it_never_allows_beyond_max_staleness(stale, mended, way):
    client, session = stale(mended), next(sessions)
    token = mended.token(sid=session)
    remembered(client, token)
    mended.proxied("partition", way=way)
    revoked = mended.revoke_session(session)["ended"]
    assert never_allowed_beyond_staleness(client, token, revoked) == {"UNAVAILABLE"}
    assert not client.figures().live
    mended.proxied("mend")
    come_back(client, token, "TOKEN_REVOKED")
    other = mended.token()
    remembered(client, other)


def test_a_short_partition_is_answered_from_memory(connect, mended):
    client = connect(mended, max_staleness=30.0)
    token = mended.token()
    remembered(client, token)
    mended.proxied("partition")
    assert outcome(client, token) == "OK"
    mended.proxied("mend")
    come_back(client, token)


@pytest.mark.parametrize("way", ["up", "down"])
def test_half_closed_it_comes_back(stale, mended, way):
    client, session = stale(mended), next(sessions)
    token = mended.token(sid=session)
    remembered(client, token)
    mended.proxied("half_close", way=way)
    revoked = mended.revoke_session(session)["ended"]
    never_allowed_beyond_staleness(client, token, revoked)
    come_back(client, token, "TOKEN_REVOKED")


def test_replies_that_come_late_prove_nothing(stale, mended):
    client, session = stale(mended), next(sessions)
    token = mended.token(sid=session)
    remembered(client, token)
    # Later than anything may be used; what was sent before still flows.
    mended.proxied("delay", seconds=STALENESS * 1.5, way="down")
    revoked = mended.revoke_session(session)["ended"]
    assert never_allowed_beyond_staleness(client, token, revoked) <= {"UNAVAILABLE", "TOKEN_REVOKED"}
    wait_until(lambda: not client.figures().live, "the stream to be too late")
    mended.proxied("mend")
    come_back(client, token, "TOKEN_REVOKED")


def test_a_connection_that_is_made_anew_loses_nothing(connect, stand, kind):
    client, session = connect(stand), next(sessions)
    token = stand.token(sid=session)
    remembered(client, token)
    accepted = stand.proxied("mend")["accepted"]
    transport = client.client._transport

    async def renew():
        transport.renew()

    for _ in range(3):
        if kind == "aio":
            client.run(renew())
        else:
            transport.renew()
        other = stand.token()
        assert authorize(client, other).allowed
        remembered(client, other)
    assert stand.proxied("mend")["accepted"] == accepted + 3
    stand.revoke_session(session)
    wait_until(lambda: outcome(client, token) == "TOKEN_REVOKED", "the event")


def test_closed_while_events_come_it_is_closed(stand, kind):
    """Whatever the moment is that it meets."""
    settings = Settings(stand.proxy, token_file=stand.caller())
    for number in range(20):
        client = KINDS[kind](settings)
        client.start()
        wait_until(lambda one=client: one.figures().live, "a live stream")
        client.on_revoked(stand.token(), print)
        revoker = threading.Thread(
            target=lambda: [stand.revoke_session(next(sessions)) for _ in range(5)]
        )
        revoker.start()
        # Another moment each.
        wait_until(lambda one=client, seen=number % 6: one.figures().changes >= seen, "events")
        client.close()
        revoker.join()


def test_cut_it_resumes_and_hears_what_it_missed(stale, mended):
    client, session = stale(mended), next(sessions)
    token, other = mended.token(sid=session), mended.token(sid=next(sessions))
    remembered(client, token)
    remembered(client, other)
    mended.proxied("cut", refuse=True)
    mended.revoke_session(session)
    mended.proxied("mend")
    come_back(client, token, "TOKEN_REVOKED")
    before = mended.rpcs()
    assert authorize(client, other).allowed
    assert mended.rpcs() == before, "what the missed changes did not touch is still remembered"


def test_a_killed_server_allows_nothing_new_and_is_found_again(stale, own_stand):
    client = stale(own_stand)
    token = own_stand.token()
    remembered(client, token)
    own_stand.do("kill")
    killed = time.monotonic()
    new = own_stand.token()
    assert outcome(client, new) == "UNAVAILABLE"
    assert never_allowed_beyond_staleness(client, token, killed) == {"UNAVAILABLE"}
    own_stand.do("start")
    came_back = time.monotonic()
    come_back(client, token)
    print(f"back after {time.monotonic() - came_back:.2f} s")
    assert outcome(client, new) == "OK"


def test_a_restart_costs_no_questions_anew(connect, own_stand):
    client = connect(own_stand)
    tokens = [own_stand.token(sid=next(sessions)) for _ in range(50)]
    for token in tokens:
        remembered(client, token)
    own_stand.do("restart")
    come_back(client, tokens[0])
    before = own_stand.rpcs()
    for token in tokens:
        assert authorize(client, token).allowed
    assert own_stand.rpcs() == before


def test_a_server_that_is_down_is_not_stormed(stale, own_stand):
    """Later tries come from a budget, connections with pauses that grow."""
    client = stale(own_stand)
    remembered(client, own_stand.token())
    token = own_stand.token()
    own_stand.proxied("cut", refuse=True)
    accepted = own_stand.proxied("cut", refuse=True)["accepted"]
    calls = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        calls += 1
        assert outcome(client, token) == "UNAVAILABLE"
    figures = client.figures()
    connections = own_stand.proxied("cut", refuse=True)["accepted"] - accepted
    own_stand.proxied("mend")
    print(f"{calls} calls, {figures.retries} later tries, {connections} connections in 3 s")
    assert figures.retries <= 10 + calls / 10
    assert connections <= 15
    come_back(client, token)


def test_restored_from_a_backup_everything_is_forgotten(connect, own_stand):
    client, session = connect(own_stand), next(sessions)
    token, kept = own_stand.token(sid=session), own_stand.token(sid=next(sessions))
    remembered(client, kept)
    path = own_stand.do("backup")["path"]
    # Of one's own, so that the client waits for a revision that the new store has not.
    client.revoke(session=session, issuer=ISSUER)
    assert authorize(client, token).code is Code.TOKEN_REVOKED
    dropped = client.figures().dropped
    own_stand.do("restore", path=path)
    # The backup does not know of it.
    come_back(client, token)
    # Until a new stream tells of another store the old one's answers count, for `max_staleness`.
    wait_until(lambda: client.figures().dropped > dropped, "that what was remembered is dropped")
    before = own_stand.rpcs()
    remembered(client, kept)
    assert own_stand.rpcs() > before, "the other store's answers are not used"
    own_stand.revoke_session(session)
    wait_until(lambda: outcome(client, token) == "TOKEN_REVOKED", "the new store's event")


def test_other_rules_forget_everything(connect, own_stand):
    client = connect(own_stand)
    token = own_stand.token()
    remembered(client, token)
    resources = {"note": {"issuers": [ISSUER], "actions": {"read": {"allow": ["role:nobody"]}}}}
    own_stand.do("reload", policy={"roles": {"nobody": {}}, "resources": resources})
    wait_until(lambda: outcome(client, token) == "INSUFFICIENT_PERMISSIONS", "the new rules")


def test_where_everything_is_forgotten_each_question_is_asked_once(connect, own_stand):
    client = connect(own_stand, deadline=30.0)
    tokens = [own_stand.token() for _ in range(10)]
    for token in tokens:
        remembered(client, token)
    resources = {"note": {"issuers": [ISSUER], "actions": {"read": {"allow": ["owner"]}}}}
    dropped = client.figures().dropped
    own_stand.do("reload", policy={"resources": resources})
    wait_until(lambda: client.figures().dropped >= dropped + 10, "everything to be forgotten")
    before, numbers = own_stand.rpcs(), iter(range(400))
    answers = client.together(400, lambda one: authorize(one, tokens[next(numbers) % 10]))
    assert all(answers)
    asked = own_stand.rpcs() - before
    print(f"400 questions after everything was forgotten: {asked:g} RPCs over 10")
    assert asked <= 10


def test_a_paused_server_is_no_allow_and_no_hang(stale, own_stand):
    client, session = stale(own_stand), next(sessions)
    token = own_stand.token(sid=session)
    remembered(client, token)
    own_stand.do("pause")
    paused = time.monotonic()
    assert never_allowed_beyond_staleness(client, token, paused) == {"UNAVAILABLE"}
    began = time.monotonic()
    assert outcome(client, token) == "UNAVAILABLE"
    assert time.monotonic() - began < 10, "the deadline holds"
    own_stand.do("resume")
    come_back(client, token)


def test_questions_at_the_same_time_share_one_call(connect, stand, kind):
    client = connect(stand, deadline=30.0)
    # Threads cost more than tasks; the rule is the same.
    count, distinct = (10_000, 100) if kind == "aio" else (400, 10)
    token = stand.token(sid=next(sessions))
    numbers = iter(range(count))

    def ask(one):
        resource = f"note/{next(numbers) % distinct}"
        return one.authorize(token, resource, "read", owner="ada")

    before, began = stand.rpcs(), time.monotonic()
    answers = client.together(count, ask)
    took = time.monotonic() - began
    assert all(answers) and len(answers) == count
    asked = stand.rpcs() - before
    print(f"{kind}: {count} at once over {distinct}: {asked:g} RPCs in {took:.2f} s")
    assert asked <= distinct
    assert client.figures().rpcs["Authorize", "OK"] <= distinct


# A thread cannot be made to give up.
@pytest.mark.parametrize("kind", ["aio"])
def test_who_gives_up_leaves_the_answer_to_the_others(connect, stand):
    client = connect(stand)
    token = stand.token(sid=next(sessions))

    async def run():
        one = client.client
        first = asyncio.create_task(authorize(one, token))
        await asyncio.sleep(0)
        second = asyncio.create_task(authorize(one, token))
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = client.run(run())
    assert isinstance(first, asyncio.CancelledError) and second.allowed
    assert client.figures().rpcs["Authorize", "OK"] == 1


def test_an_error_is_shared_too(stale, own_stand, kind):
    client = stale(own_stand)
    own_stand.do("kill")

    async def ask_async(one):
        with pytest.raises(Unavailable):
            await authorize(one, "eyJ.x.y")

    def ask(one):
        with pytest.raises(Unavailable):
            authorize(one, "eyJ.x.y")

    client.together(20, ask_async if kind == "aio" else ask)
    calls = sum(n for (method, _), n in client.figures().rpcs.items() if method == "Authorize")
    assert calls < 20
