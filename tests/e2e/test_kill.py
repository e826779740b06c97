"""Nothing that was acknowledged is lost, however the server ends."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from support.client import assert_denied
from support.issuers import URL
from support.revokers import Revokers

ROUNDS = int(os.environ.get("GATEHOUSE_KILL_ROUNDS", "3"))


def lost(server, issuer, token_ids: list[str]) -> list[str]:
    """Those that are not listed, and those whose tokens are not refused."""
    listed = {each.token_id.token_id for each in server.client.revocations()}
    missing = {token_id for token_id in token_ids if token_id not in listed}

    def is_good(token_id: str) -> bool:
        reply = server.client.verify(issuer.token(jti=token_id))
        return reply.decision.code != 5  # CODE_TOKEN_REVOKED

    with ThreadPoolExecutor(8) as pool:
        good = {each for each, is_it in zip(token_ids, pool.map(is_good, token_ids)) if is_it}
    return sorted(missing | good)


def test_kill_in_the_middle_of_64_revokers_loses_nothing(server, hmac_issuer):
    acknowledged: list[str] = []
    for number in range(1, ROUNDS + 1):
        revokers = Revokers(server.grpc, f"round{number}")
        revokers.wait_for(random.randint(100, 1500))
        server.kill()
        revokers.join()
        acknowledged += revokers.acknowledged
        server.start()
        gone = lost(server, hmac_issuer, acknowledged)
        print(
            f"round {number} of {ROUNDS}: {len(revokers.acknowledged)} acknowledged before the"
            f" kill, {len(acknowledged)} in all, {len(gone)} lost"
        )
        assert not gone
    # The judge is no yes-man: what nobody revoked is good.
    assert lost(server, hmac_issuer, ["never-revoked"]) == ["never-revoked"]


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
    gone = lost(server, hmac_issuer, revokers.acknowledged)
    print(f"{len(revokers.acknowledged)} acknowledged before {how.name}, {len(gone)} lost")
    assert not gone


def test_revocation_is_in_force_on_the_very_next_call(server, hmac_issuer):
    for number in range(200):
        token = hmac_issuer.token(jti=f"next-{number}")
        server.client.verify(token)
        server.client.revoke_token_id(URL, f"next-{number}")
        assert_denied(server.client.verify(token), "TOKEN_REVOKED")
