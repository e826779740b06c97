"""A disk that fails under a running server, and what happens to the database's files.

Verification goes on, Revoke says why it fails and writes nothing, and works again when the
cause is gone.
"""

import errno
import os
import resource
from types import SimpleNamespace

import grpc
import pytest

from support.client import assert_allowed, assert_denied
from support.issuers import URL
from support.server import Server

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
# A group commit takes a few pages of the -wal file, which is 1,000 of them at most.
ENOUGH = 3000


def write_errors(server) -> dict[str, float]:
    name = "gatehouse_revocation_write_errors_total"
    found = server.metrics()
    return {
        reason: found[f'{name}{{reason="{reason}"}}']
        for reason in ("disk_full", "moved", "io", "busy")
    }


@pytest.fixture
def scene(make_server, make_machine, hmac_issuer, tmp_path):
    """A server on a machine to spoil, that knows a good token and a revoked one."""
    machine = make_machine()
    server = make_server([hmac_issuer.config_with_file(tmp_path)], env=machine.env)
    return prepare(server.wait_until_ready(), hmac_issuer, machine)


def prepare(server: Server, issuer, machine=None) -> SimpleNamespace:
    good, revoked = issuer.token(sid="good"), issuer.token(sid="revoked")
    assert_allowed(server.client.verify(revoked))
    server.client.revoke_session(URL, "revoked")
    return SimpleNamespace(
        server=server, issuer=issuer, machine=machine, good=good, revoked=revoked,
        acknowledged=["revoked"], refused=[],
    )  # fmt: skip


def assert_verifies(scene):
    """What is known stays in force, for tokens that are remembered and for new ones."""
    client = scene.server.client
    assert_allowed(client.verify(scene.good))
    assert_denied(client.verify(scene.revoked), "TOKEN_REVOKED")
    for session in scene.acknowledged:
        assert_denied(client.verify(scene.issuer.token(sid=session)), "TOKEN_REVOKED")
    for session in scene.refused:
        assert_allowed(client.verify(scene.issuer.token(sid=session)))
    assert scene.server.running()


def revoke(scene) -> str:
    """Revokes a session. What the server said if it did not; empty if it did."""
    session = f"s{len(scene.acknowledged) + len(scene.refused)}"
    try:
        scene.server.client.revoke_session(URL, session)
    except grpc.RpcError as error:
        assert error.code() == UNAVAILABLE, error
        scene.refused.append(session)
        return error.details()
    scene.acknowledged.append(session)
    return ""


def revoke_until_refused(scene) -> str:
    """What has room already is written still."""
    for _ in range(ENOUGH):
        if said := revoke(scene):
            return said
    raise AssertionError(f"{ENOUGH} revocations were written to a disk that takes nothing")


def assert_refuses(scene, words: str):
    """Revoke and Reinstate fail and say why; nothing is written, and all can be read."""
    before = {"page": scene.server.client.page(), "errors": sum(write_errors(scene.server).values())}
    for _ in range(3):
        assert words in revoke(scene)
    with pytest.raises(grpc.RpcError) as caught:
        scene.server.client.reinstate(before["page"].revocations[0].id)
    assert caught.value.code() == UNAVAILABLE and words in caught.value.details()
    assert scene.server.client.page() == before["page"]
    assert sum(write_errors(scene.server).values()) >= before["errors"] + 4
    assert_verifies(scene)


def assert_works_again(scene):
    assert not revoke(scene), "the cause is gone"
    assert_verifies(scene)
    listed = {each.session.session_id for each in scene.server.client.revocations()}
    assert listed == set(scene.acknowledged)
    assert "revocations are written again" in scene.server.log


def assert_survives_restart(scene):
    scene.server.restart().wait_until_ready()
    assert_verifies(scene)
    listed = {each.session.session_id for each in scene.server.client.revocations()}
    assert listed == set(scene.acknowledged)


