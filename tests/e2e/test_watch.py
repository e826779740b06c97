"""Watch: who remembers answers hears of every change, in time, and in order."""

import asyncio
import json
import random
import signal
import threading
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import pytest
import yaml
from gatehouse.v1 import revocation_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from support.callers import Caller
from support.client import assert_allowed, assert_denied, messages, status_of
from support.issuers import URL, Issuer
from support.processes import is_sanitized, rss_bytes
from support.waiting import wait_until
from support.watching import (
    KEY_GONE, REINSTATED, REVOKED, RememberingClient, Stream, allows, come_true, connection,
)  # fmt: skip

FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
# A connection that takes no more in advance than it must.
SMALL = [("grpc.http2.bdp_probe", 0)]
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT


def revoke_request(token_id: str) -> messages.RevokeRequest:
    target = revocation_pb2.TokenIdTarget(issuer=URL, token_id=token_id)
    return messages.RevokeRequest(token_id=target)


async def revoke_many(stub, first: int, count: int, at_once: int = 64) -> int:
    """The last one's revision."""
    names = iter(range(first, first + count))
    newest = 0

    async def work():
        nonlocal newest
        for name in names:
            reply = await stub.Revoke(revoke_request(f"many-{name}"), timeout=60)
            newest = max(newest, reply.revision)

    await asyncio.gather(*(work() for _ in range(at_once)))
    return newest


def test_every_change_is_told_once_in_order_and_after_coming_back(server):
    async def run():
        async with connection(server.grpc) as stub:
            one = await Stream(stub).begin()
            start = one.last.revision
            made = [await stub.Revoke(revoke_request(f"t{i}")) for i in range(20)]
            await stub.Reinstate(messages.ReinstateRequest(id=made[3].revocation.id))
            await one.until(lambda s: s.last.revision == start + 21)
            assert one.revisions == list(range(start + 1, start + 22))
            assert [change.kind for change in one.changes] == [REVOKED] * 20 + [REINSTATED]
            assert one.changes[20].tag == one.changes[3].tag
            assert len({change.tag for change in one.changes}) == 20
            one.call.cancel()
            await stub.Revoke(revoke_request("while away"))
            two = await Stream(stub, from_revision=start + 15, store_id=one.last.store_id).begin()
            await two.until(lambda s: s.last.revision == start + 22)
            assert two.revisions == list(range(start + 16, start + 23))
            assert two.changes[:6] == one.changes[15:]
            assert two.fell_behind == 0

    asyncio.run(run())


def test_the_first_message_says_what_the_answers_say(server, hmac_issuer):
    async def run():
        async with connection(server.grpc) as stub:
            stream = await Stream(stub).begin()
            answer = server.client.verify(hmac_issuer.token())
            assert stream.last.store_id == answer.store_id
            assert stream.last.rules == answer.rules
            assert len(answer.rules) == 32
            assert stream.last.revision == answer.revision

    asyncio.run(run())


def test_pings_are_echoed(server):
    async def run():
        async with connection(server.grpc) as stub:
            stream = await Stream(stub, ping=1).begin()
            for number in range(2, 5):
                await stream.ping(number)
                await stream.until(lambda s, n=number: s.last.ping == n)

    asyncio.run(run())


