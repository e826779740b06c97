"""Envoy with `failure_mode_allow: true`, which nobody should set: what still does not pass, and
the three cases in which everything does, which lint-envoy names."""

import contextlib
import json
import secrets
import subprocess

import pytest

from support import http2, leaks
from support.issuers import Issuer
from support.places import program
from support.proxies import AUDIENCE, COOKIE, EXAMPLES, ISSUER, Stage
from support.waiting import wait_until

CHECK = "/envoy.service.auth.v3.Authorization/Check"
MINE, BOBS = "/users/ada/tasks/7", "/users/bob/tasks/7"


def replaced(*changes):
    def change(text: str) -> str:
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    return change


ALLOWS = ("failure_mode_allow: false", "failure_mode_allow: true")
# For a busy machine: what is looked at here is not how fast an answer comes.
PATIENT = ("\n                timeout: 0.2s", "\n                timeout: 5s")
WITH_BODIES = (
    "transport_api_version: V3",
    "transport_api_version: V3\n              with_request_body: "
    "{max_request_bytes: 1000000, pack_as_bytes: true, allow_partial_message: true}",
)


@pytest.fixture(scope="module")
def open_stage(tmp_path_factory):
    """A Gatehouse with one Envoy before it that lets pass what fails."""
    made = Stage(tmp_path_factory.mktemp("open"))
    try:
        made.gatehouse.create_database()
        made.start_gatehouse()
        made.start("envoy", replaced(ALLOWS, PATIENT))
        yield made
    finally:
        made.stop()


def asks(stage, envoy):
    """Waits until Envoy has a connection to Gatehouse (again), and so does not fail open."""
    wait_until(lambda: envoy.ask("GET", MINE).status == 401, "Envoy to ask Gatehouse")
    stage.upstream.seen.clear()
    return envoy


@pytest.fixture
def envoy(open_stage):
    return asks(open_stage, open_stage.proxies["envoy"])


def test_what_is_denied_is_denied_all_the_same(open_stage, envoy):
    assert envoy.ask("GET", MINE).status == 401
    assert envoy.ask("GET", BOBS, token=open_stage.token()).status == 403
    assert envoy.ask("GET", "/public/%2e%2e%2fadmin", token=open_stage.token()).status == 400
    assert open_stage.upstream.seen == []
    assert envoy.ask("GET", MINE, token=open_stage.token()).status == 200


def test_a_caller_that_gatehouse_refuses_passes_nothing(open_stage, envoy):
    # Envoy with another token than the configured one.
    file = open_stage.callers["envoy"].token_file
    text = file.read_text()
    file.write_text(leaks.remember(secrets.token_hex(32)) + "\n")
    try:
        open_stage.gatehouse.restart().wait_until_ready()
        wait_until(
            lambda: envoy.ask("GET", MINE, token=open_stage.token()).status != 200, "a refusal"
        )
        open_stage.upstream.seen.clear()
        statuses = {envoy.ask("GET", path, token=open_stage.token()).status
                    for path in (MINE, BOBS, "/public/page", "/admin/x")}  # fmt: skip
    finally:
        file.write_text(text)
        open_stage.gatehouse.restart().wait_until_ready()
    assert all(status >= 400 for status in statuses)
    assert open_stage.upstream.seen == []


def test_an_unknown_kid_within_the_cooldown_passes_nothing(open_stage, envoy):
    stranger = Issuer("EdDSA", ISSUER)
    for _ in range(20):
        status = envoy.ask("GET", MINE, token=stranger.token(sub="ada", aud=AUDIENCE)).status
        assert status in (401, 503)
    assert open_stage.upstream.seen == []


def field(number: int, value: bytes) -> bytes:
    """Of a protobuf message, length first; `value` is shorter than 16 KiB."""
    length = bytes([len(value) & 127 | 128, len(value) >> 7])
    return bytes([number << 3 | 2]) + length + value


def check_request(token: str) -> bytes:
    """An envoy.service.auth.v3.CheckRequest for MINE."""
    header = field(1, b"authorization") + field(2, b"Bearer " + token.encode())
    http = field(2, b"GET") + field(3, header) + field(4, MINE.encode())
    return field(1, field(4, field(2, http + field(5, b"app.example.com"))))


