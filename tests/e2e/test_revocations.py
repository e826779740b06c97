"""What a revocation of each kind refuses, how it ends, and how it gets from store to store."""

import errno
import json
import os
import pty
import re
import stat
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from gatehouse.v1 import revocation_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from support.callers import Caller
from support.client import assert_allowed, assert_denied, messages, stamp, status_of
from support.issuers import URL, Issuer
from support.places import program
from support.revokers import Revokers
from support.server import run
from support.waiting import wait_until

OTHER = "https://other.test"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
# By kind: the claim, and the target's message.
NAMED = {
    "token_id": ("jti", lambda i, v: pb.TokenIdTarget(issuer=i, token_id=v)),
    "session": ("sid", lambda i, v: pb.SessionTarget(issuer=i, session_id=v)),
    "subject": ("sub", lambda i, v: pb.SubjectTarget(issuer=i, subject=v)),
    "tenant": ("org", lambda i, v: pb.TenantTarget(issuer=i, tenant=v)),
    "client": ("client_id", lambda i, v: pb.ClientTarget(issuer=i, client_id=v)),
}


def target(kind: str, issuer: str, value: str, **fields) -> messages.RevokeRequest:
    return messages.RevokeRequest(**{kind: NAMED[kind][1](issuer, value)}, **fields)


def key_target(issuer: str, key: str, **fields) -> messages.RevokeRequest:
    return messages.RevokeRequest(key=pb.KeyTarget(issuer=issuer, key_id=key), **fields)


@pytest.fixture
def ours() -> Issuer:
    return Issuer("EdDSA", kid="k1")


@pytest.fixture
def second_key() -> Issuer:
    """The same issuer's other key."""
    return Issuer("EdDSA", kid="k2")


@pytest.fixture
def theirs() -> Issuer:
    """Another issuer, whose key has the same name."""
    return Issuer("EdDSA", issuer=OTHER, kid="k1")


@pytest.fixture
def sections(ours, second_key, theirs, tmp_path):
    """sections(**more) -> what a configuration with both issuers holds."""
    keys = tmp_path / "ours.json"
    keys.write_text(json.dumps(ours.jwks(second_key)))

    def rules() -> dict:
        anything = {name: ["any"] for name in ("roles", "scopes", "tenants")}
        return {"claims": {"tenant": "org"}, "may_assert": anything}

    def make(**revocations):
        issuers = [
            ours.config({"jwks_file": str(keys)}, **rules()),
            theirs.config_with_file(tmp_path, **rules()),
        ]
        return issuers, {"revocations": {"sqlite": {"path": "gatehouse.db"}, **revocations}}

    return make


@pytest.fixture
def server(make_server, sections, tmp_path):
    (tmp_path / "backups").mkdir()
    issuers, more = sections(backups=str(tmp_path / "backups"))
    return make_server(issuers, **more).wait_until_ready()


@pytest.fixture
def client(server):
    return server.client


def is_revoked(client, token: str) -> bool:
    reply = client.verify(token)
    if reply.decision.code == 5:  # CODE_TOKEN_REVOKED
        return True
    assert_allowed(reply)
    return False


def refused(call) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == INVALID, caught.value.details()
    return caught.value.details()


@pytest.mark.parametrize("kind", NAMED)
def test_each_target_refuses_exactly_its_tokens(client, ours, theirs, kind):
    claim, _ = NAMED[kind]
    everything = {each: "v" for each, _ in NAMED.values()}
    hit = ours.token(**{claim: "v"})
    misses = {
        "another value": ours.token(**{**everything, claim: "w"}),
        "another issuer": theirs.token(**everything),
        "a longer value": ours.token(**{claim: "v "}),
        "no value": ours.token(**({claim: None} if claim != "sub" else {})),
    }
    assert not is_revoked(client, hit)
    made = client.revoke(target(kind, URL, "v")).revocation
    assert getattr(made, kind).issuer == URL
    assert is_revoked(client, hit)
    assert is_revoked(client, ours.token(**everything)), "one that was never seen before"
    for what, token in misses.items():
        assert not is_revoked(client, token), what


