"""Decisions written down, and decided again under another policy."""

import json
import os
import random
import re
import signal
import subprocess

import grpc
import pytest
import yaml
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import decision_pb2
from support import leaks
from support.client import DEADLINE, assert_allowed, assert_denied, status_of
from support.places import program
from support.questions import POLICY, ask_batch, batches, random_check, without_rule
from support.server import run
from support.waiting import wait_until

EVERYTHING = {"path": "decisions.jsonl", "allowed_percent": 100, "denials_per_second": 100_000}


@pytest.fixture
def logging(make_server, hmac_issuer, tmp_path):
    """logging(policy, **changes to the log) -> a server that writes decisions down."""

    def make(policy=None, **changes):
        issuer = hmac_issuer.config_with_file(tmp_path, claims={"tenant": "org"})
        settings = {"decision_log": {**EVERYTHING, **changes}, "policy": policy or POLICY}
        return make_server([issuer], **settings).wait_until_ready()

    return make


def lines_of(server) -> list[dict]:
    path = server.folder / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def metric(server, name: str) -> int:
    return int(re.search(rf"^{re.escape(name)} (\d+)", server.get("/metrics")[1], re.M)[1])


def replay(server, *more, policy=None, cli_seconds: float = 60):
    config = server.folder / "new.yaml"
    settings = yaml.safe_load(server.config.read_text())
    config.write_text(yaml.safe_dump({**settings, "policy": policy or settings["policy"]}))
    command = [program("gatehouse"), "policy", "replay", server.folder / "decisions.jsonl",
               "--config", config, *more]  # fmt: skip
    return subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, timeout=cli_seconds
    )


def test_each_decision_is_a_line_with_the_answers_id_and_no_token(logging, hmac_issuer):
    server = logging()
    token = hmac_issuer.token(roles=["user"], profile={"team": "blue"})
    verified = server.client.verify(token)
    allowed = server.client.authorize(token, "task/7", "ada")
    denied = server.client.authorize(token, "task/8", "bob")
    expired = server.client.authorize(hmac_issuer.token(exp=1_000_000_000, iat=999_999_000), "task/9", "ada")
    forged = server.client.verify(hmac_issuer.token()[:-4] + "AAAA")
    batch = ask_batch(server, messages.BatchAuthorizeRequest(
        token=token, checks=[random_check(random.Random(1), n) for n in range(3)]))  # fmt: skip
    filtered = server.client.stub.Filter(
        messages.FilterRequest(token=token, resource_type="task", action="read"), timeout=DEADLINE
    )
    server.stop()

    lines = lines_of(server)
    answers = [verified, allowed, denied, expired, forged]
    ids = [one.decision.id for one in answers] + [one.id for one in batch.decisions]
    assert [line["id"] for line in lines] == [*ids, filtered.decision.id]
    assert [line["method"] for line in lines] == [
        "Verify", "Authorize", "Authorize", "Authorize", "Verify", *["BatchAuthorize"] * 3, "Filter",
    ]  # fmt: skip
    assert [line["code"] for line in lines[:5]] == [
        "OK", "OK", "INSUFFICIENT_PERMISSIONS", "TOKEN_EXPIRED", "TOKEN_INVALID",
    ]  # fmt: skip
    first = lines[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["time"])
    assert (first["subject"], first["issuer"]) == ("ada", hmac_issuer.issuer)
    assert (first["resource"], first["action"], first["owner"]) == ("task/7", "read", "ada")
    assert (first["verdict"], first["rule"]) == ("allow", "allow[0] owner")
    assert (first["roles"], first["claims"]) == (["user"], {"/profile/team": "blue"})
    assert re.fullmatch("[0-9a-f]{8}", first["token"]) and first["token"] == lines[2]["token"]
    assert lines[2]["rule"] == "no rule allows it"
    assert lines[3]["rule"] == "exp has passed" and "subject" not in lines[4]
    assert (lines[-1]["resource"], lines[-1]["rule"]) == ("task", "some rows")
    assert leaks.find([server.folder / "decisions.jsonl"]) == []


def test_batch_that_is_refused_leaves_no_line(logging, hmac_issuer):
    server = logging()
    checks = [messages.Check(resource="task/1", action="read"), messages.Check(resource="task")]
    request = messages.BatchAuthorizeRequest(token=hmac_issuer.token(), checks=checks)
    assert status_of(lambda: ask_batch(server, request)) == grpc.StatusCode.INVALID_ARGUMENT
    server.stop()
    assert lines_of(server) == []


def test_denials_beyond_the_rate_are_counted_and_told(logging, hmac_issuer):
    server = logging(denials_per_second=10)
    checks = [messages.Check(resource=f"task/{n}", owner="bob", action="read") for n in range(1000)]
    ask_batch(server, messages.BatchAuthorizeRequest(token=hmac_issuer.token(), checks=checks))
    lost = metric(server, 'gatehouse_decision_log_lost_total{reason="rate"}')
    assert lost == 990  # a batch is of one moment
    server.stop()
    lines = lines_of(server)
    assert len([line for line in lines if "verdict" in line]) == 10
    assert sum(line.get("lost", 0) for line in lines) == 990


