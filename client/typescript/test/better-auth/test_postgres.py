"""What is PostgreSQL's own: the table as its migrations make it, its ids, and its transactions."""

import pytest

from app import Refused
from events import BOTH, CASES, Case, leave, revoke_sessions, sign_out
from place import Tokens, World
from support.client import assert_allowed, assert_denied
from support.waiting import wait_until

COLUMNS = {
    "id": "text",
    "kind": "text",
    "target": "text",
    "issuer": "text",
    "reason": "text",
    "userId": "text",
    "endsAt": "bigint",
    "together": "boolean",
    "seenAt": "bigint",
    "dueAt": "bigint",
    "attempts": "integer",
    "createdAt": "bigint",
}


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_better_auths_migrations_make_the_table(place, postgres):
    def ask(sql):
        return postgres.query(place.app.database, sql)

    columns = ask(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_name = 'gatehouseOutbox'"
    )
    assert {name: kind for name, kind, _ in columns} == COLUMNS
    assert {name for name, _, null in columns if null == "YES"} == {"userId", "endsAt", "seenAt"}
    [index] = ask(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'gatehouseOutbox'"
        " AND indexname NOT LIKE '%_pkey'"
    )
    assert index[0].endswith('("dueAt")')


@pytest.mark.parametrize("ids", ["serial", "uuid"])
def test_what_has_a_number_or_a_uuid_for_an_id_ends_too(make_place, ids):
    """Better Auth's `generateId`: the columns are then of another type."""
    place = make_place("--ids", ids, on="postgres")
    world, case = World(place), Case(None, BOTH, {"laptop"})
    tokens = Tokens(place, world)
    place.gatehouse.kill()
    leave(world)
    sign_out(world)
    assert {row["kind"] for row in place.app.outbox()} == {"subject", "session"}
    place.gatehouse.start()
    tokens.assert_only_ended(case, waiting=True)
    tokens.assert_who_may_go_on(case)


def test_two_processes_that_sweep_deliver_every_row(make_place):
    place = make_place(on="postgres")
    world = World(place)
    second = place.app.second()
    ended = set()
    for user in (world.ada, world.bob):
        for number in range(60):
            sid = f"{user.id}-{number}"
            ended.add(sid)
            place.app.sql(
                'INSERT INTO session (id, "userId", token, "expiresAt", "createdAt", "updatedAt")'
                " VALUES (?, ?, ?, ?, ?, ?)",
                sid, user.id, f"token-{sid}", *["2100-01-01T00:00:00.000Z"] * 3,
            )  # fmt: skip
    place.gatehouse.kill()
    revoke_sessions(world)
    world.bob.browser.via(second).post("revoke-sessions")
    assert {row["target"] for row in place.app.outbox()} > ended
    place.gatehouse.start()
    wait_until(lambda: place.app.outbox() == [], "an empty outbox")
    revoked = {fact.session.session_id for fact in place.gatehouse.client.revocations()}
    assert revoked > ended
    second.stop()


# Leaving happens in a transaction of Better Auth's own, which a refused statement ends.
REFUSE = 'ALTER TABLE "gatehouseOutbox" ADD CONSTRAINT refused CHECK (false)'


def test_a_table_that_takes_no_row_lets_a_member_leave(make_place):
    """It is known before the transaction begins."""
    place = make_place(on="postgres")
    world, case = World(place), CASES["leave"]
    tokens = Tokens(place, world)
    place.app.sql(REFUSE)
    place.app.stop()
    place.app.start()
    case.event(world)
    tokens.assert_only_ended(case, waiting=False)
    assert "the outbox takes no row" in place.app.log


def test_the_first_row_that_is_refused_fails_its_event_and_no_other(make_place):
    place = make_place(on="postgres")
    world, case = World(place), CASES["leave"]
    tokens = Tokens(place, world)
    sign_out_first = world.bob.sign_in()
    sign_out_first.post("sign-out")  # the table takes it
    place.app.sql(REFUSE)
    with pytest.raises(Refused) as refused:
        leave(world)
    assert refused.value.status == 500
    for token in tokens.of.values():
        assert_allowed(place.verify(token))
    leave(world)
    tokens.assert_only_ended(case, waiting=False)
    # Where the transaction is the plugin's own, none fails.
    token = world.laptop.token()
    sign_out(world)
    assert_denied(place.verify(token), "TOKEN_REVOKED")
