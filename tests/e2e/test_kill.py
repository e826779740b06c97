"""Nothing that was acknowledged is lost, however the server ends."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from gatehouse.v1 import decision_pb2

from support.client import assert_denied
from support.issuers import URL
from support.revokers import Revokers

REVOKED = decision_pb2.Code.Value("CODE_TOKEN_REVOKED")
ROUNDS = int(os.environ.get("GATEHOUSE_KILL_ROUNDS", "3"))


class Judge:
    """Knows what was acknowledged, with a token of each."""

    def __init__(self, issuer):
        self._issuer = issuer
        self._tokens: dict[str, str] = {}

    def lost(self, server, token_ids: list[str], listed: list) -> list[str]:
        """Those that are not listed, and those whose tokens are not refused."""
        there = {each.token_id.token_id for each in listed}
        missing = {token_id for token_id in token_ids if token_id not in there}
        for token_id in token_ids:
            if token_id not in self._tokens:
                self._tokens[token_id] = self._issuer.token(jti=token_id)

        def is_good(token_id: str) -> bool:
            return server.client.verify(self._tokens[token_id]).decision.code != REVOKED

        with ThreadPoolExecutor(8) as pool:
            good = {each for each, is_it in zip(token_ids, pool.map(is_good, token_ids)) if is_it}
        return sorted(missing | good)


def newest(server, prefix: str) -> list:
    """Those whose token ids begin so, as far as they are the newest."""
    found, page_token = [], ""
    while True:
        page = server.client.page(page_size=1000, page_token=page_token)
        found += [each for each in page.revocations if each.token_id.token_id.startswith(prefix)]
        page_token = page.next_page_token
        if not page_token or not page.revocations[-1].token_id.token_id.startswith(prefix):
            return found


# The kernel has all that a killed process wrote: whether it was synced is another question,
# which tests/revocation/power_cut_test.cc asks. With synchronous=OFF this would lose nothing.
def test_kill_in_the_middle_of_64_revokers_loses_nothing(server, hmac_issuer):
    judge = Judge(hmac_issuer)
    acknowledged: list[str] = []
    lost: set[str] = set()
    for number in range(1, ROUNDS + 1):
        name = f"round{number}"
        revokers = Revokers(server.grpc, name)
        revokers.wait_for(random.randint(1, 250))
        server.kill()
        revokers.join()
        acknowledged += revokers.acknowledged
        server.start()
        lost |= set(judge.lost(server, revokers.acknowledged, newest(server, f"{name}-")))
        if number % 10 == 0 or number == ROUNDS:
            print(f"{number} of {ROUNDS} rounds: {len(acknowledged)} acknowledged, {len(lost)} lost")
        assert not lost
    # Those of the first round have seen all that came after.
    lost |= set(judge.lost(server, acknowledged, server.client.revocations()))
    print(f"in all: {len(acknowledged)} acknowledged, {len(lost)} lost")
    assert not lost
    # The judge is no yes-man: what nobody revoked is good.
    assert judge.lost(server, ["never-revoked"], []) == ["never-revoked"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_orderly_end_under_load_loses_nothing(server, hmac_issuer, how):
    revokers = Revokers(server.grpc, "term")
    revokers.wait_for(500)
    server.stop(how)
    revokers.join()
    # In flight at the end: done, or told to try again. A call that comes in the very
    # moment of the end never reaches us: gRPC itself resets it, which reads CANCELLED.
    assert revokers.statuses <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    server.start()
    gone = Judge(hmac_issuer).lost(server, revokers.acknowledged, server.client.revocations())
    print(f"{len(revokers.acknowledged)} acknowledged before {how.name}, {len(gone)} lost")
    assert not gone


def test_revocation_is_in_force_on_the_very_next_call(server, hmac_issuer):
    for number in range(200):
        token = hmac_issuer.token(jti=f"next-{number}")
        server.client.verify(token)
        server.client.revoke_token_id(URL, f"next-{number}")
        assert_denied(server.client.verify(token), "TOKEN_REVOKED")