def test_file_that_cannot_grow_changes_no_answer_and_is_counted(logging, hmac_issuer, tmp_path):
    (tmp_path / "full").write_text("{}\n" * 349_525)  # one MiB, less a byte
    (tmp_path / "full.1" / "in the way").mkdir(parents=True)
    server = logging(path=str(tmp_path / "full"), max_mib=1, keep_files=1)
    token = hmac_issuer.token()
    for n in range(20):
        assert_allowed(server.client.authorize(token, f"task/{n}", "ada"))
        assert_denied(server.client.authorize(token, f"task/{n}", "bob"), "INSUFFICIENT_PERMISSIONS")
    lost = 'gatehouse_decision_log_lost_total{reason="file"}'
    wait_until(lambda: metric(server, lost) == 40, "all to be counted as lost")
    assert metric(server, "gatehouse_decision_log_written_total") == 0
    wait_until(lambda: "decisions are lost" in server.log, "the log to say so")
    assert server.log.count("decisions are lost") == 1


def test_line_that_a_kill_cut_off_spoils_no_other(logging, hmac_issuer):
    server = logging()
    token = hmac_issuer.token()
    server.client.authorize(token, "task/1", "ada")
    wait_until(lambda: metric(server, "gatehouse_decision_log_written_total") == 1, "the line")
    server.kill()
    path = server.folder / "decisions.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("a") as log:
        log.write('{"time":"2026-11-21T')
    server.start().wait_until_ready()
    server.client.authorize(token, "task/2", "ada")
    server.stop()
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert [json.loads(lines[n])["resource"] for n in (0, 2)] == ["task/1", "task/2"]
    replayed = replay(server)
    assert replayed.returncode == 0
    assert "2 decisions replayed: 2 unchanged" in replayed.stdout
    assert "1 damaged lines, the first at" in replayed.stdout and ":2\n" in replayed.stdout


def test_path_that_cannot_be_is_refused_with_its_place(make_server, hmac_issuer, tmp_path):
    issuer = hmac_issuer.config_with_file(tmp_path)
    server = make_server(
        [issuer], start=False, decision_log={"path": "missing/decisions.jsonl"}
    ).create_database()
    for arguments in (["--check", server.config], ["--config", server.config]):
        refused = run(*arguments)
        assert refused.returncode == 1
        assert re.search(r"gatehouse.yaml:\d+: decision_log.path: .*missing: ", refused.stderr)
    (server.folder / "missing").mkdir()
    assert run("--check", server.config).returncode == 0
    assert list((server.folder / "missing").iterdir()) == [], "--check makes nothing"


def test_log_that_is_pointed_at_the_database_leaves_it_locked(logging, hmac_issuer):
    server = logging()
    token = hmac_issuer.token()
    good = yaml.safe_load(server.config.read_text())
    database = good["revocations"]["sqlite"]["path"]
    link = server.folder / "link"
    link.symlink_to(server.folder / database)
    refused = 'gatehouse_config_reloads_total{result="refused"}'
    for path in (database, f"{database}-wal", "link", "gatehouse.yaml"):
        before = metric(server, refused)
        log = {**good["decision_log"], "path": path}
        server.config.write_text(yaml.safe_dump({**good, "decision_log": log}))
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: metric(server, refused) > before, f"{path} to be refused")
        checked = run("--check", server.config)
        assert checked.returncode == 1
        assert re.search(r"gatehouse.yaml:\d+: decision_log.path: .* is ", checked.stderr)
    second = server.folder / "second.yaml"
    second.write_text(yaml.safe_dump({**good, "decision_log": {"path": "other.jsonl"}}))
    started = run("--config", second)
    assert started.returncode == 1 and database in started.stderr, started.stderr
    assert_allowed(server.client.authorize(token, "task/1", "ada"))


def test_without_facts_nothing_can_be_replayed(logging, hmac_issuer):
    server = logging(without_facts=True)
    server.client.authorize(hmac_issuer.token(), "task/1", "secret-owner")
    server.stop()
    assert "secret-owner" not in (server.folder / "decisions.jsonl").read_text()
    replayed = replay(server)
    assert replayed.returncode == 2
    assert "0 decisions replayed" in replayed.stdout
    assert "1 cannot be replayed: 1 without facts" in replayed.stdout


@pytest.mark.parametrize(
    "gone", [("read", "allow", 1), ("read", "allow", 2), ("write", "allow", 1), ("write", "deny", 0)]
)
def test_replay_lists_exactly_what_a_server_with_that_policy_decides_otherwise(
    logging, hmac_issuer, gone
):
    requests = batches(hmac_issuer, random.Random(repr(gone)), count=12, size=50)
    old = logging()
    before = [one for request in requests for one in ask_batch(old, request).decisions]
    old.stop()

    same = replay(old)
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.startswith("600 decisions replayed: 600 unchanged")

    new_policy = without_rule(*gone)
    new = logging(new_policy)
    after = [one for request in requests for one in ask_batch(new, request).decisions]
    ok = decision_pb2.CODE_OK
    differing = {a.id: b.code == ok for a, b in zip(before, after) if a.code != b.code}
    assert differing, "the rule matters"

    changed = replay(old, "--output", "json", policy=new_policy)
    assert changed.returncode == 1, changed.stderr
    *changes, summary = [json.loads(line) for line in changed.stdout.splitlines()]
    assert {one["id"]: one["would_be"] == "allow" for one in changes} == differing
    assert summary["replayed"] == 600
    assert summary["unchanged"] == 600 - len(differing)
    assert summary["would_allow"] + summary["would_deny"] == len(differing)