def test_key_refuses_all_its_tokens_also_remembered_ones(client, ours, second_key, theirs):
    remembered = [ours.token(jti=f"r{number}") for number in range(20)]
    others = [second_key.token(), theirs.token()]
    for token in remembered + others:
        assert not is_revoked(client, token)
    revocation = client.revoke(key_target(URL, "k1", reason="leaked")).revocation
    assert not revocation.HasField("end_time"), "for ever"
    assert all(is_revoked(client, token) for token in remembered)
    assert is_revoked(client, ours.token())
    assert not any(is_revoked(client, token) for token in others)


def test_token_minted_after_its_session_was_revoked_is_refused(client, ours):
    client.revoke_session(URL, "s1")
    now = int(time.time())
    assert is_revoked(client, ours.token(sid="s1", iat=now))
    assert is_revoked(client, ours.token(sid="s1", iat=now + 5))
    assert not is_revoked(client, ours.token(sid="s2", iat=now))


@pytest.mark.parametrize("kind", ["subject", "tenant", "client"])
def test_issued_until_parts_old_tokens_from_new_ones(client, ours, kind):
    claim, make = NAMED[kind]
    until = int(time.time()) - 60
    request = target(kind, URL, "v")
    getattr(request, kind).issued_until.CopyFrom(stamp(until))
    client.revoke(request)
    assert is_revoked(client, ours.token(**{claim: "v", "iat": until - 1}))
    assert is_revoked(client, ours.token(**{claim: "v", "iat": until}))
    assert not is_revoked(client, ours.token(**{claim: "v", "iat": until + 1}))


@pytest.mark.parametrize("kind", NAMED)
def test_suspension_refuses_until_its_end_and_no_longer(client, ours, kind):
    token = ours.token(**{NAMED[kind][0]: "v"})
    end = time.time() + 3
    made = client.revoke(target(kind, URL, "v", expire_time=stamp(end))).revocation
    assert made.expire_time == made.end_time
    refused_once = False
    while time.time() < end - 0.5:
        assert is_revoked(client, token)
        refused_once = True
    assert refused_once
    wait_until(lambda: not is_revoked(client, token), "the suspension's end")
    assert time.time() >= end - 0.5


def test_short_suspension_over_a_lasting_revocation_ends_alone(client, ours):
    old = ours.token(iat=int(time.time()) - 5)
    client.revoke_subject(URL, "ada", until=int(time.time()) - 2)
    end = time.time() + 2
    client.suspend_subject(URL, "ada", end)
    new = ours.token()
    assert is_revoked(client, new) and is_revoked(client, old)
    wait_until(lambda: not is_revoked(client, new), "the suspension's end")
    assert is_revoked(client, old)


def test_one_of_two_on_a_tag_is_taken_back_and_the_other_stays(client, ours):
    now = int(time.time())
    old, new = ours.token(iat=now - 100), ours.token(iat=now - 10)
    first = client.revoke_subject(URL, "ada", until=now - 50).revocation
    second = client.revoke_subject(URL, "ada").revocation
    assert first.id != second.id
    assert is_revoked(client, old) and is_revoked(client, new)

    reply = client.reinstate(second.id, "a mistake")
    assert reply.revocation.reinstatement.reason == "a mistake"
    assert reply.revision > second.revision
    assert is_revoked(client, old) and not is_revoked(client, new)
    assert client.reinstate(second.id).revision == reply.revision, "again: nothing is written"

    client.reinstate(first.id)
    assert not is_revoked(client, old)
    assert not client.revocations()
    past = client.revocations(with_past=True)
    assert [each.id for each in past] == [second.id, first.id]
    assert all(each.HasField("reinstatement") for each in past)


def test_lasting_revocation_taken_back_leaves_the_suspension(client, ours):
    lasting = client.revoke_subject(URL, "ada").revocation
    suspension = client.suspend_subject(URL, "ada", time.time() + 600).revocation
    client.reinstate(lasting.id)
    assert is_revoked(client, ours.token())
    client.reinstate(suspension.id)
    assert not is_revoked(client, ours.token())


