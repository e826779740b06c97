"""Clocks that jump: no revocation is dropped early, whatever the wall clock says.

Clean-up runs in rounds, one a minute by the monotonic clock. That one which has ended leaves
shows that a round has gone by, which would have taken others with it.
"""

import grpc
import pytest

from support.client import Client, assert_allowed, assert_denied, code, messages, status_of
from support.issuers import URL
from support.machine import YEAR
from support.waiting import wait_until

MINUTE, HOUR = 60, 3600
TARGETS = {
    "token_id": ("jti", "token_id"), "session": ("sid", "session_id"),
    "subject": ("sub", "subject"), "tenant": ("org", "tenant"),
    "client": ("client_id", "client_id"),
}  # fmt: skip


class Scene:
    """A server with a revocation of each kind, all of which outlast a test."""

    def __init__(self, server, machine, issuer):
        self.server, self.machine, self.issuer = server, machine, issuer
        self.good = self.token()
        self.revoked = {kind: self.token(**{claim: "v"}) for kind, (claim, _) in TARGETS.items()}
        self.revoked["token"] = self.token(jti="single")
        for kind, (_, field) in TARGETS.items():
            target = {kind: {"issuer": URL, field: "v"}}
            self.client.revoke(messages.RevokeRequest(**target))
        self.client.revoke_token(self.revoked["token"])
        self.listed = {each.id for each in self.client.revocations()}
        assert len(self.listed) == len(self.revoked)
        self.ending = 0
        self.assert_in_force()

    @property
    def client(self) -> Client:
        return self.server.client

    def token(self, ahead: int = 0, **claims) -> str:
        """Of an issuer whose clock is so much ahead; good for 20 hours."""
        now = self.machine.now() + ahead
        return self.issuer.token(**{"iat": now, "exp": now + 20 * HOUR, **claims})

    def revoke_for(self, seconds: int):
        """One more, which ends so soon: that of a token, two minutes behind its exp."""
        self.ending += 1
        end = self.machine.now() + seconds - 120
        self.client.revoke_token(self.token(jti=f"ends-{self.ending}", exp=end))

    def cleaned(self) -> int:
        # To be asked wakes the store, which looks at the clock then, and takes one step of a
        # round that is due before it answers. A round has six, or a few more.
        for _ in range(12):
            self.client.page()
        return int(self.server.metrics()["gatehouse_revocations_cleaned_total"])

    def ended_kept(self) -> int:
        return int(self.server.metrics()["gatehouse_revocations_ended_kept"])

    def wait_for_clean_up(self, cleaned: int):
        wait_until(lambda: self.cleaned() >= cleaned, f"{cleaned} that were cleaned up")
        assert self.cleaned() == cleaned, "none but those that have ended"

    def pass_time(self, seconds: int):
        self.machine.pass_time(seconds)
        # A call on which time has jumped is past its deadline.
        wait_until(
            lambda: status_of(lambda: self.client.verify("x")) == grpc.StatusCode.OK,
            "a call that begins after it",
        )

    def believe(self):
        """The clock has been right for an hour, and a good token was seen."""
        before = self.cleaned()
        self.revoke_for(5 * MINUTE)
        self.pass_time(HOUR + MINUTE)
        assert_allowed(self.client.verify(self.token()))
        self.wait_for_clean_up(before + 1)

    def assert_listed(self):
        assert self.listed <= {each.id for each in self.client.revocations()}

    def assert_in_force(self):
        for token in self.revoked.values():
            assert_denied(self.client.verify(token), "TOKEN_REVOKED")
        for claim in ("jti", "sid"):
            assert_denied(self.client.verify(self.token(**{claim: "v"})), "TOKEN_REVOKED")
        assert_allowed(self.client.verify(self.good))
        assert_allowed(self.client.verify(self.token(sid="other")))
        self.assert_listed()


@pytest.fixture
def scene(make_server, make_machine, hmac_issuer, tmp_path) -> Scene:
    machine = make_machine()
    config = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
    server = make_server([config], env=machine.env).wait_until_ready()
    return Scene(server, machine, hmac_issuer)


def is_shared_by_the_issuer(shared: bool):
    return "with the issuer's clock" if shared else "alone"


