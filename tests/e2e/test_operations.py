"""What an operator does with the server, and sees of it."""

import json
import re
import signal
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2

from support.client import DEADLINE, assert_allowed, status_of
from support.issuers import URL, Issuer
from support.places import GRPCURL, REPOSITORY
from support.server import run


def grpcurl(*args: str) -> str:
    done = subprocess.run(
        [str(GRPCURL), "-plaintext", *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grpcurl_lists_and_describes_the_services(server):
    assert set(grpcurl(server.grpc, "list").split()) >= {
        "gatehouse.v1.AuthorizationService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    methods = grpcurl(server.grpc, "list", "gatehouse.v1.AuthorizationService").split()
    assert [name.rsplit(".", 1)[1] for name in methods] == [
        "Authorize", "BackupRevocations", "BatchAuthorize", "Filter", "ImportRevocations",
        "ListRevocations", "Reinstate", "Revoke", "Verify", "Watch",
    ]  # fmt: skip
    described = grpcurl(server.grpc, "describe", "gatehouse.v1.AuthorizationService.Verify")
    assert "gatehouse.v1.VerifyRequest" in described


def test_grpcurl_verifies_a_token(server, hmac_issuer):
    request = json.dumps({"token": hmac_issuer.token()})
    method = "gatehouse.v1.AuthorizationService/Verify"
    reply = json.loads(grpcurl("-d", request, server.grpc, method))
    assert reply["decision"]["code"] == "CODE_OK"
    assert reply["principal"]["subject"] == "ada"


def test_health_is_told_and_watched_to_the_end(server):
    assert server.client.serving() == "SERVING"
    unknown = lambda: server.client.serving("no.such.service")  # noqa: E731
    assert status_of(unknown) == grpc.StatusCode.NOT_FOUND
    watch = server.client.health.Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    server._process.popen.send_signal(signal.SIGTERM)
    last = [reply.status for reply in until_it_ends(watch)]
    assert last == [health_pb2.HealthCheckResponse.NOT_SERVING]
    server.stop()


def until_it_ends(stream):
    try:
        yield from stream
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_well(server, how):
    server.stop(how)
    assert "stopped" in server.log


def test_version_and_help():
    version = run("--version")
    assert version.returncode == 0
    assert re.search(r"gatehouse-server \d+\.\d+\.\d+", version.stdout)
    help_text = run("--help")
    assert help_text.returncode == 0
    for flag in ("--config", "--check", "--create-database", "--version"):
        assert flag in help_text.stdout


def test_unknown_flag_and_no_flag_are_refused():
    assert run("--no-such-flag").returncode > 0
    nothing = run()
    assert nothing.returncode > 0 and "--config" in nothing.stderr


def test_check_looks_at_keys_and_starts_nothing(make_server, hmac_issuer, tmp_path):
    server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False)
    good = run("--check", server.config)
    assert good.returncode == 0, good.stderr
    assert not server.database.exists()
    bad = make_server([hmac_issuer.config({"secret_file": "missing"})], start=False)
    told = run("--check", bad.config)
    assert told.returncode > 0 and "missing" in told.stderr


@pytest.mark.parametrize("source", ["secret_env", "secret_file"])
def test_secret_comes_from_a_file_or_the_environment(make_server, tmp_path, source):
    issuer = Issuer("HS256")
    (tmp_path / "the.secret").write_text(issuer.key + "\n")
    place = "THE_SECRET" if source == "secret_env" else str(tmp_path / "the.secret")
    server = make_server([issuer.config({source: place})], env={"THE_SECRET": issuer.key})
    assert_allowed(server.client.verify(issuer.token()))


def test_paths_are_relative_to_the_configuration(make_server, hmac_issuer):
    """The server runs in another folder."""
    server = make_server([hmac_issuer.config({"secret_file": "the.secret"})], start=False)
    (server.folder / "the.secret").write_text(hmac_issuer.key)
    server.create_database().start()
    assert_allowed(server.client.verify(hmac_issuer.token()))
    assert server.database.exists()
    assert server.database.stat().st_mode & 0o077 == 0, "others may not read the database"


def documented_metrics() -> dict[str, str]:
    """The metrics of docs/operations.md, each with what its row says."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.split("\n## Metrics\n")[1].split("\n## ")[0]
    rows = {}
    for line in section.splitlines():
        if not line.startswith("| `gatehouse_"):
            continue
        names, says = line.strip("| ").split(" | ", 1)
        name = ""
        for each in re.findall(r"`(\w+)(?:{[\w,]+})?`", names):
            # `_bytes` behind `gatehouse_token_cache_entries` is gatehouse_token_cache_bytes.
            own = each.count("_") if each.startswith("_") else 0
            name = name.rsplit("_", own)[0] + each if own else each
            rows[name] = says
    return rows


def test_metrics_are_those_of_the_docs(server):
    told = set(re.findall(r"^# TYPE (\w+) ", server.get("/metrics")[1], re.MULTILINE))
    rows = documented_metrics()
    assert told - set(rows) == set(), "not in docs/operations.md"
    missing = [name for name in set(rows) - told if "absent" not in rows[name]]
    assert not missing, "in docs/operations.md alone"


def test_metrics_that_other_sections_name_are_in_the_table():
    rows = documented_metrics()
    for page in ("operations.md", "incidents.md", "mesh.md"):
        named = set(re.findall(r"\bgatehouse_\w+", (REPOSITORY / "docs" / page).read_text()))
        # Of a histogram there are three.
        named = {n if n in rows else re.sub(r"_(bucket|count|sum)$", "", n) for n in named}
        assert named and named <= set(rows), f"{page}: {named - set(rows)}"


def test_docs_leave_it_to_the_refusal_how_a_mark_is_taken_away():
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert "user_version" not in page.read_text(), f"{page}: which it is depends on the file"


def test_metrics_move(server, hmac_issuer):
    before = server.metrics()
    token, revoked = hmac_issuer.token(), hmac_issuer.token(jti="1")
    for _ in range(3):
        server.client.verify(token)
    server.client.authorize(token, "note/1", "ada")
    server.client.authorize(token, "note/1", "bob")
    server.client.verify("")
    server.client.verify("a.b.c")
    server.client.verify(hmac_issuer.token(iat=1_700_000_000, exp=1_700_000_600))
    server.client.revoke_token(revoked)
    server.client.revoke_token(revoked)
    server.client.verify(revoked)
    status_of(lambda: server.client.authorize(token, "", "ada"))
    after = server.metrics()
    moved = {name: after[name] - before.get(name, 0) for name in after}

    def decisions(method: str, code: str) -> float:
        rows = [name for name in moved if name.startswith("gatehouse_decisions_total{")]
        found = [name for name in rows if f'"{method}"' in name and f'"{code}"' in name]
        assert len(found) == 1, f"{method} {code} is counted in {found} of {rows}"
        return moved[found[0]]

    assert decisions("Verify", "OK") == 3
    assert decisions("Verify", "TOKEN_MISSING") == 1
    assert decisions("Verify", "TOKEN_INVALID") == 1
    assert decisions("Verify", "TOKEN_EXPIRED") == 1
    assert decisions("Verify", "TOKEN_REVOKED") == 1
    assert decisions("Authorize", "OK") == 1
    assert decisions("Authorize", "INSUFFICIENT_PERMISSIONS") == 1
    assert moved['gatehouse_undecided_total{method="Authorize"}'] == 1
    assert moved["gatehouse_decision_duration_seconds_count"] == 9
    assert moved['gatehouse_decision_duration_seconds_bucket{le="+Inf"}'] == 9
    assert moved["gatehouse_decision_duration_seconds_sum"] > 0
    # The second and third Verify and both Authorize know the token.
    assert moved["gatehouse_token_cache_hits_total"] >= 4
    assert moved["gatehouse_revocations_total"] == 1
    assert moved["gatehouse_repeated_revocations_total"] == 1
    assert after["gatehouse_revocation_entries"] == 1
    assert after[f'gatehouse_keys{{issuer="{URL}"}}'] == 1


def test_pages_for_probes_and_for_people(server):
    assert server.get("/livez")[0] == 200
    status, page = server.get("/readyz")
    assert status == 200 and URL in page
    assert server.get("/no/such/page")[0] == 404


def test_log_has_the_true_reason_of_a_denial_and_no_token(server, hmac_issuer):
    token = hmac_issuer.token(aud="https://other.test")
    reply = server.client.verify(token)
    assert "aud" not in reply.decision.detail, "a forger learns nothing"
    server.stop()
    line = next(text for text in server.log.splitlines() if reply.decision.id in text)
    assert "aud" in line
    assert token.split(".")[2] not in server.log