def test_reinstatement_of_what_is_not_there_is_not_found(client):
    assert status_of(lambda: client.reinstate("0" * 32)) == grpc.StatusCode.NOT_FOUND
    for bad in ("", "x", "0" * 31, "G" * 32, "A" * 32):
        assert refused(lambda bad=bad: client.reinstate(bad)).startswith("id: ")
    made = client.revoke_session(URL, "s1").revocation
    assert refused(lambda: client.reinstate(made.id, "a\nb")).startswith("reason: ")
    assert refused(lambda: client.reinstate(made.id, "a" * 257)).startswith("reason: ")


def bad_requests(ours) -> dict[str, messages.RevokeRequest]:
    """By what the message must begin with."""
    ahead = stamp(time.time() + 3600)
    subject = {"issuer": URL, "subject": "ada"}
    return {
        "target: ": messages.RevokeRequest(reason="none"),
        "token: ": messages.RevokeRequest(token=ours.token(exp=int(time.time()) - 600)),
        "expire_time: a token": messages.RevokeRequest(token=ours.token(), expire_time=ahead),
        "expire_time: a key": key_target(URL, "k1", expire_time=ahead),
        "expire_time: does not": target("tenant", URL, "t", expire_time=stamp(1)),
        "expire_time: lies": target("tenant", URL, "t", expire_time=stamp(time.time() * 3)),
        "expire_time: is no": target("tenant", URL, "t", expire_time={"seconds": 1 << 60}),
        "expire_time: a suspension": messages.RevokeRequest(
            subject=pb.SubjectTarget(**subject, issued_until=stamp(time.time())), expire_time=ahead
        ),
        "subject.issued_until: lies more": messages.RevokeRequest(
            subject=pb.SubjectTarget(**subject, issued_until=ahead)
        ),
        "subject.issued_until: lies so": messages.RevokeRequest(
            subject=pb.SubjectTarget(**subject, issued_until=stamp(1))
        ),
        "tenant.issuer: is not the": target("tenant", "https://nobody.test", "t"),
        "client.issuer: is not set": target("client", "", "c"),
        "key.key_id: is not set": key_target(URL, ""),
        "tenant.tenant: longer": target("tenant", URL, "t" * 1025),
        "client.client_id: holds": target("client", URL, "c\x00"),
        "reason: longer": target("session", URL, "s", reason="a" * 257),
        "reason: holds": target("session", URL, "s", reason="a\x07"),
    }


def test_bad_revocation_is_refused_by_field_and_writes_nothing(client, ours):
    before = client.page().revision
    for begin, request in bad_requests(ours).items():
        said = refused(lambda request=request: client.revoke(request))
        assert said.startswith(begin), f"{said} does not begin with {begin}"
    assert client.page(with_past=True).revision == before
    assert not client.revocations(with_past=True)


def bad_tokens(ours, theirs) -> dict[str, str]:
    now = int(time.time())
    stranger = Issuer("EdDSA", issuer="https://stranger.test", kid="k1")
    head, body, signature = ours.token().split(".")
    return {
        "empty": "",
        "no token": "a.b.c",
        "two parts": f"{head}.{body}",
        "five parts": f"{head}.{body}.{signature}.{head}.{body}",
        "not signed": f"{head}.{body}.",
        "cut short": f"{head}.{body}.{signature[:-4]}",
        "too long": ours.token(more="x" * 50_000),
        "expired": ours.token(iat=now - 1200, exp=now - 600),
        "expired this moment": ours.token(iat=now - 600, exp=now - 11),
        "an issuer that nobody trusts": stranger.token(),
        "another issuer's key": Issuer("EdDSA", kid="k1").token(),
        "a key that nobody knows": Issuer("EdDSA", kid="k9").token(),
        "their key in our name": theirs.token(iss=URL, aud=URL),
        "for somebody else": ours.token(aud="https://elsewhere.test"),
        "no subject": ours.token(sub=""),
        "lives too long": ours.token(iat=now, exp=now + 25 * 3600),
    }


def test_bad_token_revokes_nothing_and_says_so(server, client, ours, theirs):
    before, metrics = client.page(with_past=True), server.metrics()
    for what, token in bad_tokens(ours, theirs).items():
        request = messages.RevokeRequest(token=token)
        said = refused(lambda request=request: client.revoke(request))
        assert said.startswith("token: "), f"{what}: {said}"
    assert client.page(with_past=True) == before
    assert server.metrics()["gatehouse_revocations_total"] == metrics["gatehouse_revocations_total"]


