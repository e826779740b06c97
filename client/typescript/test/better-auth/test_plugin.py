"""The Better Auth plugin, on a real Better Auth and a real Gatehouse: what it ends, it revokes."""

import http.client
import itertools
import socket
import threading
import time
import urllib.error
from dataclasses import dataclass, field

import pytest

from app import App, Browser, Refused, User, claims_of
from support.client import assert_allowed, assert_denied
from support.proxies import free_ports
from support.server import Server
from support.waiting import wait_until

GONE = (http.client.RemoteDisconnected, ConnectionResetError, urllib.error.URLError)


class Place:
    """A Better Auth and the Gatehouse that it revokes at, whose address survives a restart."""

    def __init__(self, folder, *flags: str):
        grpc_port, http_port = free_ports(2)
        self.app = App(folder / "app", f"127.0.0.1:{grpc_port}", *flags)
        listen = {"grpc": f"127.0.0.1:{grpc_port}", "http": f"127.0.0.1:{http_port}"}
        self.gatehouse = Server(folder / "gatehouse", [self.app.issuer()], listen=listen)
        self.gatehouse.create_database().start()

    def stop(self):
        self.app.stop()
        if self.gatehouse.running():
            self.gatehouse.stop()

    def verify(self, token: str):
        return self.gatehouse.client.verify(token)

    def is_revoked(self, token: str) -> bool:
        return self.verify(token).decision.http_status == 401

    def wait_until_revoked(self, tokens: list[str]):
        for token in tokens:
            wait_until(lambda token=token: self.is_revoked(token), "the revocation")
            assert_denied(self.verify(token), "TOKEN_REVOKED")

    def token_of_a_later_second(self, browser: Browser) -> str:
        wait_until_after(int(time.time()))
        return browser.token()


def wait_until_after(second: int):
    wait_until(lambda: time.time() >= second + 1, "the next second")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("better-auth-plugin"))
    yield made
    made.stop()


@pytest.fixture
def place(shared):
    """The same one for all who need no other, running again if a test has ended in the middle."""
    if not shared.gatehouse.running():
        shared.gatehouse.start()
    if not shared.app.running():
        shared.app.start()
    return shared


@pytest.fixture
def make_place(tmp_path):
    made, numbers = [], itertools.count(1)

    def make(*flags: str) -> Place:
        made.append(Place(tmp_path / f"place-{next(numbers)}", *flags))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class World:
    """Ada on two machines, in an organization of Olga's; an administrator; and Bob, whom nothing
    concerns."""

    def __init__(self, place: Place):
        app = self.app = place.app
        self.ada, self.bob = User(app, "ada"), User(app, "bob")
        self.laptop, self.phone = self.ada.browser, self.ada.sign_in()
        self.admin = User(app, "admin").as_admin()
        self.olga = User(app, "olga").browser
        org = self.olga.post("organization/create", name="Org", slug=f"org-{self.ada.id.lower()}")
        self.org = org["id"]
        self.olga.post("organization/set-active", organizationId=self.org)
        self.member = self.join(self.laptop)
        self.laptop.post("organization/set-active", organizationId=self.org)
        self.phone.post("organization/set-active", organizationId=None)

    def join(self, browser: Browser) -> str:
        email = browser.user.email
        invitation = self.olga.post(
            "organization/invite-member", email=email, role="member", organizationId=self.org
        )
        made = browser.post("organization/accept-invitation", invitationId=invitation["id"])
        return made["member"]["id"]


@dataclass
class Case:
    """What happens, and whose tokens are no good afterwards; all others' stay good."""

    event: callable
    ends: set
    # Where a session has ended, a browser of it gets no new token.
    signed_out: set = field(default_factory=set)


def sign_out(w):
    w.laptop.post("sign-out")


def revoke_session(w):
    w.laptop.post("revoke-session", token=w.phone.session_token)


def revoke_other_sessions(w):
    w.laptop.post("revoke-other-sessions")


def revoke_sessions(w):
    w.laptop.post("revoke-sessions")


def change_password(w):
    w.laptop.post("change-password", currentPassword=w.ada.password, newPassword="a new password")


def change_password_and_sign_out_others(w):
    w.laptop.post(
        "change-password", currentPassword=w.ada.password, newPassword="a new password",
        revokeOtherSessions=True,
    )  # fmt: skip


def reset_password(w):
    w.laptop.post("request-password-reset", email=w.ada.email)
    w.phone.post("reset-password", token=w.app.reset_token(w.ada.email), newPassword="new password")


def ban(w):
    w.admin.post("admin/ban-user", userId=w.ada.id)


def ban_by_update(w):
    w.admin.post("admin/update-user", userId=w.ada.id, data={"banned": True})


def set_role(w):
    w.admin.post("admin/set-role", userId=w.ada.id, role=["user", "admin"])


def set_the_same_role(w):
    w.admin.post("admin/set-role", userId=w.ada.id, role="user")


def set_role_by_update(w):
    w.admin.post("admin/update-user", userId=w.ada.id, data={"role": "admin"})


def set_password_by_admin(w):
    w.admin.post("admin/set-user-password", userId=w.ada.id, newPassword="a new password")


def forget_password(w):
    """As if Ada had signed up with another provider."""
    w.app.sql("DELETE FROM account WHERE userId = ?", w.ada.id)


def reset_first_password(w):
    forget_password(w)
    reset_password(w)


def set_first_password_by_admin(w):
    forget_password(w)
    set_password_by_admin(w)


def revoke_session_by_admin(w):
    w.admin.post("admin/revoke-user-session", sessionToken=w.phone.session_token)