def test_full_disk(scene):
    scene.machine.fill_disk(scene.server.folder)
    assert "the disk is full" in revoke_until_refused(scene)
    assert_refuses(scene, "nothing was written: the disk is full")
    assert write_errors(scene.server)["disk_full"] >= 4
    assert scene.machine.failed > 0
    scene.machine.heal_disk()
    assert_works_again(scene)
    assert_survives_restart(scene)


def test_start_on_a_full_disk(scene):
    """The database opens, what it knows is in force, and writing waits for room."""
    scene.server.stop()
    scene.machine.fill_disk(scene.server.folder)
    scene.server.start().wait_until_ready()
    assert_refuses(scene, "nothing was written: the disk is full")
    scene.machine.heal_disk()
    assert_works_again(scene)
    assert_survives_restart(scene)


def test_crash_on_a_full_disk(scene):
    scene.machine.fill_disk(scene.server.folder)
    revoke_until_refused(scene)
    scene.server.kill()
    scene.server.start().wait_until_ready()
    assert_verifies(scene)
    scene.machine.heal_disk()
    assert not revoke(scene)
    assert_survives_restart(scene)


def test_file_size_limit_of_the_process_is_a_failed_write_and_no_signal(scene):
    """RLIMIT_FSIZE: the kernel itself refuses, after a part of the write, and sends SIGXFSZ."""
    pid = scene.server.pid
    size = max(each.stat().st_size for each in scene.server.folder.glob("gatehouse.db*"))
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 5000, limits[1]))
    assert "File too large" in revoke_until_refused(scene)
    assert_refuses(scene, "nothing was written: ")
    assert write_errors(scene.server)["io"] >= 4
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert_works_again(scene)
    assert_survives_restart(scene)


@pytest.mark.parametrize(
    ("error", "words"),
    [(errno.EROFS, "Read-only file system"), (errno.EIO, "Input/output error"),
     (errno.EDQUOT, "Disk quota exceeded"), (errno.EACCES, "Permission denied")],
    ids=["read-only", "broken", "over-quota", "not-permitted"],
)  # fmt: skip
def test_disk_that_takes_no_write(scene, error, words):
    """Also what a file system does that the kernel has made read-only under its files."""
    scene.machine.fail_disk(scene.server.folder, error)
    assert_refuses(scene, words)
    assert write_errors(scene.server)["io"] >= 4
    scene.machine.heal_disk()
    assert_works_again(scene)
    assert_survives_restart(scene)


def test_start_on_a_read_only_disk_is_refused_until_it_can_be_written(scene):
    scene.server.stop()
    before = scene.server.database.read_bytes()
    scene.machine.fail_disk(scene.server.folder)
    said = refused_start(scene.server)
    assert "cannot be opened for writing: Read-only file system" in said
    assert scene.server.database.read_bytes() == before
    scene.machine.heal_disk()
    scene.server.start().wait_until_ready()
    assert not revoke(scene)
    assert_verifies(scene)


def refused_start(server: Server) -> str:
    """What a start that must fail says; it must name the database."""
    process = server.launch()
    assert process.wait() == 1, process.text()
    assert str(server.database) in process.text()
    return process.text()


@pytest.fixture
def unprivileged(make_server, hmac_issuer, tmp_path):
    """A server whose user's rights count, also where root runs the tests."""
    server = make_server([hmac_issuer.config_with_file(tmp_path)], start=False)
    if os.geteuid() == 0:
        caps = "-dac_override,-dac_read_search"
        server.wrapper = ["setpriv", "--bounding-set", caps, "--inh-caps", caps]
    return prepare(server.create_database().start().wait_until_ready(), hmac_issuer)


