"""What scripts/package makes and the Dockerfile calls: nothing but what Gatehouse needs, and enough
to run it as another user on a root that cannot be written."""

import json
import os
import re
import signal
import stat
import subprocess

import pytest

from support import cluster_secrets, image
from support.callers import Caller
from support.certificates import Authority
from support.client import Client, assert_allowed, assert_denied
from support.https_issuer import HttpsIssuer
from support.issuers import Issuer
from support.places import REPOSITORY
from support.waiting import wait_until

CONFIG = "/etc/gatehouse/config/gatehouse.yaml"
HOST = "login.example.com"
DATA, BACKUPS = "/var/lib/gatehouse", "/var/lib/gatehouse-backups"
SERVER, COMMAND = "/usr/bin/gatehouse-server", "/usr/bin/gatehouse"


@pytest.fixture
def packed(container_image):
    return container_image


def files_of(folder) -> dict[str, os.stat_result]:
    return {
        "/" + str(path.relative_to(folder)): path.lstat()
        for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }  # fmt: skip


def test_nothing_is_in_it_but_what_gatehouse_needs(packed):
    files = files_of(packed)
    assert sorted(path.name for path in packed.iterdir()) == [
        "dev", "etc", "lib64", "proc", "sys", "usr", "var",
    ]  # fmt: skip
    programs = {name for name, about in files.items() if about.st_mode & 0o111}
    loader = {name for name in programs if re.fullmatch(r"/lib\d*/ld-linux[\w.-]+", name)}
    assert len(loader) == 1 and programs - loader == {SERVER, COMMAND}, "no shell"
    for name, about in files.items():
        assert stat.S_ISREG(about.st_mode), name
        assert not about.st_mode & 0o6022, f"{name} may be written by others, or takes rights"
    etc = {name for name in files if name.startswith("/etc/")}
    assert etc == {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
                   "/etc/ssl/certs/ca-certificates.crt"}  # fmt: skip
    rest = [name for name in files if not name.startswith(("/etc/", "/usr/share/doc/",
            "/usr/share/common-licenses/"))]  # fmt: skip
    assert all(".so" in name for name in set(rest) - {SERVER, COMMAND})
    assert "65532:65532" in (packed / "etc/passwd").read_text()


def test_it_has_the_licences_of_all_that_is_in_it(packed):
    docs = packed / "usr/share/doc"
    names = [line.split()[0] for line in (docs / "gatehouse/packages").read_text().splitlines()]
    assert {"libc6", "libssl3", "libgrpc++1.51", "libsqlitecpp-dev"} <= set(names)
    for name in [*names, "gatehouse"]:
        assert (docs / name / "copyright").stat().st_size > 100, name