def test_a_verify_behind_the_event_is_refused(server, hmac_issuer):
    async def run():
        async with connection(server.grpc) as stub:
            stream = await Stream(stub).begin()
            for i in range(200):
                token = hmac_issuer.token(jti=f"seen-{i}")
                assert_allowed(await stub.Verify(messages.VerifyRequest(token=token)))
                told = len(stream.changes)
                revoking = asyncio.ensure_future(stub.Revoke(revoke_request(f"seen-{i}")))
                await stream.until(lambda s, n=told: len(s.changes) > n)
                reply = await stub.Verify(messages.VerifyRequest(token=token, with_tags=True))
                assert_denied(reply, "TOKEN_REVOKED")
                assert stream.changes[-1].tag in reply.tags
                assert reply.revision >= stream.changes[-1].revision
                await revoking

    asyncio.run(run())


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ({"store_id": "0" * 32}, FAILED_PRECONDITION),
        ({"store_id": "0" * 32, "from_revision": 0}, FAILED_PRECONDITION),
        ({"store_id": "own", "from_revision": 1_000_000}, FAILED_PRECONDITION),
        ({"store_id": "own", "from_revision": -1}, INVALID_ARGUMENT),
        ({"from_revision": 0}, INVALID_ARGUMENT),
    ],
)
def test_where_nobody_can_begin(server, first, status):
    if first.get("store_id") == "own":
        first = {**first, "store_id": server.client.verify("x").store_id}

    async def run():
        async with connection(server.grpc) as stub:
            stream = Stream(stub, **first)
            await stream.call.write(stream.first)
            assert await stream.status() == status

    asyncio.run(run())


def test_a_stream_without_a_message_is_malformed_and_one_that_is_closed_ends_well(server):
    async def run():
        async with connection(server.grpc) as stub:
            stream = Stream(stub)
            await stream.call.done_writing()
            assert await stream.status() == INVALID_ARGUMENT
            stream = await Stream(stub).begin()
            await stream.call.done_writing()
            assert await stream.status() == grpc.StatusCode.OK

    asyncio.run(run())


def test_after_a_restart_everybody_fell_behind_who_knows_nothing_of_this_one(server):
    for i in range(3):
        store = server.client.revoke(revoke_request(f"r{i}")).store_id
    server.restart().wait_until_ready()
    server.client.revoke(revoke_request("after"))

    async def run():
        async with connection(server.grpc) as stub:
            good = await Stream(stub, from_revision=4, store_id=store).begin()
            # A key may have left its set while the server was down: 3 is not enough.
            late = await Stream(stub, from_revision=3, store_id=store).begin()
            assert (good.fell_behind, late.fell_behind) == (0, 1)
            assert late.last.revision == 4
            await stub.Revoke(revoke_request("later"))
            for stream in (good, late):
                await stream.until(lambda s: s.changes)
                assert stream.revisions == [5]

    asyncio.run(run())


def test_a_reload_is_told_and_ends_those_who_may_watch_no_longer(
    make_server, hmac_issuer, tmp_path
):
    may = ["verify", "watch", "list"]
    callers = {name: Caller(tmp_path, name, may) for name in ("stays", "leaves", "narrows")}
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)],
        callers=[caller.config for caller in callers.values()],
    )
    config = yaml.safe_load(server.config.read_text())

    def reload(kept):
        config["callers"] = kept
        server.config.write_text(yaml.safe_dump(config))
        server._process.popen.send_signal(signal.SIGHUP)

    async def run():
        async with connection(server.grpc) as stub:
            streams = {
                name: await Stream(stub, caller.metadata).begin()
                for name, caller in callers.items()
            }
            before = streams["stays"].last.rules
            narrowed = {**callers["narrows"].config, "may": ["verify"]}
            reload([callers["stays"].config, narrowed])
            await streams["stays"].until(lambda s: s.last.rules != before)
            assert await streams["leaves"].status() == grpc.StatusCode.UNAUTHENTICATED
            assert await streams["narrows"].status() == grpc.StatusCode.PERMISSION_DENIED
            refused = Stream(stub, callers["narrows"].metadata)
            assert await refused.status() == grpc.StatusCode.PERMISSION_DENIED
            unknown = Stream(stub)
            assert await unknown.status() == grpc.StatusCode.UNAUTHENTICATED
            reload([caller.config for caller in callers.values()])
            await streams["stays"].until(lambda s: s.last.rules == before)

    asyncio.run(run())


