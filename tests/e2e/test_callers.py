"""Who may call, and what: known by a token of their own."""

import subprocess

import grpc
import pytest

from support.callers import Caller
from support.client import Client, assert_allowed, assert_denied, messages, status_of
from support.issuers import URL
from support.places import program
from support.server import run
from support.waiting import wait_until

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def asker(tmp_path) -> Caller:
    return Caller(tmp_path, "asker", ["verify", "authorize"])


@pytest.fixture
def admin(tmp_path) -> Caller:
    return Caller(tmp_path, "ops.admin", ["verify", "explain", "revoke", "list"])


@pytest.fixture
def guarded(make_server, hmac_issuer, tmp_path, asker, admin):
    """A server that knows `asker` and `admin`."""
    issuers = [hmac_issuer.config_with_file(tmp_path)]
    return make_server(issuers, callers=[asker.config, admin.config])


@pytest.fixture
def connect(guarded):
    """connect(caller or metadata) -> a Client of `guarded`."""
    made = []

    def make(who):
        metadata = who.metadata if isinstance(who, Caller) else who
        made.append(Client(guarded.grpc, metadata))
        return made[-1]

    yield make
    for client in made:
        client.close()


def error_of(call) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def wait_for_line(server, *parts: str):
    """Lines come through a pipe, behind the answer that they are about."""
    wait_until(
        lambda: any(all(part in line for part in parts) for line in server.log.splitlines()),
        f"a line with {parts}",
    )


def test_known_caller_is_answered(connect, asker, hmac_issuer):
    client = connect(asker)
    assert_allowed(client.verify(hmac_issuer.token()))
    assert_allowed(client.authorize(hmac_issuer.token(), "note/1", "ada"))


def test_unknown_callers_are_all_told_the_same(connect, asker, hmac_issuer):
    good = asker.metadata[0]
    texts = set()
    for metadata in (
        [],
        [good, good],
        [good, ("authorization", "Bearer x")],
        [("authorization", f"Bearer {asker.token[:-1]}")],
        [("authorization", f"Bearer {asker.token}x")],
        [("authorization", asker.token)],
        [("authorization", f"Basic {asker.token}")],
        [("x-authorization", f"Bearer {asker.token}")],
    ):
        error = error_of(lambda metadata=metadata: connect(metadata).verify(hmac_issuer.token()))
        assert error.code() == UNAUTHENTICATED, metadata
        texts.add(error.details())
    assert len(texts) == 1


def test_scheme_is_read_in_any_letter_case(connect, asker, hmac_issuer):
    client = connect([("authorization", f"BEARER {asker.token}")])
    assert_allowed(client.verify(hmac_issuer.token()))


def test_missing_right_is_denied_and_named(connect, guarded, asker, admin, hmac_issuer):
    token = hmac_issuer.token()
    denied = {
        "authorize": lambda: connect(admin).authorize(token, "note/1", "ada"),
        "explain": lambda: connect(asker).verify(token, explain=True),
        "revoke": lambda: connect(asker).revoke_session(URL, "s1"),
        "list": lambda: connect(asker).revocations(),
    }
    for right, call in denied.items():
        error = error_of(call)
        assert error.code() == PERMISSION_DENIED
        caller = admin.name if right == "authorize" else asker.name
        assert f'caller {caller} has no right "{right}"' in error.details()
        wait_for_line(guarded, " refused ", f'caller="{caller}"', right)


def test_health_and_http_stay_open(guarded):
    guarded.wait_until_ready()
    assert guarded.get("/livez")[0] == 200


def test_whoever_holds_a_token_may_revoke_it(connect, asker, admin, hmac_issuer):
    token = hmac_issuer.token()
    assert connect(asker).revoke_token(token).revocation.actor == asker.name
    assert_denied(connect(asker).verify(token), "TOKEN_REVOKED")
    assert status_of(lambda: connect([]).revoke_token(hmac_issuer.token())) == UNAUTHENTICATED


def test_who_may_only_revoke_what_it_holds_reads_nothing_of_anothers_revocation(
    connect, guarded, asker, admin, hmac_issuer
):
    token, own = hmac_issuer.token(jti="1"), hmac_issuer.token(jti="2")
    connect(admin).revoke(messages.RevokeRequest(token=token, reason="case 4711"))
    seen = connect(asker).revoke_token(token).revocation
    assert seen.id and not seen.actor and not seen.reason
    seen = connect(admin).revoke_token(token).revocation
    assert (seen.actor, seen.reason) == (admin.name, "case 4711")
    for _ in range(2):
        again = connect(asker).revoke(messages.RevokeRequest(token=own, reason="lost"))
        assert (again.revocation.actor, again.revocation.reason) == (asker.name, "lost")
    wait_for_line(guarded, " revoked ", f'caller="{asker.name}"', 'existed="yes"')
    assert guarded.log.count("case 4711") == 1
    assert guarded.log.count('reason="lost"') == 1