def test_programs_are_stripped_and_find_their_libraries_in_it(packed, container):
    for program in (SERVER, COMMAND):
        sections = subprocess.run(
            ["readelf", "--section-headers", "--wide", packed / program.lstrip("/")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert ".text" in sections and ".symtab" not in sections
        about = container.run(program, "--version")
        assert about.returncode == 0 and "gatehouse" in about.stdout, about.stderr


def test_the_same_again_is_the_same_folder(packed):
    before = {name: (about.st_size, about.st_mode, about.st_mtime)
              for name, about in files_of(packed).items()}  # fmt: skip
    again = packed.parent / "again"
    assert image.make(again).returncode == 0
    # Over one that it has made it makes it anew.
    assert image.make(again).returncode == 0
    assert {name: (about.st_size, about.st_mode, about.st_mtime)
            for name, about in files_of(again).items()} == before  # fmt: skip
    assert sorted(path.name for path in packed.parent.glob("again*")) == ["again"]


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    refused = image.make(tmp_path)
    assert refused.returncode == 1 and "was not made by scripts/package" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert image.make("/").returncode == 1


def test_a_run_that_is_ended_leaves_nothing_half_made(tmp_path):
    folder = tmp_path / "made" / "image"
    made = subprocess.Popen([image.PACKAGE, folder], stdout=subprocess.PIPE, text=True)
    for line in made.stdout:
        if "Packing" in line:
            break
    # Its own folder first, under a name of the moment.
    wait_until(lambda: made.poll() is not None or list(folder.parent.glob("image.*")), "its begin")
    made.terminate()
    made.communicate(timeout=60)
    assert made.returncode == 130
    assert list(folder.parent.iterdir()) == []


def instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def test_dockerfile_calls_the_script_and_copies_what_it_made():
    said = instructions((REPOSITORY / "Dockerfile").read_text())
    start = [number for number, (name, _) in enumerate(said) if name == "FROM"]
    assert len(start) == 2
    build, final = said[: start[1]], said[start[1] :]
    assert build == [
        ("FROM", "debian:12 AS build"), ("WORKDIR", "/src"), ("COPY", ". ."),
        ("RUN", "scripts/package /image"),
    ]  # fmt: skip
    assert final[:2] == [("FROM", "scratch"), ("COPY", "--from=build /image/ /")]
    rest = dict(final[2:])
    assert set(rest) == {"USER", "EXPOSE", "ENTRYPOINT", "CMD"} and len(final) == 6
    assert rest["USER"] == f"{image.USER}:{image.USER}"
    # Without brackets a shell would start it, and there is none.
    assert json.loads(rest["ENTRYPOINT"]) == [SERVER]
    assert json.loads(rest["CMD"]) == ["--config", CONFIG]


def test_docker_is_given_what_the_script_builds_from_and_no_more():
    kept = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
            if line.startswith("!")]  # fmt: skip
    wanted = set(re.findall(r"add_subdirectory\((\w+)", (REPOSITORY / "CMakeLists.txt").read_text()))
    assert wanted - {"tests"} <= set(kept) and not {"tests", ".git", ".cache", "build"} & set(kept)
    assert all((REPOSITORY / name).exists() for name in kept)


@pytest.fixture
def container(packed, tmp_path):
    return image.Container(packed, tmp_path)


class Inside:
    """A Gatehouse in a container, with an issuer whose keys come over HTTPS, by the image's certificates."""

    def __init__(self, container, tmp_path):
        self.container, self.process = container, None
        self.issuer = Issuer("EdDSA")
        config = container.mount_point("/etc/gatehouse/config")
        self.caller = Caller(tmp_path, "ops", may=("verify", "revoke", "list", "admin"))
        files = {"ops.token": self.caller.token + "\n"}
        callers = container.mount_point("/etc/gatehouse/callers")
        cluster_secrets.mount(callers, files, group=image.USER)
        container.mount_point(DATA, writable=True)
        container.mount_point(BACKUPS, writable=True)
        root = Authority("the issuer's")
        container.replace("/etc/ssl/certs/ca-certificates.crt", root.pem)
        container.replace("/etc/hosts", f"127.0.0.1 {HOST}\n")  # as the kubelet does
        pair = cluster_secrets.server_pair(root, HOST)
        self.keys = HttpsIssuer(self.issuer, pair, tmp_path / "issuer")
        (config / "gatehouse.yaml").write_text(json.dumps({
            "listen": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"},
            "callers": [{**self.caller.config, "token_file": "../callers/ops.token"}],
            "issuers": [self.issuer.config({
                "jwks_url": f"https://{HOST}:{self.keys.port}/jwks"})],
            "revocations": {"sqlite": {"path": f"{DATA}/gatehouse.db"}, "backups": BACKUPS},
        }))  # fmt: skip

    def start(self) -> str:
        self.process = self.container.start(SERVER, "--config", CONFIG)
        line = self.process.wait_for_line(lambda text: " listening " in text, "`listening`")
        target = re.search(r'grpc="([^"]+)"', line)[1]
        client = self.client(target)
        wait_until(lambda: client.serving() == "SERVING", "keys, over HTTPS")
        client.close()
        return target

    def client(self, target: str) -> Client:
        return self.caller.client(target)

    def stop(self) -> int:
        self.container.signal(self.process, signal.SIGTERM)
        return self.process.wait()

    def end(self):
        if self.process is not None and self.process.running():
            self.container.signal(self.process, signal.SIGKILL)
            self.process.wait()
        self.keys.stop()


@pytest.fixture
def inside(container, tmp_path):
    made = Inside(container, tmp_path)
    yield made
    made.end()


def test_gatehouse_runs_as_another_user_on_a_root_that_cannot_be_written(inside):
    container = inside.container
    missing = container.run(SERVER, "--config", CONFIG)
    assert missing.returncode == 1 and "--create-database" in missing.stderr
    created = container.run(SERVER, "--create-database", "--config", CONFIG)
    assert created.returncode == 0, created.stderr

    target = inside.start()
    pid = container.pid_of(inside.process)
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    assert status["Uid"].split() == ["65532"] * 4 and status["Gid"].split() == ["65532"] * 4
    assert not container.mounts or status["NSpid"].split()[-1] == "1"

    client, token = inside.client(target), inside.issuer.token()
    assert_allowed(client.verify(token))
    client.revoke_token(token)
    assert_denied(client.verify(token), "TOKEN_REVOKED")
    client.close()

    # The command runs in the same place; `kubectl exec` would say the same.
    command = [COMMAND, "--target", target, "--caller-token-file", "/etc/gatehouse/callers/ops.token"]
    listed = container.run(*command, "revocations", "--output", "json")
    assert listed.returncode == 0 and inside.issuer.issuer in listed.stdout, listed.stderr
    backup = container.run(*command, "revocations", "backup", "--name", "now.db")
    assert backup.returncode == 0, backup.stderr
    assert inside.stop() == 0

    # A lost database is put back, and knows what was revoked.
    for lost in (container.root / DATA.lstrip("/")).iterdir():
        lost.unlink()
    restored = container.run(SERVER, "--restore", f"{BACKUPS}/now.db", "--config", CONFIG)
    assert restored.returncode == 0, restored.stderr
    client = inside.client(inside.start())
    assert_denied(client.verify(token), "TOKEN_REVOKED")
    client.close()
    assert inside.stop() == 0


def test_to_make_the_database_again_is_refused_and_changes_nothing(inside):
    create = [SERVER, "--create-database", "--config", CONFIG]
    assert inside.container.run(*create).returncode == 0
    database = inside.container.root / DATA.lstrip("/") / "gatehouse.db"
    before = database.read_bytes()
    again = inside.container.run(*create)
    assert again.returncode == 1 and "exists" in again.stderr, again.stderr
    assert database.read_bytes() == before


def test_nothing_else_can_be_written(inside):
    config = inside.container.root / CONFIG.lstrip("/")
    text = config.read_text()
    for folder in ("/", "/etc/gatehouse", "/usr/bin", "/proc"):
        config.write_text(text.replace(f"{DATA}/gatehouse.db", f"{folder}/gatehouse.db"))
        made = inside.container.run(SERVER, "--create-database", "--config", CONFIG)
        assert made.returncode == 1, folder
        reason = r"[Rr]ead-only|[Pp]ermission denied|No such file"
        assert re.search(reason, made.stderr), made.stderr


def test_help_says_how_it_is_used():
    done = subprocess.run([image.PACKAGE, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Usage: scripts/package" in done.stdout
    wrong = subprocess.run([image.PACKAGE, "--hlep"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 1 and "--hlep" in wrong.stderr