def test_a_key_that_leaves_is_told_by_its_tag(make_server, tmp_path):
    old, new = Issuer("ES256"), Issuer("ES256")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(old.jwks(new)))
    server = make_server([old.config({"jwks_file": str(path), "grace": "1s"})]).wait_until_ready()
    token = old.token()
    tags = server.client.verify(token, with_tags=True).tags
    others = server.client.verify(new.token(), with_tags=True).tags

    async def run():
        async with connection(server.grpc) as stub:
            stream = await Stream(stub).begin()
            path.write_text(json.dumps(new.jwks()))
            await stream.until(lambda s: s.changes)
            assert [change.kind for change in stream.changes] == [KEY_GONE]
            assert stream.changes[0].tag in tags
            assert stream.changes[0].tag not in others
            assert_denied(await stub.Verify(messages.VerifyRequest(token=token)), "TOKEN_INVALID")

    asyncio.run(run())


def test_a_shutdown_ends_every_stream_at_once(server):
    async def run():
        async with AsyncExitStack() as stack:
            stub = await stack.enter_async_context(connection(server.grpc))
            streams = [await Stream(stub).begin() for _ in range(100)]
            stuck = await stack.enter_async_context(connection(server.grpc, SMALL))
            streams.append(await Stream(stuck).begin())
            last = await revoke_many(stub, 0, 5000)
            await streams[0].until(lambda s: s.last.revision == last)
            server._process.popen.send_signal(signal.SIGTERM)
            # One that had to be cancelled when the grace is over would say so.
            for stream in streams:
                assert await stream.status() == grpc.StatusCode.UNAVAILABLE

    asyncio.run(run())
    server.stop()


def test_a_thousand_watchers_hear_of_a_hundred_changes_each(server):
    async def run():
        before = rss_bytes(server.pid)
        async with AsyncExitStack() as stack:
            stubs = [await stack.enter_async_context(connection(server.grpc)) for _ in range(10)]
            streams = await asyncio.gather(*(Stream(stubs[i % 10]).begin() for i in range(1000)))
            assert 'gatehouse_watchers 1000' in server.get("/metrics")[1]
            last = await revoke_many(stubs[0], 0, 100)
            await asyncio.gather(
                *(s.until(lambda s: s.last.revision == last) for s in streams)
            )
            for stream in streams:
                assert len(stream.changes) == 100
                assert stream.fell_behind == 0
                assert stream.messages < 100, "several changes come in one message"
            grown = (rss_bytes(server.pid) - before) / 1000
        print(f"\n100 changes came in {sum(s.messages for s in streams) / 1000:.1f} messages")
        print(f"1,000 watchers took {grown / 1000:.1f} kB of memory each")
        assert grown < 100_000
        wait_until(lambda: 'gatehouse_watchers 0' in server.get("/metrics")[1], "all to be gone")

    asyncio.run(run())


def test_a_caller_has_a_share_of_the_watchers_and_two_leave_places_for_a_third(
    make_server, hmac_issuer, tmp_path
):
    greedy, second, other = callers = [
        Caller(tmp_path, name, ["watch"]) for name in ("greedy", "second", "other")
    ]
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)], callers=[caller.config for caller in callers]
    )

    async def run():
        async with AsyncExitStack() as stack:
            stubs = [await stack.enter_async_context(connection(server.grpc)) for _ in range(8)]
            kept = []  # one that nobody holds is cancelled
            for caller, places in [(greedy, 1200), (second, 2000 - 64 - 1200), (other, 16)]:
                kept += await asyncio.gather(
                    *(Stream(stubs[i % 8], caller.metadata).begin() for i in range(places))
                )
                refused = Stream(stubs[0], caller.metadata)
                assert await refused.status() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert len(kept) == 2000 - 64 + 16
            kept.clear()
        too_many = 'gatehouse_watchers_cut_off_total{reason="too_many"} 3'
        assert too_many in server.get("/metrics")[1]
        wait_until(lambda: "gatehouse_watchers 0" in server.get("/metrics")[1], "all to be gone")

    asyncio.run(run())