@pytest.mark.parametrize("kind", [*NAMED, "key"])
def test_bad_target_is_refused_by_its_field_and_writes_nothing(client, ours, kind):
    make = key_target if kind == "key" else lambda *given, **more: target(kind, *given, **more)
    value = {"token_id": "token_id", "session": "session_id", "client": "client_id",
             "key": "key_id"}.get(kind, kind)  # fmt: skip
    year = 365 * 24 * 3600
    bad = [
        (f"{kind}.issuer: is not set", make("", "v")),
        (f"{kind}.issuer: is not the name", make("https://stranger.test", "v")),
        (f"{kind}.issuer: is not the name", make(URL + "/", "v")),
        (f"{kind}.{value}: is not set", make(URL, "")),
        (f"{kind}.{value}: longer", make(URL, "v" * 1025)),
        (f"{kind}.{value}: holds", make(URL, "v\n")),
        ("expire_time: ", make(URL, "v", expire_time=stamp(time.time() + 11 * year))),
        ("expire_time: ", make(URL, "v", expire_time=stamp(time.time() - 1))),
        ("expire_time: ", make(URL, "v", expire_time={"seconds": 253_402_300_800})),
        ("expire_time: ", make(URL, "v", expire_time={"seconds": 1, "nanos": -1})),
        ("reason: ", make(URL, "v", reason="a\x00")),
    ]
    if kind in ("subject", "tenant", "client"):
        for until in ({"seconds": int(time.time()) + 120}, {"seconds": 1 << 62}, {"nanos": -1}):
            request = make(URL, "v")
            getattr(request, kind).issued_until.CopyFrom(Timestamp(**until))
            bad.append((f"{kind}.issued_until: ", request))
    before = client.page(with_past=True)
    for begin, request in bad:
        said = refused(lambda request=request: client.revoke(request))
        assert said.startswith(begin), f"{said} does not begin with {begin}"
    assert client.page(with_past=True) == before
    if kind != "key":
        assert not is_revoked(client, ours.token(**{NAMED[kind][0]: "v"}))


def test_page_token_that_was_never_issued(make_server, sections, client):
    for number in range(4):
        client.revoke_session(URL, f"s{number}")
    token = client.page(page_size=2).next_page_token
    issuers, more = sections()
    other = make_server(issuers, **more).wait_until_ready().client
    for number in range(4):
        other.revoke_session(URL, f"s{number}")
    before = client.page()
    _, _, hash_of_it = token.partition("-")
    for bad in (
        other.page(page_size=2).next_page_token,
        f"-1-{hash_of_it}", f"0-{hash_of_it}", f"99-{hash_of_it}", f"{1 << 63}-{hash_of_it}",
        f"{1 << 64}-{hash_of_it}", "-", "1-", token.upper() + "x", " " + token, token + "\0",
        "x" * 100_000,
    ):  # fmt: skip
        said = refused(lambda bad=bad: client.page(page_token=bad))
        assert said.startswith("page_token: "), said
    assert client.page() == before


def test_filters_show_what_fits(client, ours):
    made = {kind: client.revoke(target(kind, URL, "v")).revocation for kind in NAMED}
    made["key"] = client.revoke(key_target(URL, "k2")).revocation
    made["token"] = client.revoke_token(ours.token()).revocation
    elsewhere = client.revoke(target("session", OTHER, "v")).revocation
    for kind, revocation in made.items():
        listed = client.revocations(kind=kind, issuer=URL)
        assert [each.id for each in listed] == [revocation.id], kind
        assert revocation in listed
    assert [each.id for each in client.revocations(issuer=OTHER)] == [elsewhere.id]
    assert len(client.revocations(actor="anonymous")) == len(made) + 1
    assert not client.revocations(actor="somebody else")
    since = elsewhere.create_time
    assert elsewhere.id in {each.id for each in client.revocations(created_from=since)}
    assert elsewhere.id not in {each.id for each in client.revocations(created_before=since)}
    assert refused(lambda: client.page(kind="sessions")).startswith("kind: ")
    assert refused(lambda: client.page(page_size=-1)).startswith("page_size: ")
    assert refused(lambda: client.page(created_from={"nanos": -1})).startswith("created_from: ")