def test_revocations_and_log_lines_name_who_asked(connect, guarded, asker, admin, hmac_issuer):
    connect(admin).revoke_session(URL, "s1")
    connect(asker).revoke_token(hmac_issuer.token())
    assert [one.actor for one in connect(admin).revocations()] == [asker.name, admin.name]
    assert_denied(connect(asker).verify("a.b.c"), "TOKEN_INVALID")
    for event, caller in ((" revoked ", admin.name), (" denied ", asker.name)):
        wait_for_line(guarded, event, f'caller="{caller}"')
    guarded.restart()
    listed = Client(guarded.grpc, admin.metadata)
    assert [one.actor for one in listed.revocations()] == [asker.name, admin.name]
    listed.close()


@pytest.fixture
def two_audiences(make_server, hmac_issuer, tmp_path):
    """A server whose issuer serves two audiences, with a caller for each and one for both."""
    todo = Caller(tmp_path, "todo", audiences=["todo"])
    notes = Caller(tmp_path, "notes", audiences=["notes"])
    both = Caller(tmp_path, "both")
    issuer = hmac_issuer.config_with_file(tmp_path)
    issuer["audiences"] = ["todo", "notes"]
    server = make_server([issuer], callers=[todo.config, notes.config, both.config])
    clients = [caller.client(server.grpc) for caller in (todo, notes, both)]
    yield clients
    for client in clients:
        client.close()


def test_token_for_one_callers_audience_is_refused_for_anothers_at_first_sight(
    two_audiences, hmac_issuer
):
    todo, notes, both = two_audiences
    assert_denied(notes.verify(hmac_issuer.token(aud="todo", jti="1")), "TOKEN_INVALID")
    assert_allowed(todo.verify(hmac_issuer.token(aud="todo", jti="2")))
    assert_allowed(both.verify(hmac_issuer.token(aud="todo", jti="3")))
    assert_allowed(notes.verify(hmac_issuer.token(aud=["other", "todo", "notes"], jti="4")))
    assert_denied(both.verify(hmac_issuer.token(aud="other", jti="5")), "TOKEN_INVALID")


def test_token_for_one_callers_audience_is_refused_for_anothers_when_it_is_remembered(
    two_audiences, hmac_issuer
):
    todo, notes, both = two_audiences
    token = hmac_issuer.token(aud="todo")
    for _ in range(2):
        assert_allowed(todo.verify(token))
        assert_denied(notes.verify(token), "TOKEN_INVALID")
        assert_denied(notes.authorize(token, "note/1", "ada"), "TOKEN_INVALID")
        assert_allowed(both.verify(token))
        assert_allowed(todo.authorize(token, "note/1", "ada"))


def steps_of(reply) -> list[tuple[str, bool]]:
    return [(step.name, step.passed) for step in reply.decision.explanation]


def test_explanation_lists_the_steps_and_ends_with_the_one_that_decided(
    connect, admin, hmac_issuer
):
    client = connect(admin)
    token = hmac_issuer.token()
    for _ in range(2):
        reply = client.verify(token, explain=True)
        assert_allowed(reply)
        assert reply.principal.subject == "ada"
        steps = steps_of(reply)
        assert all(passed for _, passed in steps)
        names = [name for name, _ in steps]
        assert {"form", "issuer", "key", "signature", "time", "revocation"} <= set(names)
    expired = client.verify(hmac_issuer.token(iat=1000, exp=2000), explain=True)
    assert_denied(expired, "TOKEN_EXPIRED")
    assert steps_of(expired)[-1] == ("time", False)
    assert all(passed for _, passed in steps_of(expired)[:-1])
    garbage = client.verify("a.b.c", explain=True)
    assert_denied(garbage, "TOKEN_INVALID")
    assert steps_of(garbage) == [("form", False)]
    assert garbage.decision.detail == client.verify("a.b.c").decision.detail


def test_without_explain_nothing_is_explained(connect, admin, hmac_issuer):
    assert not connect(admin).verify(hmac_issuer.token()).decision.explanation
    assert not connect(admin).verify("a.b.c").decision.explanation


