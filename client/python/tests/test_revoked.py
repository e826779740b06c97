"""Revoked while remembered, against the real server."""

import dataclasses
import itertools
import statistics
import time
import uuid

import pytest

from gatehouse import Code, Unavailable
from support.stand import ISSUER
from support.waiting import wait_until

sessions = (f"session-{uuid.uuid4()}" for _ in itertools.count())


def authorize(client, token, **how):
    return client.authorize(token, "note/1", "read", owner="ada", **how)


def remembered(client, token):
    """An allow that is in memory now."""
    assert authorize(client, token).allowed

    def hit():
        before = client.figures().hits
        assert authorize(client, token).allowed
        return client.figures().hits > before

    wait_until(hit, "an answer from memory")


def revoked_while_remembered(client, stand, patience: float = 20) -> float:
    """Seconds from the revocation's acknowledgement to the first denial."""
    session = next(sessions)
    token = stand.token(sid=session)
    remembered(client, token)
    changes = client.figures().changes
    acknowledged = stand.revoke_session(session)["ended"]
    while True:
        told = client.figures().changes > changes
        decision = authorize(client, token)
        if not decision.allowed:
            assert decision.code is Code.TOKEN_REVOKED and decision.status == 401
            return max(0.0, time.monotonic() - acknowledged)
        assert not told, "an allow after the event had come"
        assert time.monotonic() < acknowledged + patience, "an allow long after the revocation"