def test_one_who_does_not_read_is_cut_off_and_delays_nobody(server):
    async def run():
        async with connection(server.grpc) as stub, connection(server.grpc, SMALL) as slow:
            reader = await Stream(stub).begin()
            sleeper = await Stream(slow).begin()
            before = rss_bytes(server.pid)
            most = before
            last = 0
            for i in range(12):
                last = await revoke_many(stub, i * 1000, 1000)
                await reader.until(lambda s, n=last: s.last.revision >= n)
                most = max(most, rss_bytes(server.pid))
            assert reader.revisions == list(range(1, last + 1))
            cut = 'gatehouse_watchers_cut_off_total{reason="slow"} 1'
            while cut not in server.get("/metrics")[1]:
                await reader.read()
            assert reader.fell_behind == 0
            assert await sleeper.status() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "does not read" in await sleeper.call.details()
            # Behind the first one: who comes with what the store began with has to empty
            # its memory.
            again = await Stream(
                stub, from_revision=1, store_id=reader.last.store_id
            ).begin()
            await again.until(lambda s: s.last.revision == last)
            assert again.changes == reader.changes[1:]
            print(f"\n{last} changes; the server grew by {(most - before) / 1e6:.1f} MB")
            assert most - before < (512e6 if is_sanitized(server.pid) else 64e6)

    asyncio.run(run())


def test_a_question_may_name_the_revision_that_it_must_not_be_behind(server, hmac_issuer):
    client, token = server.client, hmac_issuer.token()
    done = client.revoke(revoke_request("one"))
    here = {"store_id": done.store_id}
    assert client.verify(token, min_revision=done.revision, **here).revision == done.revision
    fails = [
        (INVALID_ARGUMENT, {"min_revision": 1}),
        (INVALID_ARGUMENT, {"min_revision": -1, **here}),
        (FAILED_PRECONDITION, {"min_revision": 1, "store_id": "0" * 32}),
    ]
    for status, fields in fails:
        assert status_of(lambda f=fields: client.verify(token, **f)) == status
        assert status_of(lambda f=fields: client.authorize(token, "task/1", "ada", **f)) == status
    request = messages.VerifyRequest(token=token, min_revision=done.revision + 1, **here)
    late = status_of(lambda: client.stub.Verify(request, timeout=1))
    assert late == grpc.StatusCode.UNAVAILABLE
    answers = []
    asker = threading.Thread(target=lambda: answers.append(client.stub.Verify(request, timeout=60)))
    asker.start()
    # Whichever is first: it is answered by what it named, or by more.
    made = client.revoke(revoke_request("two"))
    asker.join(60)
    assert answers[0].revision >= made.revision


def test_every_kind_of_question_says_how_long_it_may_be_remembered(make_server, tmp_path):
    issuer = Issuer("HS256")
    config = issuer.config_with_file(tmp_path)
    server = make_server([config])
    server.client.revoke(
        messages.RevokeRequest(
            subject=revocation_pb2.SubjectTarget(issuer=URL, subject="away"),
            expire_time=Timestamp(seconds=int(time.time()) + 20),
        )
    )
    suspended = server.client.verify(issuer.token(sub="away"))
    assert_denied(suspended, "TOKEN_REVOKED")
    assert timedelta(0) < suspended.remember_for.ToTimedelta() <= timedelta(seconds=20)
    never = make_server(
        [config], revocations={"sqlite": {"path": "gatehouse.db"}, "remember_for": "0s"}
    )
    check = messages.Check(resource="task/1", owner="ada", action="read")

    def ask(client, token, **fields):
        common = {"token": token, **fields}
        return [
            client.verify(token, **fields),
            client.authorize(token, "task/1", "ada", **fields),
            client.authorize(token, "task/1", "bob", **fields),
            client.stub.BatchAuthorize(
                messages.BatchAuthorizeRequest(checks=[check], **common), timeout=30
            ),
            client.stub.Filter(
                messages.FilterRequest(resource_type="task", action="read", **common), timeout=30
            ),
        ]

    full = issuer.token(sid="s", tenant="t")
    for reply in ask(server.client, full, with_tags=True):
        assert reply.remember_for.ToTimedelta() == timedelta(seconds=30)
        assert [len(tag) for tag in reply.tags] == [16] * 4  # token, session, subject, key
        assert len(reply.rules) == 32
    for reply in ask(server.client, full):
        assert reply.HasField("remember_for") and not reply.tags
    soon = issuer.token(exp=int(time.time()) + 20)
    for reply in ask(server.client, soon):
        assert timedelta(0) < reply.remember_for.ToTimedelta() <= timedelta(seconds=20)
    for reply in ask(never.client, full, with_tags=True):
        assert not reply.HasField("remember_for")
    for reply in ask(server.client, issuer.token(exp=1, iat=0)):
        assert_denied(reply, "TOKEN_EXPIRED")
        assert not reply.HasField("remember_for")