def test_under_a_flood_of_forged_tokens_nothing_passes(open_stage, envoy):
    """The flood comes under Envoy's own name, so that Envoy is refused its turn too."""
    server, caller = open_stage.gatehouse, open_stage.callers["envoy"]
    kept = open_stage.token().rsplit(".", 1)[0]

    def forged() -> str:  # new to Gatehouse, and right but for its signature
        return f"{kept}.{secrets.token_urlsafe(64)[:85]}A"

    def flood() -> bytes:
        headers = {"authorization": f"Bearer {caller.token}"}
        asked = (http2.call(1 + 2 * n, check_request(forged()), headers, CHECK) for n in range(100))
        return b"".join(asked)

    def refused() -> float:
        return server.metrics()['gatehouse_refused_total{reason="overload"}']

    def undecided() -> bool:
        """Whether Envoy has met the flood."""
        with contextlib.ExitStack() as stack:
            floods = [(stack.enter_context(http2.connect(server.grpc)), flood()) for _ in range(20)]
            for connection, calls in floods:
                connection.sendall(calls)
            statuses = [envoy.ask("GET", MINE, token=forged()).status for _ in range(20)]
            statuses += [envoy.ask("GET", BOBS, token=open_stage.token()).status for _ in range(20)]
        assert set(statuses) <= {401, 403, 503}
        return 503 in statuses

    before = refused()
    wait_until(undecided, "503 for what Gatehouse has no time for")
    assert refused() > before
    assert open_stage.upstream.seen == []
    wait_until(lambda: envoy.ask("GET", MINE, token=open_stage.token()).status == 200, "its end")


def test_without_any_key_nothing_passes(tmp_path, jwks_server):
    keys = jwks_server(lambda: (200, json.dumps(stage.issuer.jwks()).encode()))
    stage = Stage(tmp_path / "stage")
    try:
        config = stage.gatehouse.config
        config.write_text(
            replaced(
                ("{jwks_file: issuer.jwks.json}", f"{{jwks_url: '{keys.url}'}}"),
                ("    development: {private_key_file: issuer.pem}\n", ""),
            )(config.read_text())
        )
        stage.gatehouse.create_database().start()
        envoy = stage.start("envoy", replaced(ALLOWS, PATIENT))
        stage.upstream.seen.clear()
        for _ in range(5):
            answer = envoy.ask("GET", MINE, token=stage.token())
            assert answer.status == 503 and answer.json["code"] == "UNAVAILABLE"
        assert envoy.ask("GET", MINE).status == 401
        assert stage.upstream.seen == []
        keys.appear()
        wait_until(lambda: envoy.ask("GET", MINE, token=stage.token()).status == 200, "the keys")
    finally:
        stage.stop()


def test_all_passes_when_gatehouse_is_stopped(open_stage, envoy):
    open_stage.gatehouse.stop()
    try:
        got = envoy.ask("GET", BOBS, ("X-Auth-Subject", "mallory")).upstream
        assert got.values("x-auth-subject") == [], "even then no identity is forged"
        assert envoy.ask("GET", "/admin/x").status == 200
    finally:
        open_stage.start_gatehouse()


def test_all_passes_when_gatehouse_times_out(open_stage):
    # With the file's own timeout.
    open_stage.proxies["envoy"].stop()
    envoy = open_stage.start("envoy", replaced(ALLOWS))
    try:
        asks(open_stage, envoy)
        with open_stage.gatehouse_stuck():
            assert envoy.ask("GET", BOBS).status == 200
    finally:
        envoy.stop()
        open_stage.start("envoy", replaced(ALLOWS, PATIENT))


@pytest.mark.parametrize("allows", [True, False])
def test_a_body_over_the_receive_limit_passes_only_where_failures_do(open_stage, allows):
    open_stage.proxies["envoy"].stop()
    changes = [PATIENT, WITH_BODIES, *([ALLOWS] if allows else [])]
    envoy = open_stage.start("envoy", replaced(*changes))
    try:
        asks(open_stage, envoy)
        assert envoy.ask("PUT", BOBS, token=open_stage.token(), body=b"x").status == 403
        answer = envoy.ask("PUT", BOBS, token=open_stage.token(), body=b"x" * 500_000)
        assert answer.status == (200 if allows else 503)
        assert len(open_stage.upstream.seen) == allows
    finally:
        envoy.stop()
        open_stage.start("envoy", replaced(ALLOWS, PATIENT))


def lint(text: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program("gatehouse"), "lint-envoy", "-"],
        input=text, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_lint_envoy_finds_nothing_in_the_file(tmp_path):
    found = lint((EXAMPLES / "envoy.yaml").read_text())
    assert found.returncode == 0 and "nothing found" in found.stdout + found.stderr


def test_without_raw_headers_a_second_cookie_line_hides_no_token(tmp_path):
    stage = Stage(tmp_path / "stage")
    try:
        stage.gatehouse.create_database()
        stage.start_gatehouse()
        envoy = stage.start("envoy", replaced(("encode_raw_headers: true", "")))
        stage.upstream.seen.clear()
        token = ("Cookie", f"{COOKIE}={leaks.remember_token(stage.token())}")
        for lines in ((("Cookie", "a=1"), token), (token, token)):
            for path in (MINE, "/public/page"):
                assert envoy.ask("GET", path, *lines).status == 400
        assert stage.upstream.seen == []
    finally:
        stage.stop()


def test_lint_envoy_names_the_three_cases():
    found = lint(replaced(ALLOWS)((EXAMPLES / "envoy.yaml").read_text()))
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if "failure-mode-allow" in line)
    for case in ("stopped", "timed out", "receive limit"):
        assert case in line
