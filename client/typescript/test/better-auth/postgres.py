"""A PostgreSQL of the tests' own, in a folder of its own, reached over a Unix socket alone."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.processes import Process

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
}


def programs() -> Path:
    """Of Debian's `postgresql`, the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "there is no initdb: install Debian's `postgresql`, as scripts/packages.txt says"
    return found[-1].parent


class Postgres:
    """Starts when the first database is made."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self._process = None

    def make_database(self) -> str:
        """Its URL."""
        if self._process is None:
            self._start()
        name = f"auth{next(self._numbers)}"
        self._run("createdb", name)
        return f"postgresql://postgres@localhost/{name}?host={self._folder}"

    def query(self, url: str, sql: str) -> list[list[str]]:
        """The rows of it, as text."""
        out = self._run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, database=url)
        return [line.split("|") for line in out.splitlines()]

    def stop(self):
        if self._process is None:
            return
        self._process.end(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _start(self):
        # Short: the address of a Unix socket is 107 bytes at most.
        self._folder = Path(tempfile.mkdtemp(prefix="gatehouse-pg-", dir="/tmp"))
        self._programs = programs()
        # It refuses to run as root, and ends with this process.
        command = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            command += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = self._folder / "data"
        subprocess.run(
            [*command, self._programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            check=True, capture_output=True, cwd=self._folder,
        )  # fmt: skip
        flags = [part for pair in SETTINGS.items() for part in ("-c", "=".join(pair))]
        log = self._folder / "log"
        self._process = Process(
            [*command, self._programs / "postgres", "-D", data, "-k", self._folder, *flags], log
        )
        ready = "ready to accept connections"
        self._process.wait_for_line(lambda line: ready in line, "that it is ready")

    def _run(self, program: str, *args: str, database: str | None = None) -> str:
        where = ["-d", database] if database else ["-h", self._folder, "-U", "postgres"]
        done = subprocess.run(
            [self._programs / program, *where, *args], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