def test_rights_taken_from_files_that_are_open_change_nothing_until_the_restart(unprivileged):
    """The system asks for them when a file is opened; -wal and database stay open."""
    scene = unprivileged
    files = sorted(scene.server.folder.glob("gatehouse.db*"))
    assert len(files) == 2
    for file in files:
        file.chmod(0)
    for _ in range(3):
        assert not revoke(scene)
    assert_verifies(scene)
    scene.server.stop()
    said = refused_start(scene.server)
    assert "cannot be opened for writing: Permission denied" in said and "Let this program" in said
    for file in files:
        if file.exists():  # a clean stop removes the -wal file
            file.chmod(0o600)
    scene.server.start().wait_until_ready()
    assert not revoke(scene)
    assert_verifies(scene)


def test_folder_that_cannot_be_looked_into_any_more(unprivileged):
    """Whether the database still lies there cannot be seen: so nothing is acknowledged."""
    scene, folder = unprivileged, unprivileged.server.folder
    folder.chmod(0)
    try:
        assert_refuses(scene, "cannot be seen: Permission denied")
    finally:
        folder.chmod(0o700)
    assert_works_again(scene)
    # While it is stopped, and while it starts.
    folder.chmod(0)
    try:
        scene.server.stop()
    finally:
        folder.chmod(0o700)
    scene.server.start().wait_until_ready()
    assert_verifies(scene)


def test_folder_in_which_nothing_can_be_made_any_more(unprivileged):
    scene, folder = unprivileged, unprivileged.server.folder
    folder.chmod(0o500)
    try:
        assert not revoke(scene), "all files are there already"
        assert_verifies(scene)
        scene.server.kill()
        said = refused_start(scene.server)
        assert "cannot be opened for writing: Permission denied" in said
    finally:
        folder.chmod(0o700)
    scene.server.start().wait_until_ready()
    assert not revoke(scene)
    assert_verifies(scene)


MOVED = "a revocation would be lost: the database file or its -wal file was moved or deleted"


def another_database(scene, make_server) -> bytes:
    other = make_server([scene.issuer.config({"secret_env": "UNUSED"})], start=False)
    return other.create_database().database.read_bytes()


@pytest.mark.parametrize("what", ["database", "wal", "both", "folder", "replaced"])
def test_moved_files_stop_revoking_until_the_restart_that_finds_them(
    scene, make_server, tmp_path, what
):
    server = scene.server
    wal = server.folder / "gatehouse.db-wal"
    aside = tmp_path / "aside"
    moves = {"database": [server.database], "wal": [wal], "both": [server.database, wal],
             "folder": [server.folder], "replaced": [server.database]}[what]  # fmt: skip
    aside.mkdir()
    for path in moves:
        path.rename(aside / path.name)
    if what == "replaced":
        server.database.write_bytes(another_database(scene, make_server))
    assert_refuses(scene, MOVED)
    assert write_errors(server)["moved"] >= 4

    # Put back, it stays refused: a commit may have gone with it.
    for path in moves:
        os.replace(aside / path.name, path)
    assert_refuses(scene, MOVED)
    assert_survives_restart(scene)
    assert not revoke(scene)
    assert_survives_restart(scene)


def test_deleted_database_stops_revoking_and_the_start_without_it(scene):
    scene.server.database.unlink()
    assert_refuses(scene, MOVED)
    scene.server.stop()
    assert "does not exist" in refused_start(scene.server)
    assert not scene.server.database.exists(), "a new one would let every revoked token pass"


def test_deleted_wal_loses_nothing(scene):
    for _ in range(5):
        assert not revoke(scene)
    (scene.server.folder / "gatehouse.db-wal").unlink()
    assert_refuses(scene, MOVED)
    assert_survives_restart(scene)
    assert not revoke(scene)


def test_database_that_came_in_the_place_of_a_deleted_one_is_not_touched(scene, make_server):
    theirs = another_database(scene, make_server)
    scene.server.database.unlink()
    scene.server.database.write_bytes(theirs)
    assert_refuses(scene, MOVED)
    scene.server.stop()
    assert scene.server.database.read_bytes() == theirs
