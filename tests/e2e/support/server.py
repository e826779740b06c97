"""gatehouse-server as its operator runs it: a configuration, a database, a process."""

import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from support.client import Client
from support.places import program
from support.processes import Process
from support.waiting import wait_until


def run(*args, env: dict | None = None, seconds: float = 60) -> subprocess.CompletedProcess:
    """Runs gatehouse-server to its end."""
    return subprocess.run(
        [str(program("gatehouse-server")), *[str(arg) for arg in args]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=env, cwd="/",
    )  # fmt: skip


def http_get(url: str, seconds: float = 30) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=seconds) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Server:
    """One server in a folder of its own. It can be stopped, killed and started again."""

    def __init__(self, folder: Path, issuers: list[dict], env: dict | None = None, **sections):
        self.folder = folder
        self.config = folder / "gatehouse.yaml"
        self.database = folder / "gatehouse.db"
        self.grpc = self.http = ""
        self.env = env or {}
        # A program that starts the server, with its arguments.
        self.wrapper: list[str] = []
        self._process: Process | None = None
        self._client: Client | None = None
        self._listening = ""
        folder.mkdir(parents=True)
        if len(issuers) > 1:  # nothing is said of them unless a test does
            names = ("roles", "scopes", "tenants")
            issuers = [{"may_assert": dict.fromkeys(names, "any"), **one} for one in issuers]
        settings = {
            "listen": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"},
            "issuers": issuers,
            "revocations": {"sqlite": {"path": self.database.name}},
            **sections,
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))

    def create_database(self):
        made = run("--create-database", "--config", self.config)
        assert made.returncode == 0, made.stderr
        return self

    def launch(self) -> Process:
        """The process alone, which may end at once."""
        args = [*self.wrapper, program("gatehouse-server"), "--config", self.config]
        self._process = Process(args, self.folder / "server.log", self.env)
        return self._process

    def start(self):
        line = self.launch().wait_for_line(lambda text: " listening " in text, "`listening`")
        self._listening = line
        self.grpc = self.address("grpc")
        self.http = self.address("http")
        self._client = Client(self.grpc)
        return self

    def address(self, listener: str) -> str:
        """Where it listens, by its log: `grpc`, `http`, `health`."""
        return re.search(rf' {listener}="([^"]+)"', self._listening)[1]

    def wait_until_ready(self):
        wait_until(lambda: self.get("/readyz")[0] == 200, "ready")
        wait_until(lambda: self.client.serving() == "SERVING", "the health service to say so")
        return self

    @property
    def client(self) -> Client:
        return self._client

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._process.text()

    def metrics(self) -> dict[str, float]:
        status, text = self.get("/metrics")
        assert status == 200
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in rows}

    def running(self) -> bool:
        return self._process is not None and self._process.running()

    def get(self, path: str) -> tuple[int, str]:
        return http_get(f"http://{self.http}{path}")

    def send(self, number: int):
        self._process.popen.send_signal(number)

    def stop(self, how: int = signal.SIGTERM):
        """Ends it as an operator does. It must end well."""
        status = self._end(how)
        assert status == 0, f"exit status {status} after {how!r}; its log:\n{self.log}"

    def kill(self):
        assert self._end(signal.SIGKILL) == -signal.SIGKILL, self.log

    def restart(self):
        self.stop()
        return self.start()

    def _end(self, how: int) -> int:
        if self._client is not None:
            self._client.close()
            self._client = None
        return self._process.end(how)