def test_rules_are_those_of_another_replica_and_of_after_a_restart(make_server, tmp_path):
    config = Issuer("HS256").config_with_file(tmp_path)
    one, other = make_server([config]), make_server([config])

    def rules(server):
        return server.client.verify("x").rules

    before = rules(one)
    assert rules(other) == before
    assert rules(one.restart()) == before


def test_one_who_remembers_uses_no_allowance_that_was_taken_back(server, hmac_issuer):
    """Random revocations and questions; then a server that says nothing for a while."""
    chance = random.Random(6)
    taken_back = {}

    async def run():
        async with connection(server.grpc) as stub, connection(server.grpc) as own:
            client = RememberingClient(own)
            following = asyncio.create_task(client.follow())
            await come_true(lambda: client.live, "a live stream")
            names = iter(range(1_000_000))
            tokens = {}
            worst = 0.0

            async def revoke(jti):
                await stub.Revoke(revoke_request(jti))
                taken_back[jti] = time.monotonic()

            async def question():
                nonlocal worst
                jti = chance.choice(list(tokens))
                begun = time.monotonic()
                reply, remembered = await client.verify(tokens[jti])
                if jti not in taken_back or not allows(reply) or taken_back[jti] > begun:
                    return
                late = begun - taken_back[jti]
                assert remembered, "the server itself allowed what it had taken back"
                assert late < client.MAX_STALENESS, "an old allowance was used"
                worst = max(worst, late)

            end = time.monotonic() + 8
            while time.monotonic() < end:
                for _ in range(5):
                    jti = f"j{next(names)}"
                    tokens[jti] = hmac_issuer.token(jti=jti)
                    if len(tokens) > 60:
                        tokens.pop(next(iter(tokens)))
                some = chance.sample(list(tokens), 3)
                await asyncio.gather(
                    *(revoke(jti) for jti in some if jti not in taken_back),
                    *(question() for _ in range(60)),
                )
            assert client.remembered > 1000
            print(
                f"\n{client.remembered} remembered, {client.asked} asked, {len(taken_back)} taken "
                f"back; an allowance was used {worst * 1000:.1f} ms after that at most"
            )
            jti, token = "last", hmac_issuer.token(jti="last")
            await client.verify(token)
            assert allows(client.recall(token))
            server._process.popen.send_signal(signal.SIGSTOP)
            await come_true(lambda: not client.live, "the memory to be out of use")
            assert client.recall(token) is None
            server._process.popen.send_signal(signal.SIGCONT)
            await come_true(lambda: client.live, "a live stream")
            await revoke(jti)
            reply, _ = await client.verify(token)
            while allows(reply):
                assert time.monotonic() - taken_back[jti] < client.MAX_STALENESS
                reply, _ = await client.verify(token)
            following.cancel()

    asyncio.run(run())
