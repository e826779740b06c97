"""A policy that is tried beside the one in force."""

import copy
import random
import re

from gatehouse.v1 import decision_pb2
from support.client import assert_allowed
from support.questions import POLICY, ask_batch, batches, without_rule
from support.waiting import wait_until

OK = decision_pb2.CODE_OK


def outcomes(server) -> dict[str, int]:
    pattern = r'gatehouse_shadow_decisions_total{outcome="(\w+)"} (\d+)'
    return {name: int(count) for name, count in re.findall(pattern, server.get("/metrics")[1])}


def codes(server, requests) -> list[int]:
    return [one.code for request in requests for one in ask_batch(server, request).decisions]


def test_differences_are_counted_and_change_no_answer(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    stricter = without_rule("read", "allow", 0)
    looser = without_rule("write", "deny", 0)
    requests = batches(hmac_issuer, random.Random(5), count=6, size=50)
    alone = codes(make_server([issuer], policy=POLICY).wait_until_ready(), requests)
    for shadow in (stricter, looser):
        would = codes(make_server([issuer], policy=shadow).wait_until_ready(), requests)
        server = make_server(
            [issuer], policy=POLICY, shadow={"policy": shadow}
        ).wait_until_ready()
        assert codes(server, requests) == alone
        pairs = list(zip(alone, would))
        expected = {
            "same": sum(a == b for a, b in pairs),
            "would_allow": sum(a != OK and b == OK for a, b in pairs),
            "would_deny": sum(a == OK and b != OK for a, b in pairs),
        }
        assert expected["would_allow"] + expected["would_deny"] > 0
        assert outcomes(server) == expected
        wait_until(lambda: server.log.count("the shadow policy differs") > 0, "a line about it")


def test_log_says_both_verdicts_and_rules(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    server = make_server(
        [issuer], policy=POLICY, shadow={"policy": without_rule("read", "allow", 0)}
    ).wait_until_ready()
    token = hmac_issuer.token()
    assert_allowed(server.client.authorize(token, "task/7", "ada"))
    assert outcomes(server) == {"same": 0, "would_allow": 0, "would_deny": 1}
    line = (
        'the shadow policy differs resource="task/7" action="read" subject="ada" '
        f'issuer="{hmac_issuer.issuer}" verdict="allow" rule="allow[0] owner" '
        'shadow_verdict="deny" shadow_rule="no rule allows it"'
    )
    wait_until(lambda: line in server.log, line)


def test_token_that_is_no_good_is_not_tried(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path)
    server = make_server([issuer], policy=POLICY, shadow={"policy": copy.deepcopy(POLICY)}).wait_until_ready()
    server.client.authorize("a.b.c", "task/7", "ada")
    server.client.verify(hmac_issuer.token())
    assert outcomes(server) == {"same": 0, "would_allow": 0, "would_deny": 0}


def test_claims_that_only_the_shadow_tests_are_known(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path)
    blue = [{"who": "authenticated", "when": [{"claim": "team", "equals": "blue"}]}]
    shadow = {"resources": {"task": {"actions": {"read": {"allow": blue}}}}}
    server = make_server([issuer], policy=POLICY, shadow={"policy": shadow}).wait_until_ready()
    token = hmac_issuer.token(team="blue")
    for _ in range(2):
        server.client.authorize(token, "task/7", "bob")
    assert outcomes(server) == {"same": 0, "would_allow": 2, "would_deny": 0}
