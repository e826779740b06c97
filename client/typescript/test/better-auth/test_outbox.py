"""No revocation is lost, whoever is killed, is down or refuses."""

import http.client
import socket
import threading
import urllib.error

import pytest

from app import Refused
from events import BOTH, CASES, Case, sign_out
from place import Place, Tokens, World, named, on_both
from support.client import assert_allowed, assert_denied
from support.waiting import wait_until

GONE = (http.client.RemoteDisconnected, ConnectionResetError, urllib.error.URLError)

# The statement behind whose commit the process ends.
LAST_WORDS = {
    "sign-out": '^delete from "session"',
    "revoke-sessions": '^delete from "session"',
    "change-password": '^update "account"',
    "reset-password": '^update "account"',
    "ban": '^update "user"',
    "set-role": '^update "user"',
    "remove-user": '^delete from "session"',
    "remove-member": '^delete from "member"',
    "leave": '^delete from "member"',
    "change-member-role": '^update "member"',
    "delete-organization": '^delete from "organization"',
}


def end_the_process_at(place: Place, world: World, statement: str, event):
    """Lets `event` happen in a Better Auth that is killed behind the commit of `statement`."""
    place.app.kill()
    place.app.start("--kill-after", statement)
    with pytest.raises(GONE):
        event(world)
    place.app.wait_until_killed()


@named(LAST_WORDS, on_postgres=["sign-out", "reset-password", "ban", "remove-user", "leave"])
def test_a_kill_behind_the_commit_loses_nothing(place, name):
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    if name == "reset-password":
        world.laptop.post("request-password-reset", email=world.ada.email)
        secret = place.app.reset_token(world.ada.email)
        def event(w):
            w.phone.post("reset-password", token=secret, newPassword="a new password")
    else:
        event = case.event
    end_the_process_at(place, world, LAST_WORDS[name], event)
    for token in tokens.of.values():
        assert_allowed(place.verify(token))
    place.app.start()
    tokens.assert_only_ended(case, waiting=True)


@pytest.mark.parametrize("name", ["sign-out", "leave"])
def test_a_kill_behind_the_commit_loses_nothing_without_transactions(make_place, name):
    place = make_place("--no-transactions")
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    end_the_process_at(place, world, LAST_WORDS[name], case.event)
    place.app.start()
    tokens.assert_only_ended(case, waiting=True)


@on_both
def test_a_kill_before_the_commit_revokes_nothing(place):
    world = World(place)
    token = world.laptop.token()
    # The transaction is open: nothing of it is left.
    place.app.kill()
    place.app.start("--kill-inside", '^insert into "gatehouseOutbox"')
    with pytest.raises(GONE):
        sign_out(world)
    place.app.wait_until_killed()
    place.app.start()
    assert place.app.outbox() == []
    assert_allowed(place.verify(token))
    assert_allowed(place.verify(world.laptop.token()))


def test_a_session_that_was_to_end_and_lives_is_not_revoked_until_it_ends(make_place):
    """Without transactions the row can be there, and the event not: the session says which."""
    place = make_place("--no-transactions")
    world = World(place)
    token = world.laptop.token()
    end_the_process_at(place, world, '^insert into "gatehouseOutbox"', sign_out)
    place.app.start()
    [row] = place.app.outbox()
    assert (row["seenAt"], row["together"]) == (None, 0)
    wait_until(lambda: place.app.outbox()[0]["dueAt"] > row["dueAt"], "a look at the session")
    assert_allowed(place.verify(token))
    assert_allowed(place.verify(world.laptop.token()))
    # It is still told when the session does end.
    sign_out(world)
    assert_denied(place.verify(token), "TOKEN_REVOKED")


@on_both
def test_another_process_delivers_what_a_killed_one_has_left(place):
    world = World(place)
    tokens = Tokens(place, world)
    other = place.app.second()
    place.gatehouse.kill()
    sign_out(world)
    world.phone.via(other).post("sign-out")
    place.app.kill()
    assert {row["kind"] for row in other.outbox()} == {"session"}
    place.gatehouse.start()
    place.wait_until_revoked([tokens.of["laptop"], tokens.of["phone"]])
    wait_until(lambda: other.outbox() == [], "an empty outbox")
    other.stop()
    place.app.start()
    tokens.assert_only_ended(Case(None, BOTH), waiting=False)


@on_both
def test_two_processes_that_end_the_same_things_at_once_agree(place):
    world = World(place)
    others = [world.ada.sign_in() for _ in range(10)]
    tokens = [browser.token() for browser in others]
    kept = Tokens(place, world)
    second = place.app.second()
    place.gatehouse.kill()

    def end(app, browsers):
        for browser in browsers:
            try:
                browser.via(app).post("sign-out")
            except Refused as refused:
                errors.append(refused)

    errors = []
    threads = [
        threading.Thread(target=end, args=(app, others)) for app in (place.app, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    place.gatehouse.start()
    place.wait_until_revoked(tokens)
    wait_until(lambda: place.app.outbox() == [], "an empty outbox")
    second.stop()
    kept.assert_only_ended(Case(None, set()), waiting=False)


def test_a_gatehouse_that_never_answers_holds_nobody_up(place):
    world, case = World(place), CASES["ban"]
    tokens = Tokens(place, world)
    place.gatehouse.stop()
    host, port = place.app.target.split(":")
    with socket.create_server((host, int(port))) as mute:  # accepts, and says nothing
        mute.listen()
        sign_out(world)
        case.event(world)
        assert len(place.app.outbox()) >= 2
    place.gatehouse.start()
    tokens.assert_only_ended(case, waiting=True)


def test_a_gatehouse_that_refuses_stops_no_sign_out(make_place, tmp_path):
    """A caller without the right to revoke: told in the log, and tried again."""
    place = make_place()
    world, case = World(place), CASES["sign-out"]
    tokens = Tokens(place, world)
    config = place.gatehouse.config
    good = config.read_text()
    secret = tmp_path / "caller.token"
    secret.write_text("0123456789abcdefghijklmnopqrstuvwxyz-caller")
    place.gatehouse.stop()
    config.write_text(good + f"callers: [{{name: todo, token_file: {secret}, may: [verify]}}]\n")
    place.gatehouse.start()
    case.event(world)
    wait_until(lambda: "will try again" in place.app.log, "a word about it")
    assert len(place.app.outbox()) == 1
    place.gatehouse.stop()
    config.write_text(good)
    place.gatehouse.start()
    tokens.assert_only_ended(case, waiting=True)


def test_a_missing_table_stops_no_sign_out(make_place):
    """What the outbox cannot take is revoked from memory."""
    place = make_place()
    world, case = World(place), CASES["sign-out"]
    tokens = Tokens(place, world)
    place.app.sql('ALTER TABLE "gatehouseOutbox" RENAME TO "elsewhere"')
    case.event(world)
    tokens.assert_only_ended(case, waiting=False)
    assert "the outbox takes no row" in place.app.log
