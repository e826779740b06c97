"""The table of all clients, against the real server."""

from datetime import datetime, timedelta, timezone

import pytest

from gatehouse import Check, Denied, GatehouseError, Row
from support.stand import CASES, Stand


@pytest.fixture(scope="module", params=["remembering", "forgetting"])
def entries(request):
    return 10_000 if request.param == "remembering" else 0


@pytest.fixture(scope="module")
def fresh_stand():
    made = {}
    yield lambda key: made.setdefault(key, None) or made.update({key: Stand()}) or made[key]
    for one in made.values():
        one.end()


class Asker:
    def __init__(self, stand, clients):
        self.stand, self.clients, self.last = stand, clients, ""

    def step(self, step: dict):
        client = self.clients(step.get("caller", "backend"))
        expect, with_ = step["expect"], grown(step["with"])
        if not step.get("raw_token") and "token" in with_:
            with_["token"] = self.stand.tokens[with_["token"]]
        try:
            answer = getattr(self, step["call"])(client, with_)
        except Denied as denied:
            answer = denied.decision
        except GatehouseError as error:
            status = "UNAVAILABLE" if error.status == "DEADLINE_EXCEEDED" else error.status
            assert status == expect.get("error"), error
            assert expect.get("names", "") in str(error)
            return
        assert "error" not in expect, answer
        getattr(self, "check_" + step["call"])(answer, expect)

    def verify(self, client, with_):
        return client.verify(with_.pop("token"), **with_)

    def authorize(self, client, with_):
        return client.authorize(with_.pop("token"), with_.pop("resource"), **with_)

    def batch(self, client, with_):
        return client.batch_authorize(with_["token"], [Check(**one) for one in with_["checks"]])

    def filter(self, client, with_):
        return client.filter(with_["token"], with_["resource_type"], with_["action"])

    def revoke(self, client, with_):
        fields = {"reason": with_.get("reason", "")}
        if "expire_in" in with_:
            fields["expire_time"] = later(with_["expire_in"])
        names = {"session": "session_id", "client": "client_id", "key": "key_id"}
        for kind in ("token_id", "session", "subject", "tenant", "client", "key"):
            if kind in with_:
                target = with_[kind]
                fields |= {kind: target[names.get(kind, kind)], "issuer": target["issuer"]}
                if "issued_until_in" in target:
                    fields["issued_until"] = later(target["issued_until_in"])
        if "token" in with_:
            fields["token"] = with_["token"]
        return client.revoke(**fields)

    def reinstate(self, client, with_):
        id = self.last if with_["revocation"] == "last" else with_["revocation"]
        return client.reinstate(id, reason=with_.get("reason", ""))

    def check_verify(self, decision, expect):
        if "code" in expect:
            assert decision.code == expect["code"], decision
            assert decision.allowed == bool(decision) == (expect["code"] == "OK")
        if "allowed" in expect:
            assert decision.allowed == bool(decision) == expect["allowed"]
        assert decision.status == expect["status"]
        for name, value in expect.get("principal", {}).items():
            value = tuple(value) if isinstance(value, list) else value
            assert getattr(decision.principal, name) == value
        for name, value in expect.get("claims", {}).items():
            assert decision.principal.claims[name] == value
        assert bool(decision.explanation) == expect.get("explained", False)

    check_authorize = check_verify

    def check_batch(self, batch, expect):
        self.check_verify(batch.token, {k: v for k, v in expect.items() if k != "decisions"})
        said = [
            one.code.value if isinstance(wanted, str) else one.allowed
            for one, wanted in zip(batch.decisions, expect["decisions"], strict=True)
        ]
        assert said == expect["decisions"]

    def check_filter(self, found, expect):
        if not hasattr(found, "kind"):  # a bad token is no filter at all
            assert expect["kind"] == "none"
            self.check_verify(found, expect)
            return
        self.check_verify(found.decision, expect)
        assert found.kind == expect["kind"]
        for row in expect.get("selects", []):
            assert found.matches(Row(**row)), row
        for row in expect.get("leaves", []):
            assert not found.matches(Row(**row)), row

    def check_revoke(self, revoked, expect):
        self.last = revoked.id
        assert (revoked.kind, revoked.existed) == (expect["kind"], expect["existed"])

    def check_reinstate(self, revoked, expect):
        assert revoked.existed == expect["existed"]
        assert revoked.still_revoked == expect.get("still_revoked", revoked.still_revoked)


def grown(value):
    if isinstance(value, dict):
        if value.keys() == {"repeat", "times"}:
            return value["repeat"] * value["times"]
        return {name: grown(one) for name, one in value.items()}
    return [grown(one) for one in value] if isinstance(value, list) else value


def later(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def test_every_case_is_answered_as_the_table_says(connect, kind, entries, fresh_stand):
    stand = fresh_stand((kind, entries))
    made = {}

    def client(caller):
        if caller not in made:
            name = None if caller == "none" else caller
            made[caller] = connect(
                stand, name, live=caller == "backend", memory_entries=entries, deadline=1.0
            )
        return made[caller]

    asker, wrong = Asker(stand, client), []
    for case in CASES["cases"]:
        try:
            # What is kept in memory is asked again, and must be the same.
            for step in case.get("steps", [case]):
                for _ in range(2 if step["call"] not in ("revoke", "reinstate") else 1):
                    asker.step(step)
        except Exception as error:
            wrong.append(f"{case['name']}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    hits = made["backend"].figures().hits
    print(f"{len(CASES['cases'])} cases as expected, {hits} answers from memory")
    assert (hits > 30) == (entries > 0)


@pytest.mark.parametrize("case", CASES["replies"], ids=lambda case: case["name"])
def test_replies_that_no_server_of_today_gives(connect, stand, case):
    target = stand.do("stub", replies={case["call"]: case["reply"]}, watch=True)["grpc"]
    client = connect(stand, target=target)
    check = {"resource": "note/1", "action": "read", "owner": "ada"}
    with_ = {
        "verify": {},
        "authorize": check,
        "batch": {"checks": [check, {**check, "resource": "note/2"}, {**check, "action": "x"}]},
        "filter": {"resource_type": "note", "action": "read"},
    }[case["call"]]
    step = {"call": case["call"], "with": {"token": "ada", **with_}, "expect": case["expect"]}
    Asker(stand, lambda _: client).step(step)
