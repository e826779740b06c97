"""Random questions about tasks, and a policy with a rule of each kind for them."""

import copy
import random

from gatehouse.v1 import authorization_service_pb2 as messages
from support.client import DEADLINE

POLICY = {
    "roles": {"admin": {"includes": ["support"]}},
    "resources": {
        "task": {
            "actions": {
                "read": {"allow": ["owner", "role:support", "scope:task:read"]},
                "write": {
                    "allow": [
                        "relation:editor",
                        {
                            "who": "authenticated",
                            "when": [{"attribute": "team", "equals_claim": "/profile/team"}],
                        },
                    ],
                    "deny": [{"when": [{"attribute": "locked", "equals": "yes"}]}],
                },
            },
        },
    },
}
ACTIONS = ["read", "write"]


def without_rule(action: str, list_name: str, index: int) -> dict:
    changed = copy.deepcopy(POLICY)
    del changed["resources"]["task"]["actions"][action][list_name][index]
    return changed


def random_claims(rng: random.Random) -> dict:
    return {
        "sub": rng.choice(["ada", "bob", "eve|1", "zoë \"\\"]),
        "org": rng.choice(["acme", "other", None]),
        "roles": rng.choice([None, ["user"], ["admin"], ["support", "user"]]),
        "scope": rng.choice([None, "openid", "openid task:read"]),
        "profile": rng.choice([None, {"team": "blue"}, {"team": "red"}]),
    }


def random_check(rng: random.Random, number: int) -> messages.Check:
    check = messages.Check(
        resource=f"task/{number}",
        action=rng.choice(ACTIONS),
        owner=rng.choice(["", "ada", "bob", "eve|1", "zoë \"\\"]),
        tenant=rng.choice(["", "", "acme", "other"]),
    )
    if rng.random() < 0.5:
        check.relations["editor"].subjects.extend(rng.sample(["ada", "bob", "eve|1"], k=2))
    if rng.random() < 0.8:
        check.attributes["locked"] = rng.choice(["no", "no", "no", "yes", ""])
    if rng.random() < 0.7:
        check.attributes["team"] = rng.choice(["blue", "red", ""])
    return check


def batches(issuer, rng: random.Random, count: int, size: int) -> list[messages.BatchAuthorizeRequest]:
    return [
        messages.BatchAuthorizeRequest(
            token=issuer.token(**random_claims(rng)),
            checks=[random_check(rng, batch * size + n) for n in range(size)],
        )
        for batch in range(count)
    ]


def ask_batch(server, request: messages.BatchAuthorizeRequest) -> messages.BatchAuthorizeResponse:
    return server.client.stub.BatchAuthorize(request, timeout=DEADLINE)