@pytest.mark.parametrize("shared", [False, True], ids=is_shared_by_the_issuer)
def test_clock_a_year_ahead_and_then_back_drops_nothing(scene, shared):
    """Also where the issuer is on the same machine: its tokens are good by the wrong clock."""
    scene.believe()
    scene.revoke_for(30 * MINUTE)
    scene.revoke_for(10 * HOUR)
    scene.machine.set_wall(YEAR)
    wait_until(
        lambda: scene.client.verify(scene.good).decision.code == code("TOKEN_EXPIRED"),
        "the clock to be a year ahead",
    )
    for token in scene.revoked.values():
        assert_denied(scene.client.verify(token), "TOKEN_EXPIRED")
    scene.assert_listed()
    scene.client.revoke_session(URL, "meanwhile")
    before = scene.cleaned()
    for cleaned, time in ((before + 1, 2 * HOUR), (before + 2, 9 * HOUR)):
        if shared:
            assert_allowed(scene.client.verify(scene.token(ahead=YEAR)))
        scene.pass_time(time)
        if shared:
            assert_allowed(scene.client.verify(scene.token(ahead=YEAR)))
        scene.wait_for_clean_up(cleaned)
    scene.assert_listed()

    scene.machine.set_wall(0)
    wait_until(
        lambda: scene.client.verify(scene.good).decision.code == code("OK"), "the clock to be right"
    )
    scene.assert_in_force()
    assert_denied(scene.client.verify(scene.token(sid="meanwhile")), "TOKEN_REVOKED")
    assert scene.ended_kept() == before + 2, "they stay listed"
    scene.server.restart().wait_until_ready()
    scene.assert_in_force()
    assert scene.ended_kept() == before + 2
    scene.believe()
    assert scene.ended_kept() == before + 3
    scene.assert_in_force()


@pytest.mark.parametrize("shared", [False, True], ids=is_shared_by_the_issuer)
def test_start_with_the_clock_a_year_ahead_and_then_back_drops_nothing(scene, shared):
    scene.revoke_for(10 * MINUTE)
    scene.server.stop()
    scene.machine.set_wall(YEAR)
    scene.server.start().wait_until_ready()
    assert_denied(scene.client.verify(scene.good), "TOKEN_EXPIRED")
    for _ in range(5):
        if shared:
            assert_allowed(scene.client.verify(scene.token(ahead=YEAR)))
        # Time for rounds; a clock that issuers share is set back within the hour.
        scene.pass_time(10 * MINUTE if shared else 2 * HOUR)
        assert scene.cleaned() == 0
    scene.assert_listed()

    scene.machine.set_wall(0)
    wait_until(
        lambda: scene.client.verify(scene.good).decision.code == code("OK"), "the clock to be right"
    )
    scene.assert_in_force()
    assert scene.cleaned() == 0
    # With the first from before; and now what has ended does leave.
    scene.revoke_for(5 * MINUTE)
    scene.pass_time(2 * MINUTE)
    assert scene.cleaned() == 0
    scene.pass_time(HOUR + MINUTE)
    assert_allowed(scene.client.verify(scene.token()))
    scene.wait_for_clean_up(2)
    scene.assert_in_force()


def test_clock_an_hour_back_keeps_what_ended_meanwhile_and_drops_nothing(scene):
    scene.believe()
    old = scene.token(iat=scene.machine.now() - 2 * HOUR)
    scene.revoke_for(30 * MINUTE)
    before = scene.cleaned()
    scene.machine.set_wall(-HOUR)
    wait_until(
        lambda: scene.client.verify(scene.token()).decision.code == code("TOKEN_INVALID"),
        "the clock to be an hour back: a token of now is not good yet",
    )
    assert_allowed(scene.client.verify(old))
    made = scene.client.revoke_session(URL, "meanwhile").revocation
    assert_denied(scene.client.verify(scene.token(sid="meanwhile", iat=scene.machine.now() - 2 * HOUR)),
                  "TOKEN_REVOKED")  # fmt: skip
    scene.assert_listed()
    # It has ended, but not by the clock that is behind.
    scene.pass_time(HOUR)
    assert scene.cleaned() == before
    assert_allowed(scene.client.verify(old))

    scene.machine.set_wall(0)
    wait_until(
        lambda: scene.client.verify(scene.token()).decision.code == code("OK"),
        "the clock to be right",
    )
    scene.pass_time(2 * MINUTE)
    scene.wait_for_clean_up(before + 1)
    scene.assert_in_force()
    assert made.id in {each.id for each in scene.client.revocations()}
    scene.server.restart().wait_until_ready()
    scene.assert_in_force()


def test_after_a_sleep_of_eight_hours_what_has_ended_leaves_as_much_later(scene):
    """The monotonic clock stood still: what the wall clock says may be wrong for all it knows."""
    scene.believe()
    scene.revoke_for(30 * MINUTE)
    before = scene.cleaned()
    scene.machine.set_wall(8 * HOUR)
    wait_until(lambda: scene.client.verify(scene.token(ahead=8 * HOUR)).decision.code == code("OK"),
               "the clock of the morning")  # fmt: skip
    scene.pass_time(20 * MINUTE)
    assert scene.cleaned() == before
    scene.pass_time(12 * MINUTE)
    scene.wait_for_clean_up(before + 1)
    scene.assert_listed()