def revoke_sessions_by_admin(w):
    w.admin.post("admin/revoke-user-sessions", userId=w.ada.id)


def remove_user(w):
    w.admin.post("admin/remove-user", userId=w.ada.id)


def delete_oneself(w):
    w.laptop.post("delete-user", password=w.ada.password)


def remove_member(w):
    w.olga.post("organization/remove-member", memberIdOrEmail=w.member, organizationId=w.org)


def leave(w):
    w.laptop.post("organization/leave", organizationId=w.org)


def change_member_role(w):
    w.olga.post(
        "organization/update-member-role", memberId=w.member, role="admin", organizationId=w.org
    )


def delete_organization(w):
    w.olga.post("organization/delete", organizationId=w.org)


BOTH = {"laptop", "phone"}
CASES = {
    "sign-out": Case(sign_out, {"laptop"}, {"laptop"}),
    "revoke-session": Case(revoke_session, {"phone"}, {"phone"}),
    "revoke-other-sessions": Case(revoke_other_sessions, {"phone"}, {"phone"}),
    "revoke-sessions": Case(revoke_sessions, BOTH, BOTH),
    "change-password": Case(change_password, BOTH),
    "change-password-others": Case(change_password_and_sign_out_others, BOTH, {"phone"}),
    "reset-password": Case(reset_password, BOTH),
    "ban": Case(ban, BOTH, BOTH),
    "ban-by-update": Case(ban_by_update, BOTH, BOTH),
    "set-role": Case(set_role, BOTH),
    "set-same-role": Case(set_the_same_role, BOTH),
    "set-role-by-update": Case(set_role_by_update, BOTH),
    "set-password-by-admin": Case(set_password_by_admin, BOTH),
    "revoke-session-by-admin": Case(revoke_session_by_admin, {"phone"}, {"phone"}),
    "revoke-sessions-by-admin": Case(revoke_sessions_by_admin, BOTH, BOTH),
    "remove-user": Case(remove_user, BOTH, BOTH),
    "delete-oneself": Case(delete_oneself, BOTH, BOTH),
    "remove-member": Case(remove_member, BOTH),
    "leave": Case(leave, BOTH),
    "change-member-role": Case(change_member_role, BOTH),
    "reset-first-password": Case(reset_first_password, BOTH),
    "set-first-password-by-admin": Case(set_first_password_by_admin, BOTH),
    # Tokens of the organization end; Ada's phone has another one of hers active, which is none.
    "delete-organization": Case(delete_organization, {"laptop", "olga"}),
}


class Tokens:
    """A token of each browser, all good."""

    def __init__(self, place: Place, world: World):
        self.place, self.world = place, world
        names = ("laptop", "phone", "admin", "olga")
        self.browsers = {name: getattr(world, name) for name in names}
        self.browsers["bob"] = world.bob.browser
        self.of = {name: browser.token() for name, browser in self.browsers.items()}
        for token in self.of.values():
            assert_allowed(place.verify(token))

    def assert_only_ended(self, case: Case, waiting: bool):
        ended = [self.of[name] for name in case.ends]
        if waiting:
            self.place.wait_until_revoked(ended)
            wait_until(lambda: self.place.app.outbox() == [], "an empty outbox")
        for token in ended:
            assert_denied(self.place.verify(token), "TOKEN_REVOKED")
        for name in self.of.keys() - case.ends:
            assert_allowed(self.place.verify(self.of[name]))

    def assert_who_may_go_on(self, case: Case):
        wait_until_after(int(time.time()))
        for name, browser in self.browsers.items():
            if name in case.signed_out:
                with pytest.raises(Refused) as refused:
                    browser.token()
                assert refused.value.status == 401
            else:
                assert_allowed(self.place.verify(browser.token()))


@pytest.mark.parametrize("name", CASES)
def test_what_ends_is_refused_when_the_answer_comes(place, name):
    world, case = World(place), CASES[name]
    tokens = Tokens(place, world)
    case.event(world)
    tokens.assert_only_ended(case, waiting=False)
    assert place.app.outbox() == []
    tokens.assert_who_may_go_on(case)


@pytest.mark.parametrize("name", CASES)
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


def test_a_session_that_has_ended_by_itself_is_not_revoked(place):
    world = World(place)
    token = world.phone.token()
    known = len(place.gatehouse.client.revocations())
    sid = claims_of(token)["sid"]
    place.app.sql("UPDATE session SET expiresAt = ? WHERE id = ?", "2020-01-01T00:00:00.000Z", sid)
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


def test_a_banned_user_gets_no_token(place):
    """Not even in the moment before Better Auth ends the sessions."""
    world = World(place)
    place.app.sql('UPDATE "user" SET banned = 1 WHERE id = ?', world.ada.id)
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


def test_a_member_who_was_removed_gets_no_token_of_the_organization(place):
    # Better Auth leaves the organization active in the session.
    world = World(place)
    remove_member(world)
    claims = claims_of(world.laptop.token())
    assert "org" not in claims
    assert claims["roles"] == ["user"]


@pytest.mark.parametrize("flags", [[], ["--cookie-cache"], ["--secondary"]])
def test_no_token_of_the_old_roles_is_good_after_a_change(make_place, flags):
    """However requests for tokens fall: what was read before the change is issued before its end."""
    place = make_place(*flags)
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


def test_every_one_of_many_sessions_ends(place):
    """Better Auth tells its own hooks of the first hundred only."""
    world = World(place)
    for number in range(150):
        place.app.sql(
            "INSERT INTO session (id, userId, token, expiresAt, createdAt, updatedAt)"
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


@pytest.mark.parametrize("name", LAST_WORDS)
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
