"""The Better Auth plugin, on a real Better Auth and a real Gatehouse: what it ends, it revokes."""

import pytest

from app import Refused, User, claims_of
from events import (
    BOTH,
    CASES,
    KINDS,
    Case,
    reset_first_password,
    reset_password,
    revoke_sessions,
    set_role,
    sign_out,
)
from place import Tokens, World, named, on_both
from support.client import assert_allowed, assert_denied
from support.waiting import wait_until


@named(CASES, on_postgres=KINDS)
def test_what_ends_is_refused_when_the_answer_comes(place, name):
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    case.event(world)
    tokens.assert_only_ended(case, waiting=False)
    assert place.app.outbox() == []
    tokens.assert_who_may_go_on(case)


@named(CASES, on_postgres=KINDS)
def test_what_ends_while_gatehouse_is_down_is_refused_when_it_is_back(place, name):
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    place.gatehouse.kill()
    case.event(world)
    left = place.app.outbox()
    assert left and all(row["seenAt"] for row in left)
    place.gatehouse.start()
    tokens.assert_only_ended(case, waiting=True)
    tokens.assert_who_may_go_on(case)


def test_what_ended_late_is_refused_up_to_its_own_second_only(place):
    world = World(place)
    old = world.phone.token()
    place.gatehouse.kill()
    set_role(world)
    new = place.token_of_a_later_second(world.phone)
    place.gatehouse.start()
    place.wait_until_revoked([old])
    assert_allowed(place.verify(new))
    assert claims_of(new)["roles"] == ["user", "admin"]


@pytest.mark.parametrize("flags", [[], ["--no-transactions"], ["--secondary"]])
def test_who_signs_up_has_a_good_token_at_once(make_place, flags):
    place = make_place(*flags)
    ada = User(place.app, "ada")
    token = ada.browser.token()
    assert claims_of(token)["sub"] == ada.id
    assert_allowed(place.verify(token))
    assert place.app.outbox() == []
    assert len(place.gatehouse.client.revocations()) == 0
    assert "could not" not in place.app.log
    if "--secondary" in flags:
        world = World(place)
        tokens = Tokens(place, world)
        reset_first_password(world)
        tokens.assert_only_ended(Case(None, BOTH), waiting=False)


def test_a_reset_that_ends_sessions_ends_them_here_too(make_place):
    place = make_place("--end-sessions-on-reset")
    world, case = World(place), Case(reset_password, BOTH, BOTH)
    tokens = Tokens(place, world)
    case.event(world)
    tokens.assert_only_ended(case, waiting=False)
    tokens.assert_who_may_go_on(case)


def test_only_the_impersonation_ends_when_it_is_stopped(place):
    world = World(place)
    before = Tokens(place, world)
    world.admin.post("admin/impersonate-user", userId=world.ada.id)
    token = world.admin.token()
    assert claims_of(token)["sub"] == world.ada.id
    assert_allowed(place.verify(token))
    world.admin.post("admin/stop-impersonating")
    assert_denied(place.verify(token), "TOKEN_REVOKED")
    before.assert_only_ended(Case(None, set()), waiting=False)
    assert_allowed(place.verify(world.admin.token()))


@on_both
def test_what_is_refused_revokes_nothing(place):
    world = World(place)
    tokens = Tokens(place, world)
    known = len(place.gatehouse.client.revocations())
    bob = world.bob.browser
    for path, fields in {
        "admin/ban-user": {"userId": world.ada.id},
        "admin/set-role": {"userId": world.ada.id, "role": "admin"},
        "admin/remove-user": {"userId": world.ada.id},
        "organization/remove-member": {"memberIdOrEmail": world.member, "organizationId": world.org},
        "change-password": {"currentPassword": "wrong", "newPassword": "a new password"},
    }.items():
        with pytest.raises(Refused):
            bob.post(path, **fields)
    bob.post("revoke-session", token=world.phone.session_token)  # not his: says yes, does nothing
    world.laptop.post("update-user", name="Countess")
    tokens.assert_only_ended(Case(None, set()), waiting=False)
    assert place.app.outbox() == []
    assert len(place.gatehouse.client.revocations()) == known


@on_both
def test_a_session_that_has_ended_by_itself_is_not_revoked(place):
    world = World(place)
    token = world.phone.token()
    known = len(place.gatehouse.client.revocations())
    sid = claims_of(token)["sid"]
    sql = 'UPDATE session SET "expiresAt" = ? WHERE id = ?'
    place.app.sql(sql, "2020-01-01T00:00:00.000Z", sid)
    with pytest.raises(Refused):
        world.phone.token()
    assert_allowed(place.verify(token))
    assert len(place.gatehouse.client.revocations()) == known


def test_whoever_signs_in_again_gets_in(place):
    world = World(place)
    token = world.laptop.token()
    sign_out(world)
    assert_denied(place.verify(token), "TOKEN_REVOKED")
    # Of the same second it may be: the session is another one.
    assert_allowed(place.verify(world.ada.sign_in().token()))


@on_both
def test_every_one_of_many_sessions_ends(place):
    """Better Auth tells its own hooks of the first hundred only."""
    world = World(place)
    for number in range(150):
        place.app.sql(
            'INSERT INTO session (id, "userId", token, "expiresAt", "createdAt", "updatedAt")'
            " VALUES (?, ?, ?, ?, ?, ?)",
            f"{world.ada.id}-{number}", world.ada.id, f"token-{world.ada.id}-{number}",
            *["2100-01-01T00:00:00.000Z"] * 3,
        )  # fmt: skip
    revoke_sessions(world)
    wait_until(lambda: place.app.outbox() == [], "an empty outbox")
    targets = {fact.session.session_id for fact in place.gatehouse.client.revocations()}
    assert {f"{world.ada.id}-{number}" for number in range(150)} <= targets


@pytest.mark.parametrize(
    "name", ["sign-out", "revoke-other-sessions", "revoke-sessions", "ban", "remove-user", "set-role"]
)
def test_sessions_in_a_secondary_storage_alone_end_too(make_place, name):
    place = make_place("--secondary")
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    case.event(world)
    tokens.assert_only_ended(case, waiting=True)
    tokens.assert_who_may_go_on(case)


@pytest.mark.parametrize("more", [[], ["--preserve-sessions"]], ids=["stored", "preserved"])
@pytest.mark.parametrize("name", ["sign-out", "revoke-sessions", "ban"])
def test_sessions_in_both_storages_end_too(make_place, name, more):
    place = make_place("--secondary", "--store-sessions", *more)
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    case.event(world)
    tokens.assert_only_ended(case, waiting=True)
    tokens.assert_who_may_go_on(case)
