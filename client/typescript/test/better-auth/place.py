"""A Better Auth and a Gatehouse, and the people whose tokens are to end or to stay good."""

import time

import pytest

from app import App, Browser, Refused, User
from events import Case
from support.client import assert_allowed, assert_denied
from support.proxies import free_ports
from support.server import Server
from support.waiting import wait_until


# For the fixture `place`, of which there is one on each.
on_both = pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)


def named(names, on_postgres=()):
    """A test of a `place` and a `name`: of all names on SQLite, and of some on PostgreSQL too."""
    pairs = [("sqlite", name) for name in names] + [("postgres", name) for name in on_postgres]
    return pytest.mark.parametrize(("place", "name"), pairs, indirect=["place"])


class Place:
    """A Better Auth and the Gatehouse that it revokes at, whose address survives a restart."""

    def __init__(self, folder, *flags: str, database: str | None = None):
        grpc_port, http_port = free_ports(2)
        target = f"127.0.0.1:{grpc_port}"
        self.app = App(folder / "app", target, *flags, database=database)
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
