"""What stands in a token, and that no token says what is so no longer."""

import threading
import time

import pytest

from app import Browser, Refused, claims_of
from events import remove_member
from place import World, on_both
from support.client import assert_allowed, assert_denied
from support.waiting import wait_until


@on_both
def test_a_token_names_its_session_roles_and_organization_and_nothing_else_of_the_user(place):
    world = World(place)
    token = world.laptop.token()
    claims = claims_of(token)
    assert claims.keys() == {"sid", "jti", "roles", "org", "iat", "exp", "iss", "aud", "sub"}
    assert claims["roles"] == ["user", "org:member"]
    assert claims["org"] == world.org
    assert claims["jti"] != claims_of(world.laptop.token())["jti"]
    who = place.verify(token).principal
    assert (who.subject, who.session_id, who.tenant) == (world.ada.id, claims["sid"], world.org)
    assert (list(who.roles), who.email) == (["user", "org:member"], "")
    assert claims_of(world.phone.token())["roles"] == ["user"]
    assert "org" not in claims_of(world.phone.token())


@on_both
def test_a_banned_user_gets_no_token(place):
    """Not even in the moment before Better Auth ends the sessions."""
    world = World(place)
    place.app.sql('UPDATE "user" SET banned = TRUE WHERE id = ?', world.ada.id)
    with pytest.raises(Refused) as refused:
        world.phone.token()
    assert refused.value.status == 403


@pytest.mark.parametrize(("flags", "gone"), [("--cookie-cache", "session"), ("--secondary", "user")])
def test_what_is_gone_but_for_a_cache_gets_no_token(make_place, flags, gone):
    place = make_place(flags)
    world = World(place)
    column = {"session": "userId", "user": "id"}[gone]
    place.app.sql(f'DELETE FROM "{gone}" WHERE "{column}" = ?', world.ada.id)
    with pytest.raises(Refused) as refused:
        world.laptop.token()
    assert refused.value.status == 401


@on_both
def test_a_member_who_was_removed_gets_no_token_of_the_organization(place):
    # Better Auth leaves the organization active in the session.
    world = World(place)
    remove_member(world)
    claims = claims_of(world.laptop.token())
    assert "org" not in claims
    assert claims["roles"] == ["user"]


@pytest.mark.parametrize(
    ("on", "flags"),
    [
        ("sqlite", []),
        ("sqlite", ["--cookie-cache"]),
        ("sqlite", ["--secondary"]),
        ("postgres", []),
    ],
)
def test_no_token_of_the_old_roles_is_good_after_a_change(make_place, on, flags):
    """However requests for tokens fall: what was read before the change is issued before its end."""
    place = make_place(*flags, on=on)
    world = World(place)
    browsers = [world.phone, world.laptop, world.ada.sign_in()]
    made, stop = [], threading.Event()

    def is_admin(token: str) -> bool:
        return "admin" in claims_of(token)["roles"]

    def mint(browser: Browser):
        while not stop.is_set():
            made.append(browser.token())

    threads = [threading.Thread(target=mint, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    try:
        for turn in range(6):
            role = ["user", "admin"] if turn % 2 == 0 else ["user"]
            # Close to the end of a second, where it is easiest to get wrong.
            wait_until(lambda: time.time() % 1 > 0.97, "the end of a second")
            world.admin.post("admin/set-role", userId=world.ada.id, role=role)
            old = [token for token in list(made) if is_admin(token) != ("admin" in role)]
            wait_until(lambda: place.app.outbox() == [], "an empty outbox")
            for token in old:
                assert_denied(place.verify(token), "TOKEN_REVOKED")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # Those that were under way at the last change as well.
    last = [token for token in made if is_admin(token)]
    assert last
    for token in last:
        assert_denied(place.verify(token), "TOKEN_REVOKED")
