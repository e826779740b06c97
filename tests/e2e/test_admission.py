"""Too much at once, and too late: who floods is refused, and others are served."""

import collections
import contextlib
import json
import re
import secrets
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from gatehouse.v1 import decision_pb2

from support.callers import Caller
from support.client import assert_allowed, assert_denied, messages, status_of
from support.http2 import call, connect, read_until_closed
from support.issuers import URL, Issuer, forge
from support.waiting import wait_until

FLOOD = 3000
# Of one connection: no more than it takes without a word from the server.
STREAMS = 100
# What becomes of forged tokens of unknown kids: refused at once are those that come
# faster than they can be looked at.
ENDS = {
    "CODE_TOKEN_INVALID",
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@pytest.fixture
def flooder(tmp_path) -> Caller:
    return Caller(tmp_path, "flooder")


@pytest.fixture
def neighbour(tmp_path) -> Caller:
    return Caller(tmp_path, "neighbour")


@pytest.fixture
def eddsa() -> Issuer:
    return Issuer("EdDSA")


@pytest.fixture
def guarded(make_server, eddsa, tmp_path, flooder, neighbour):
    issuers = [eddsa.config_with_file(tmp_path)]
    return make_server(issuers, callers=[flooder.config, neighbour.config]).wait_until_ready()


def forged(token: str) -> str:
    """Well formed, of a known kid, and unlike any other; only its signature is wrong."""
    return f"{token.rsplit('.', 1)[0]}.{secrets.token_urlsafe(64)[:85]}A"


def refused(server, reason: str) -> int:
    text = server.get("/metrics")[1]
    return int(re.search(rf'gatehouse_refused_total{{reason="{reason}"}} (\d+)', text)[1])


def calls_of(server, caller: str) -> dict[str, int]:
    """How many of them have ended, by status."""
    pattern = rf'gatehouse_calls_total{{caller="{caller}",code="(\w+)"}} (\d+)'
    return {code: int(count) for code, count in re.findall(pattern, server.get("/metrics")[1])}


def test_flood_of_forged_tokens_is_denied_or_refused_and_a_neighbour_is_served(
    guarded, eddsa, flooder, neighbour
):
    """The flood is sent byte by byte: all of it is there before any of it is answered."""
    token, fresh = eddsa.token(), [eddsa.token(jti=str(n)) for n in range(20)]
    client = neighbour.client(guarded.grpc)
    assert_allowed(client.verify(token))
    headers = {"authorization": f"Bearer {flooder.token}"}

    def forged_call(n: int) -> bytes:
        request = messages.VerifyRequest(token=forged(token))
        return call(1 + 2 * n, request.SerializeToString(), headers)

    flood = [b"".join(map(forged_call, range(STREAMS))) for _ in range(FLOOD // STREAMS)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(guarded.grpc)) for _ in flood]
        for connection, calls in zip(connections, flood, strict=True):
            connection.sendall(calls)
        for one in fresh:
            assert_allowed(client.verify(token))
            assert_allowed(client.verify(one))
        assert client.revoke_token(fresh[0]).revocation.actor == "neighbour"
        assert_denied(client.verify(fresh[0]), "TOKEN_REVOKED")
        assert client.serving() == "SERVING"
        wait_until(lambda: sum(calls_of(guarded, "flooder").values()) == FLOOD, "the flood's end")
    told = calls_of(guarded, "flooder")
    assert set(told) == {"OK", "RESOURCE_EXHAUSTED"}
    assert refused(guarded, "overload") == told["RESOURCE_EXHAUSTED"] > 0
    assert set(calls_of(guarded, "neighbour")) == {"OK"}
    # It is over when it is over: the flooder itself is served again.
    flood = flooder.client(guarded.grpc)
    assert_denied(flood.verify(forged(token)), "TOKEN_INVALID")
    assert_allowed(flood.verify(eddsa.token(jti="again")))
    wait_until(
        lambda: "gatehouse_cold_calls 0\n" in guarded.get("/metrics")[1], "no cold call is left"
    )
    flood.close()
    client.close()


def test_call_whose_deadline_passes_before_its_turn_is_not_begun(guarded, eddsa, neighbour):
    """Sent byte by byte, since a client does not send what is too late already."""
    token = eddsa.token()
    headers = {"authorization": f"Bearer {neighbour.token}", "grpc-timeout": "3m"}

    def some_are_late() -> bool:
        with connect(guarded.grpc) as connection:
            requests = [messages.VerifyRequest(token=forged(token)) for _ in range(100)]
            connection.sendall(
                b"".join(
                    call(1 + 2 * n, request.SerializeToString(), headers)
                    for n, request in enumerate(requests)
                )
            )
            return refused(guarded, "deadline") > 0

    wait_until(some_are_late, "a call to wait longer for its turn than it had")
    text = guarded.get("/metrics")[1]
    assert 'gatehouse_calls_total{caller="neighbour",code="DEADLINE_EXCEEDED"}' in text


def test_connection_that_never_speaks_is_closed(guarded):
    host, port = guarded.grpc.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as silent:
        read_until_closed(silent)


def test_revocations_are_served_under_a_flood_of_forged_ones(guarded, eddsa, flooder, neighbour):
    token = eddsa.token()
    flood = flooder.client(guarded.grpc)
    under_way = [
        flood.stub.Revoke.future(
            messages.RevokeRequest(token=forged(token)), timeout=60, metadata=flooder.metadata
        )
        for _ in range(FLOOD)
    ]
    client = neighbour.client(guarded.grpc)
    assert client.revoke_token(token).revocation.actor == "neighbour"
    assert client.revoke_session(URL, "s1").revocation.actor == "neighbour"
    assert_denied(client.verify(token), "TOKEN_REVOKED")
    for one in under_way:
        assert one.exception().code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
    flood.close()
    client.close()


class HeldKeys:
    """A key set behind a gate: `shut` holds every answer until `open`."""

    def __init__(self, jwks_server, issuer: Issuer):
        self.keys = issuer.jwks()
        self.fetches = 0
        self._gate = threading.Event()
        self.open()
        self.url = jwks_server(self._answer).appear().url

    def _answer(self):
        self.fetches += 1
        self._gate.wait(120)
        return 200, json.dumps(self.keys).encode()

    def shut(self):
        self._gate.clear()

    def open(self):
        self._gate.set()


@pytest.fixture
def held_keys(jwks_server):
    made = []

    def make(issuer: Issuer) -> HeldKeys:
        made.append(HeldKeys(jwks_server, issuer))
        return made[-1]

    yield make
    for keys in made:
        keys.open()


def of_unknown_kid(issuer: Issuer, name: str) -> messages.VerifyRequest:
    token = forge({"alg": "EdDSA", "kid": name}, issuer.claims(jti=name), b"k" * 32)
    return messages.VerifyRequest(token=token)


def begin(clients: list, requests: list, timeout: float = 120) -> list:
    """Calls that go out at once, dealt to the clients in turn."""
    return [
        clients[n % len(clients)].stub.Verify.future(
            request, timeout=timeout, metadata=clients[n % len(clients)].metadata
        )
        for n, request in enumerate(requests)
    ]


def begin_in_turn(server, clients: list, requests: list) -> list:
    """As fast as the server looks at them, so that what they do is wait for keys."""
    under_way = []
    for n in range(0, len(requests), 100):
        under_way += begin(clients, requests[n : n + 100])
        wait_until(lambda: "gatehouse_cold_calls 0\n" in server.get("/metrics")[1], "a look at all")
    return under_way


def end(under_way: list) -> collections.Counter:
    return collections.Counter(
        one.code() if one.exception() else decision_pb2.Code.Name(one.result().decision.code)
        for one in under_way
    )


def verify_as_clients_do(client, token: str) -> int:
    """Until it is OK: repeated on UNAVAILABLE, which is all that a client repeats. Gives
    back how often."""
    tries = 0

    def is_answered() -> bool:
        nonlocal tries
        tries += 1
        try:
            assert_allowed(client.verify(token))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            return False
        return True

    wait_until(is_answered, "a good token of a new key")
    return tries


def test_ten_thousand_unknown_kids_do_not_keep_a_new_keys_tokens_out(
    make_server, eddsa, held_keys, flooder
):
    keys = held_keys(eddsa)
    server = make_server([eddsa.config({"jwks_url": keys.url})], callers=[flooder.config])
    client = flooder.client(server.grpc)
    wait_until(lambda: status_of(lambda: client.verify(eddsa.token())) == grpc.StatusCode.OK, "keys")
    rotated = Issuer("EdDSA")
    good = [rotated.token(jti=str(n)) for n in range(20)]
    forged_ones = [of_unknown_kid(eddsa, f"no-{n}") for n in range(10_000)]
    before, began = keys.fetches, time.monotonic()
    flood = [flooder.client(server.grpc) for _ in range(40)]
    under_way = begin_in_turn(server, flood, forged_ones[:5000])
    keys.keys = rotated.jwks(eddsa)
    with ThreadPoolExecutor(len(good)) as pool:
        tries = [pool.submit(verify_as_clients_do, client, token) for token in good]
        under_way += begin_in_turn(server, flood, forged_ones[5000:])
        tries = [one.result() for one in tries]
    told = end(under_way)
    seconds, fetches = time.monotonic() - began, keys.fetches - before
    print(f"{fetches} fetches in {seconds:.1f} s for {told}; the good ones' tries: {tries}")
    assert set(told) <= ENDS
    # One for each cooldown of 2 s, the one that is under way at each end, and no more.
    assert 1 <= fetches <= seconds / 2 + 2
    for one in (*flood, client):
        one.close()


def test_known_tokens_are_answered_while_five_callers_unknown_kids_take_all_waits(
    make_server, eddsa, held_keys, tmp_path, neighbour
):
    keys = held_keys(eddsa)
    flooders = [Caller(tmp_path, f"flooder-{n}") for n in range(5)]
    callers = [one.config for one in (*flooders, neighbour)]
    server = make_server([eddsa.config({"jwks_url": keys.url})], callers=callers)
    client, known = neighbour.client(server.grpc), eddsa.token()
    wait_until(lambda: status_of(lambda: client.verify(known)) == grpc.StatusCode.OK, "keys")
    keys.shut()
    clients = [one.client(server.grpc) for one in flooders for _ in range(8)]
    forged_ones = [of_unknown_kid(eddsa, f"no-{n}") for n in range(10_000)]
    under_way = begin_in_turn(server, clients, forged_ones)
    wait_until(lambda: refused(server, "overload") > 0, "somebody to be crowded out")
    for _ in range(50):
        assert_allowed(client.verify(known))
    # The forged ones were not let go meanwhile: most still wait.
    assert not all(one.done() for one in under_way)
    keys.open()
    told = end(under_way)
    assert set(told) <= ENDS and told[grpc.StatusCode.UNAVAILABLE] > 0
    for one in (*clients, client):
        one.close()


def test_unknown_kids_of_an_issuer_that_hangs_leave_the_callers_other_issuers_alone(
    make_server, held_keys, flooder
):
    hanging = Issuer("EdDSA", issuer="https://hanging.test")
    quick = Issuer("EdDSA", issuer="https://quick.test")
    rotated = Issuer("EdDSA", issuer="https://quick.test")
    held, answering = held_keys(hanging), held_keys(quick)
    server = make_server(
        [hanging.config({"jwks_url": held.url}), quick.config({"jwks_url": answering.url})],
        callers=[flooder.config],
    ).wait_until_ready()
    client = flooder.client(server.grpc)
    assert_allowed(client.verify(quick.token()))
    held.shut()
    # Its fetch waits for the cooldown, long enough for the flood to come in between.
    assert_denied(
        client.stub.Verify(of_unknown_kid(quick, "first"), timeout=60, metadata=client.metadata),
        "TOKEN_INVALID",
    )
    answering.keys = rotated.jwks(quick)
    good = begin([client], [messages.VerifyRequest(token=rotated.token())])
    clients = [flooder.client(server.grpc) for _ in range(24)]
    forged_ones = [of_unknown_kid(hanging, f"no-{n}") for n in range(6000)]
    under_way = begin_in_turn(server, clients, forged_ones)
    assert_allowed(good[0].result())
    wait_until(lambda: refused(server, "overload") > 0, "somebody to be crowded out")
    assert_allowed(client.verify(quick.token()))
    held.open()
    told = end(under_way)
    assert set(told) <= ENDS and told[grpc.StatusCode.UNAVAILABLE] > 0
    for one in (*clients, client):
        one.close()


def test_wait_for_keys_that_takes_the_whole_deadline_ends_as_unavailable(
    make_server, eddsa, held_keys
):
    keys = held_keys(eddsa)
    keys.shut()
    server = make_server([eddsa.config({"jwks_url": keys.url})])
    request = messages.VerifyRequest(token=eddsa.token())
    told = set()

    def is_unavailable() -> bool:
        told.add(status_of(lambda: server.client.stub.Verify(request, timeout=0.3)))
        return grpc.StatusCode.UNAVAILABLE in told

    wait_until(is_unavailable, f"UNAVAILABLE before the deadline: {told}")
    # On a machine that is busy the answer may come too late.
    assert told <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    keys.open()