def test_command_explains_and_calls_as_a_caller(guarded, asker, admin, hmac_issuer):
    def gatehouse(*args):
        return subprocess.run(
            [str(program("gatehouse")), "--target", guarded.grpc, *args],
            input=hmac_issuer.token(iat=1000, exp=2000), capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    as_admin = ("--caller-token-file", str(admin.token_file))
    done = gatehouse("verify", *as_admin)
    assert done.returncode == 1 and "TOKEN_EXPIRED" in done.stdout
    assert gatehouse("revocations", *as_admin).returncode == 0
    nobody = gatehouse("verify")
    assert nobody.returncode == 2 and "--caller-token-file" in nobody.stderr
    no_right = gatehouse("revocations", "--caller-token-file", str(asker.token_file))
    assert no_right.returncode == 2 and "`may`" in no_right.stderr
    done = gatehouse("verify", "--explain", *as_admin)
    assert any(line.startswith("FAIL time") for line in done.stdout.splitlines()), done.stdout
    assert any(line.startswith("ok   key") for line in done.stdout.splitlines()), done.stdout


def test_metrics_count_calls_by_caller_and_status(connect, guarded, asker, hmac_issuer):
    connect(asker).verify(hmac_issuer.token())
    status_of(lambda: connect([]).verify(hmac_issuer.token()))
    status_of(lambda: connect(asker).revocations())
    metrics = guarded.get("/metrics")[1]
    for line in (
        'gatehouse_calls_total{caller="asker",code="OK"} 1',
        'gatehouse_calls_total{caller="asker",code="PERMISSION_DENIED"} 1',
        'gatehouse_calls_total{caller="",code="UNAUTHENTICATED"} 1',
    ):
        assert line in metrics


LISTEN = 'listen: {grpc: "0.0.0.0:7070"}\n'
REST = """\
issuers:
  - issuer: https://issuer.test
    audiences: [https://issuer.test]
    algorithms: [EdDSA]
    keys: {jwks_url: https://issuer.test/jwks}
revocations: {sqlite: {path: gatehouse.db}}
"""
CALLERS = "callers: [{name: a, token_file: a.token, may: [verify]}]\n"


def check(folder, text):
    (folder / "gatehouse.yaml").write_text(text)
    return run("--check", folder / "gatehouse.yaml")


def test_listener_off_loopback_is_refused_until_all_is_said(tmp_path):
    Caller(tmp_path, "a")
    behind_mesh = LISTEN.replace("}", ", plaintext_behind_mesh: true}")
    assert "name who may call under callers" in check(tmp_path, behind_mesh + REST).stderr
    assert "plaintext_behind_mesh" in check(tmp_path, LISTEN + REST + CALLERS).stderr
    for text in (behind_mesh + REST, LISTEN + REST + CALLERS, LISTEN + REST):
        result = check(tmp_path, text)
        assert result.returncode == 1
        assert f"{tmp_path}/gatehouse.yaml:1: listen.grpc: " in result.stderr
    result = check(tmp_path, behind_mesh + REST + CALLERS)
    assert result.returncode == 0, result.stderr
    assert "in plaintext" in result.stdout
    assert "no callers" not in result.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no token"),
        ("short\n", ":1: a token has 32 to 512 characters"),
        ("\n" + "ab" * 32, ":2: this token can be guessed"),
        ("a-string-secret-at-least-256-bits-long", ":1: this token can be guessed"),
        ("two words two words two words two words", ":1: a token is printable"),
    ],
    ids=["empty", "short", "pattern", "example", "spaces"],
)
def test_bad_token_file_is_named_with_its_line_by_the_check_and_the_start(tmp_path, text, why):
    (tmp_path / "a.token").write_text(text)
    (tmp_path / "gatehouse.yaml").write_text(REST + CALLERS)
    for how in ("--check", "--config"):
        result = run(how, tmp_path / "gatehouse.yaml")
        assert result.returncode == 1
        assert f"{tmp_path}/a.token" in result.stderr and why in result.stderr
        assert not text.strip() or text.strip() not in result.stderr


def test_file_that_others_can_read_is_warned_of(tmp_path):
    caller = Caller(tmp_path, "a")
    caller.token_file.chmod(0o604)
    assert "a.token" in check(tmp_path, REST + CALLERS).stdout
    for mode in (0o600, 0o640):  # Kubernetes gives Secrets to the pod's group
        caller.token_file.chmod(mode)
        assert "a.token" not in check(tmp_path, REST + CALLERS).stdout