def test_page_token_is_of_one_query_alone(client):
    for number in range(4):
        client.revoke_session(URL, f"s{number}")
    token = client.page(page_size=2).next_page_token
    assert len(client.page(page_size=1, page_token=token).revocations) == 1
    digits = int(token.partition("-")[0])
    for fields in (
        {"page_token": "1"},
        {"page_token": "x"},
        {"page_token": token + "0"},
        {"page_token": token.replace(str(digits), str(digits - 1), 1)},
        {"page_token": token, "issuer": URL},
        {"page_token": token, "with_past": True},
    ):
        assert refused(lambda fields=fields: client.page(**fields)).startswith("page_token: ")


def test_pages_stay_consistent_while_others_revoke(server, client):
    there = [client.revoke_session(URL, f"there-{number}").revocation for number in range(60)]
    revokers = Revokers(server.grpc, "meanwhile")
    try:
        for _ in range(5):
            listed = client.revocations(page_size=7, kind="session")
            assert [each.id for each in listed] == [each.id for each in reversed(there)]
            everything = client.revocations(page_size=50)
            numbers = [each.revision for each in everything]
            assert numbers == sorted(set(numbers), reverse=True), "newest first, none twice"
            assert {each.id for each in there} <= {each.id for each in everything}
        assert revokers.acknowledged
    finally:
        server.stop()
        revokers.join()