def test_the_next_answer_after_the_event_is_a_denial(connect, stand, kind):
    client = connect(stand)
    took = sorted(revoked_while_remembered(client, stand) for _ in range(200))
    p50, p99 = statistics.median(took) * 1e3, took[197] * 1e3
    print(f"{kind}: revoke to deny, 200 times: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def test_that_test_fails_without_the_stream(connect, stand):
    client = connect(stand)
    memory, apply = client.client._memory, client.client._memory.apply

    def only_pings(message):
        message.changes = []
        apply(message)

    memory.apply = only_pings
    with pytest.raises(AssertionError, match="an allow long after the revocation"):
        revoked_while_remembered(client, stand, patience=1)


def test_a_reinstated_token_is_asked_for_anew(connect, stand):
    client = connect(stand)
    session = next(sessions)
    token = stand.token(sid=session)
    id = stand.revoke_session(session)["revocation"]["id"]
    assert authorize(client, token).code is Code.TOKEN_REVOKED
    stand.do("reinstate", id=id)
    wait_until(lambda: authorize(client, token).allowed, "the event")


def test_an_answer_that_its_revocation_overtook_is_not_remembered(connect, stand):
    client = connect(stand)
    session = next(sessions)
    token = stand.token(sid=session)
    stand.proxied("hold")
    late = client.begin(lambda one: authorize(one, token))
    stand.proxied("held")
    changes = client.figures().changes
    stand.revoke_session(session)
    wait_until(lambda: client.figures().changes > changes, "the event, past the held reply")
    stand.proxied("release")
    assert late().allowed, "it was decided before the revocation"
    hits = client.figures().hits
    assert authorize(client, token).code is Code.TOKEN_REVOKED
    assert client.figures().hits == hits


def test_who_begins_after_the_event_does_not_share_a_call_from_before_it(connect, stand):
    client = connect(stand)
    session = next(sessions)
    token = stand.token(sid=session)
    stand.proxied("hold")
    late = client.begin(lambda one: authorize(one, token))
    stand.proxied("held")
    changes = client.figures().changes
    stand.revoke_session(session)
    wait_until(lambda: client.figures().changes > changes, "the event, past the held reply")
    second = client.begin(lambda one: authorize(one, token))
    wait_until(lambda: client.figures().misses >= 2, "the second call to begin")
    stand.proxied("release")
    assert late().allowed
    assert second().code is Code.TOKEN_REVOKED
    assert client.figures().shared == 0


def test_fresh_does_not_read_the_memory_but_fills_it(connect, stand):
    client = connect(stand)
    token = stand.token(sid=next(sessions))
    remembered(client, token)
    before = stand.rpcs()
    for _ in range(3):
        assert authorize(client, token, fresh=True).allowed
    assert stand.rpcs() == before + 3
    other = stand.token(sid=next(sessions))
    assert authorize(client, other, fresh=True).allowed
    hits = client.figures().hits
    assert authorize(client, other).allowed
    assert client.figures().hits == hits + 1


def test_explained_answers_are_not_remembered(connect, stand):
    client = connect(stand)
    token = stand.token(sid=next(sessions))
    before = stand.rpcs()
    for _ in range(2):
        assert authorize(client, token, explain=True).explanation
        assert client.verify(token, with_claims=True).principal.claims["sub"] == "ada"
    assert stand.rpcs() == before + 4


def test_every_field_is_part_of_the_question(connect, stand):
    client = connect(stand)
    token = stand.token(org="acme", sid=next(sessions))
    base = {"resource": "note/1", "action": "read", "owner": "ada"}
    others = [
        {"resource": "note/2"}, {"action": "delete"}, {"owner": "bob"}, {"tenant": "acme"},
        {"relations": {"editor": ["ada"]}}, {"relations": {"editor": ["bob"]}},
        {"relations": {"viewer": ["ada"]}}, {"attributes": {"status": "open"}},
        {"attributes": {"status": "closed"}},
    ]  # fmt: skip
    before = stand.rpcs()
    for _ in range(2):
        for change in [{}, *others]:
            client.authorize(token, **{**base, **change})
    client.verify(token)
    assert stand.rpcs() == before + len(others) + 2


def test_a_batch_asks_for_what_is_not_remembered(connect, stand):
    from gatehouse import Check

    client = connect(stand)
    token = stand.token(sid=next(sessions))
    checks = [Check(f"note/{n}", "read", owner="ada" if n % 2 else "bob") for n in range(6)]
    client.authorize(token, "note/1", "read", owner="ada")
    before = stand.rpcs()
    for _ in range(3):
        batch = client.batch_authorize(token, checks)
        assert [one.allowed for one in batch.decisions] == [bool(n % 2) for n in range(6)]
        assert batch.token.allowed and batch.token.principal.subject == "ada"
    assert client.authorize(token, "note/3", "read", owner="ada").allowed
    assert stand.rpcs() <= before + 6, "one call"
    rpcs = client.figures().rpcs
    assert rpcs["BatchAuthorize", "OK"] == 1 and rpcs["Authorize", "OK"] == 1


def test_a_large_batch_is_asked_in_parts(connect, stand):
    from gatehouse import Check, InvalidArgument

    client = connect(stand)
    token = stand.token(sid=next(sessions))
    client.authorize(token, "note/3", "read", owner="ada")
    checks = [Check(f"note/{n}", "read", owner="ada" if n % 2 else "bob") for n in range(2500)]
    batch = client.batch_authorize(token, checks)
    assert [one.allowed for one in batch.decisions] == [bool(n % 2) for n in range(2500)]
    assert client.figures().rpcs["BatchAuthorize", "OK"] == 3
    large = [Check(f"note/{n}", "read", owner="ü" * 2000) for n in range(100)]
    assert len(client.batch_authorize(token, large).decisions) == 100
    checks[2200] = Check("note", "read")
    with pytest.raises(InvalidArgument, match=r"^checks\[2200\]\.resource"):
        client.batch_authorize(token, checks, fresh=True)
    bad = client.batch_authorize("x.y.z", checks[:2000])
    assert bad.token.status == 401 and {one.status for one in bad.decisions} == {401}


def test_who_revokes_reads_their_own_write(connect, stand):
    # Without a stream to tell of it: the change itself is enough.
    client = connect(stand)
    memory, apply = client.client._memory, client.client._memory.apply
    for _ in range(4):
        session = next(sessions)
        token = stand.token(sid=session)
        remembered(client, token)
        memory.apply = lambda message: None
        client.revoke(session=session, issuer=ISSUER)
        assert authorize(client, token).code is Code.TOKEN_REVOKED
        memory.apply = apply
        wait_until(lambda: memory.written() == (0, ""), "the stream to pass it")


def test_a_caller_without_the_right_to_watch_is_answered_and_remembers_nothing(
    connect, stand, caplog
):
    client = connect(stand, "unwatched", live=False)
    token = stand.token()
    wait_until(lambda: "`watch`" in caplog.text, "a warning that names the right")
    before = stand.rpcs()
    for _ in range(3):
        assert authorize(client, token).allowed
    assert stand.rpcs() == before + 3
    assert caplog.text.count("nothing is remembered") == 1


def test_callbacks_come_once_when_a_token_is_revoked(connect, stand):
    client = connect(stand)
    session = next(sessions)
    token, other = stand.token(sid=session), stand.token(sid=next(sessions))
    heard, unheard, cancelled = [], [], []
    user = client.verify(token).principal
    assert user.token == token
    assert token not in repr(user) and token not in str(dataclasses.asdict(user))
    client.on_revoked(user, heard.append)
    client.on_revoked(other, unheard.append)
    client.on_revoked(token, cancelled.append).cancel()
    stand.revoke_session(session)
    wait_until(lambda: heard, "the callback")
    assert heard[0].code is Code.TOKEN_REVOKED
    id = stand.revoke_session(next(sessions))["revocation"]["id"]
    stand.do("reinstate", id=id)
    assert (len(heard), unheard, cancelled) == (1, [], [])


def test_callbacks_come_where_no_stream_can_be_had(connect, stand, monkeypatch):
    monkeypatch.setattr("gatehouse.core.REFUSED_PAUSE", 0.05)
    client = connect(stand, "unwatched", live=False)
    session = next(sessions)
    heard = []
    client.on_revoked(stand.token(sid=session), heard.append)
    stand.revoke_session(session)
    wait_until(lambda: heard, "the callback")
    assert heard[0].code is Code.TOKEN_REVOKED


def test_callbacks_come_when_a_token_expires(connect, stand):
    client = connect(stand)
    # Beyond exp there is the skew that the server allows.
    token = stand.do("token", recipe={"claims": {"sub": "ada"}, "age": 20, "life": 12})["token"]
    heard = []
    client.on_revoked(token, heard.append)
    wait_until(lambda: heard, "the callback")
    assert heard[0].code is Code.TOKEN_EXPIRED


def test_callbacks_come_for_what_was_revoked_while_the_stream_was_away(connect, stand):
    client = connect(stand)
    session = next(sessions)
    token = stand.token(sid=session)
    heard = []
    client.on_revoked(token, heard.append)
    stand.proxied("cut", refuse=True)
    try:
        stand.revoke_session(session)
        with pytest.raises(Unavailable):
            client.verify(token, fresh=True, timeout=0.2)
        assert heard == [], "an error is no denial"
    finally:
        stand.proxied("mend")
    wait_until(lambda: heard, "the callback")
    assert heard[0].code is Code.TOKEN_REVOKED