@pytest.fixture
def gatehouse():
    """gatehouse(server, *args) -> what the command said; it must have done its work."""

    def call(server, *args, **env):
        done = subprocess.run(
            [str(program("gatehouse")), "--target", server.grpc, *[str(arg) for arg in args]],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
            env={**os.environ, **env},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_list_that_is_exported_and_imported_is_the_same(
    make_server, sections, server, ours, gatehouse, tmp_path
):
    client = server.client
    tokens = []
    for kind, (claim, _) in NAMED.items():
        client.revoke(target(kind, URL, "lasting", reason=f'a "{kind}"'))
        tokens.append(ours.token(**{claim: "lasting"}))
        if kind not in ("token_id", "session"):
            # A weaker one first, a stronger one then: both must come over.
            request = target(kind, URL, "twice")
            getattr(request, kind).issued_until.CopyFrom(stamp(time.time() - 100))
            client.revoke(request)
            client.revoke(target(kind, URL, "twice"))
            tokens.append(ours.token(**{claim: "twice"}))
        client.revoke(target(kind, URL, "suspended", expire_time=stamp(time.time() + 3600)))
        tokens.append(ours.token(**{claim: "suspended"}))
    single = ours.token(jti="single")
    client.revoke_token(single)
    client.revoke(key_target(URL, "k2"))
    mistake = client.revoke_session(URL, "mistake").revocation
    client.reinstate(mistake.id, "a mistake")
    tokens.append(single)
    for number in range(600):
        client.revoke_session(URL, f"s{number}")
    tokens.append(ours.token(sid="s599"))

    file = tmp_path / "revocations.jsonl"
    gatehouse(server, "revocations", "export", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    issuers, more = sections()
    new = make_server(issuers, **more).wait_until_ready()
    assert not any(is_revoked(new.client, token) for token in tokens)
    said = json.loads(gatehouse(new, "revocations", "import", file, "--output", "json"))
    past = client.revocations(with_past=True)
    assert said["added"] == str(len(past)) and said["known"] == "0"
    assert said["store_id"] != client.page().store_id

    assert all(is_revoked(new.client, token) for token in tokens)
    assert not is_revoked(new.client, ours.token(sid="mistake"))

    def without_revisions(revocation):
        copy = pb.Revocation()
        copy.CopyFrom(revocation)
        copy.revision = copy.reinstatement.revision = 0
        if not revocation.HasField("reinstatement"):
            copy.ClearField("reinstatement")
        return copy

    same = [without_revisions(each) for each in new.client.revocations(with_past=True)]
    assert same == [without_revisions(each) for each in past]

    again = json.loads(gatehouse(new, "revocations", "import", file, "--output", "json"))
    assert again["added"] == "0" and again["known"] == str(len(past))
    new.restart()
    assert all(is_revoked(new.client, token) for token in tokens)


def on_a_terminal(server, *args) -> tuple[str, str]:
    """What the command says on standard output, and on standard error, which is a terminal."""
    ours, theirs = pty.openpty()
    command = [str(program("gatehouse")), "--target", server.grpc, *map(str, args)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError as error:
            assert error.errno == errno.EIO, "not the end of the terminal"
        finally:
            os.close(ours)
        said = running.stdout.read().decode()
    assert running.returncode == 0, shown
    return said, shown.decode()


def test_progress_shows_on_a_terminal_alone_and_is_taken_away(
    make_server, sections, server, tmp_path
):
    for number in range(1200):
        server.client.revoke_session(URL, f"s{number}")
    issuers, more = sections()
    new = make_server(issuers, **more).wait_until_ready()
    file = tmp_path / "revocations.jsonl"
    for asked, way in ((server, "export"), (new, "import")):
        said, shown = on_a_terminal(asked, "revocations", way, file)
        assert re.fullmatch(r"(\r\d+ revocations)+\r\x1b\[K", shown), shown
        counts = [int(count) for count in re.findall(r"\d+(?= rev)", shown)]
        assert len(counts) > 1 and counts == sorted(counts) and counts[-1] == 1200, counts
        assert "1200" in said and "\r" not in said
    plain = subprocess.run(
        [str(program("gatehouse")), "--target", new.grpc, "revocations", "import", str(file)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert plain.returncode == 0 and plain.stderr == ""


def test_bad_entry_is_refused_by_field_and_writes_nothing_of_its_batch(client, ours):
    good = client.revoke_session(URL, "s1").revocation
    before = client.page().revision

    def spoiled(**changes):
        entry = pb.Revocation()
        entry.CopyFrom(good)
        entry.id = "f" * 32
        for name, value in changes.items():
            entry.ClearField(name)
            if value is not None:
                entry.MergeFrom(pb.Revocation(**{name: value}))
        return entry

    other = spoiled(session=pb.SessionTarget(issuer=URL, session_id="s2"))
    other.id = "e" * 32
    for begin, entry in {
        "revocations[1].id: ": spoiled(id="x"),
        "revocations[1].issuer: ": spoiled(issuer=None),
        "revocations[1].session.issuer: ": spoiled(issuer=OTHER),
        "revocations[1].target: ": spoiled(session=None),
        "revocations[1].create_time: ": spoiled(create_time=stamp(time.time() * 2)),
        "revocations[1].reason: ": spoiled(reason="a\nb"),
        "revocations[1].actor: ": spoiled(actor="a\nb"),
    }.items():
        said = refused(lambda entry=entry: client.import_revocations([other, entry]))
        assert said.startswith(begin), said
    assert refused(lambda: client.import_revocations([spoiled(reason="")] * 1001))
    assert client.page(with_past=True).revision == before
    assert not is_revoked(client, ours.token(sid="s2"))
    assert client.import_revocations([other]).added == 1
    assert is_revoked(client, ours.token(sid="s2"))


def test_import_that_takes_something_back_needs_the_right_to(make_server, hmac_issuer, tmp_path):
    mover = Caller(tmp_path, "mover", ["verify", "admin", "list"])
    owner = Caller(tmp_path, "owner", ["verify", "revoke", "reinstate", "admin", "list"])
    server = make_server(
        [hmac_issuer.config_with_file(tmp_path)], callers=[mover.config, owner.config]
    )
    client = owner.client(server.grpc)
    revoked = client.revoke_token_id(URL, "t1").revocation
    taken = pb.Revocation()
    taken.CopyFrom(revoked)
    taken.reinstatement.id = "a" * 32
    taken.reinstatement.create_time.CopyFrom(revoked.create_time)
    token = hmac_issuer.token(jti="t1")
    status = status_of(lambda: mover.client(server.grpc).import_revocations([taken]))
    assert status == grpc.StatusCode.PERMISSION_DENIED
    assert is_revoked(client, token)
    assert client.import_revocations([taken]).added == 1
    assert not is_revoked(client, token)


def test_backup_made_while_revoking_holds_what_was_acknowledged_before(
    make_server, sections, server, ours, tmp_path
):
    revokers = Revokers(server.grpc, "before")
    revokers.wait_for(300)
    acknowledged = list(revokers.acknowledged)
    made = server.client.backup("copy.db")
    assert server.client.backup().path != made.path
    store_id = made.store_id
    server.stop()
    revokers.join()
    path = tmp_path / "backups" / "copy.db"
    assert made.path == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == made.bytes

    issuers, more = sections()
    new = make_server(issuers, start=False, **more)
    restored = run("--restore", path, "--config", new.config)
    assert restored.returncode == 0, restored.stderr
    for part in (str(new.database), f"revision  {made.revision}", "knows revocations up to 20"):
        assert part in restored.stdout
    before = path.read_bytes(), new.database.read_bytes()
    again = run("--restore", path, "--config", new.config)
    assert again.returncode == 1 and str(new.database) in again.stderr
    assert before == (path.read_bytes(), new.database.read_bytes())

    client = new.start().client
    page = client.page()
    assert page.store_id != store_id and page.store_id in restored.stdout
    held = {each.token_id.token_id for each in client.revocations()}
    assert not set(acknowledged) - held
    assert all(is_revoked(client, ours.token(jti=each)) for each in acknowledged[-20:])


def test_backup_copied_over_the_database_by_hand_is_refused_with_what_to_do(server, ours):
    server.client.revoke_token_id(URL, "t1")
    copy = Path(server.client.backup("copy.db").path)
    server.client.revoke_token_id(URL, "t2")
    server.stop()
    server.database.write_bytes(copy.read_bytes())
    done = run("--config", server.config)
    assert done.returncode == 1
    assert f"{server.database} is a backup" in done.stderr
    assert "`gatehouse-server --restore FILE --config FILE`" in done.stderr
    server.database.unlink()
    assert run("--restore", copy, "--config", server.config).returncode == 0
    server.start()
    assert is_revoked(server.client, ours.token(jti="t1"))


def test_restore_of_what_is_no_backup_makes_nothing(make_server, sections, tmp_path):
    issuers, more = sections()
    server = make_server(issuers, start=False, **more)
    (tmp_path / "garbage").write_bytes(os.urandom(8192))
    for file in (tmp_path / "garbage", tmp_path / "missing", tmp_path):
        done = run("--restore", file, "--config", server.config)
        assert done.returncode == 1 and str(file) in done.stderr
        assert not server.database.exists()
    both = run("--restore", tmp_path / "x", "--create-database", "--config", server.config)
    assert both.returncode == 2


def test_every_write_that_the_store_refuses_is_counted_and_no_wrong_request(server):
    client = server.client
    made = client.revoke_session(URL, "s1").revocation
    gone = pb.Revocation()
    gone.CopyFrom(made)
    gone.session.session_id = "another"
    assert status_of(lambda: client.import_revocations([gone])) == INVALID
    moved = server.database.rename(server.database.with_suffix(".moved"))
    calls = (
        lambda: client.revoke_session(URL, "s2"),
        lambda: client.reinstate(made.id),
        lambda: client.import_revocations([made]),
    )
    for count, call in enumerate(calls, start=1):
        assert status_of(call) == grpc.StatusCode.UNAVAILABLE
        assert f"gatehouse_failed_revocations_total {count}\n" in server.get("/metrics")[1]
    moved.rename(server.database)


def test_missing_folder_for_backups_is_named_and_the_next_backup_works(server, tmp_path):
    folder = tmp_path / "backups"
    folder.rmdir()
    with pytest.raises(grpc.RpcError) as caught:
        server.client.backup()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert f"the folder for backups {folder} does not exist" in caught.value.details()
    assert "gatehouse_failed_revocations_total 0" in server.get("/metrics")[1]
    folder.mkdir()
    assert Path(server.client.backup().path).parent == folder


def test_what_was_done_already_and_what_is_refused_still_is_told(server, gatehouse):
    client = server.client
    lasting = client.revoke_session(URL, "s1")
    assert not lasting.existed and client.revoke_session(URL, "s1").existed
    until = ("revoke", "session", "--issuer", URL, "s1", "--until", int(time.time()) + 60)
    assert gatehouse(server, *until).startswith("already revoked\n")
    suspended = client.suspend_subject(URL, "ada", time.time() + 600).revocation
    client.revoke_subject(URL, "ada")
    assert client.reinstate(suspended.id).still_revoked
    assert gatehouse(server, "reinstate", suspended.id).startswith("already taken back\n")
    reply = client.reinstate(lasting.revocation.id)
    assert not reply.existed and not reply.still_revoked
    assert client.revoke(key_target(URL, "k3")).key_not_in_set
    assert not client.revoke(key_target(URL, "k2")).key_not_in_set


def test_backup_goes_into_the_configured_folder_alone(make_server, sections, server, tmp_path):
    client = server.client
    for bad in ("../x", "/tmp/x", ".x", "a/b", "x\x00", "ä", "x" * 129, "x-wal", "x-journal"):
        assert refused(lambda bad=bad: client.backup(bad)).startswith("name: "), bad
    assert not list((tmp_path / "backups").iterdir())
    client.backup("x.db")
    assert status_of(lambda: client.backup("x.db")) == grpc.StatusCode.ALREADY_EXISTS

    issuers, more = sections()
    without = make_server(issuers, **more)
    assert status_of(without.client.backup) == grpc.StatusCode.FAILED_PRECONDITION

    issuers, more = sections(backups="missing")
    wrong = make_server(issuers, start=False, **more).create_database()
    for arguments in (("--check", wrong.config), ("--config", wrong.config)):
        done = run(*arguments)
        assert done.returncode == 1
        assert "revocations.backups" in done.stderr and "missing" in done.stderr


def test_calls_need_their_rights(make_server, sections, tmp_path):
    (tmp_path / "copies").mkdir()
    rights = ("verify", "revoke", "reinstate", "list", "admin")
    callers = {right: Caller(tmp_path, f"may-{right}", [right]) for right in rights}
    issuers, more = sections(backups=str(tmp_path / "copies"))
    server = make_server(issuers, callers=[each.config for each in callers.values()], **more)
    clients = {right: each.client(server.grpc) for right, each in callers.items()}
    made = clients["revoke"].revoke_session(URL, "s1").revocation
    assert made.actor == "may-revoke"
    calls = {
        "revoke": lambda client: client.revoke(target("tenant", URL, "t")),
        "reinstate": lambda client: client.reinstate(made.id),
        "list": lambda client: client.page(),
        "admin": lambda client: client.import_revocations([made]),
    }
    for needed, call in calls.items():
        for right, client in clients.items():
            status = status_of(lambda call=call, client=client: call(client))
            wanted = "OK" if right == needed else "PERMISSION_DENIED"
            assert status.name == wanted, f"{needed} with {right}"
    assert status_of(clients["list"].backup) == grpc.StatusCode.PERMISSION_DENIED
    clients["admin"].backup()
    text = server.get("/metrics")[1]
    for line in ("gatehouse_reinstatements_total 1", "gatehouse_imported_revocations_total 0"):
        assert line in text
    assert "gatehouse_revocation_bytes" in text
    for client in clients.values():
        client.close()


def test_log_tells_what_was_done_and_by_whom(server, ours):
    token = ours.token(jti="secret-token")
    client = server.client
    made = client.revoke_token(token).revocation
    client.reinstate(made.id, "found again")
    client.import_revocations([made])
    copy = client.backup()
    lines = {
        " revoked ": made.id,
        " reinstated ": "found again",
        " imported ": 'known="1"',
        " backed up": copy.path,
    }
    for event, part in lines.items():
        wait_until(
            lambda event=event, part=part: any(
                event in line and part in line and "anonymous" in line
                for line in server.log.splitlines()
            ),
            f"a line with{event}and {part}",
        )


def test_restart_keeps_suspensions_and_reinstatements(server, ours):
    client = server.client
    client.suspend_subject(URL, "ada", time.time() + 600)
    mistake = client.revoke_session(URL, "s1").revocation
    client.reinstate(mistake.id)
    client.revoke(key_target(URL, "k2"))
    server.restart()
    assert is_revoked(server.client, ours.token())
    assert not is_revoked(server.client, ours.token(sub="bob", sid="s1"))
    assert_denied(server.client.verify(ours.token()), "TOKEN_REVOKED")
