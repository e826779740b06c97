"""Real proxies in front of a service that echoes, asking a real Gatehouse: all run by the files
of examples/proxies, with other ports."""

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from support import leaks
from support.callers import Caller
from support.issuers import Issuer
from support.places import REPOSITORY, program
from support.processes import Process
from support.server import Server
from support.waiting import wait_until

EXAMPLES = REPOSITORY / "examples" / "proxies"
ISSUER, AUDIENCE, ORIGIN = (
    "https://issuer.example.com", "https://app.example.com", "https://app.example.com",
)  # fmt: skip
COOKIE = "__Host-access"
NAMES = ("envoy", "nginx", "traefik", "caddy")
# By the port that the files name: what it is here.
_UPSTREAM = 9000
_PORTS = {"envoy": 8081, "nginx": 8082, "traefik": 8083, "caddy": 8084}
_ASKED = (7070, 7071, 7081, 7082, 7083)


def installed(name: str) -> Path:
    """A proxy's program: of the tests' Python environment, or Debian's. Raises without one."""
    found = Path(sys.executable).parent / name
    if name == "envoy":  # its script is Python, and would stand between us and its end
        import envoy

        found = Path(envoy.__file__).parent / "_bin" / "envoy"
    if name == "nginx":
        found = Path(shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx")
    if not found.is_file():
        raise FileNotFoundError(f"no {name}: run scripts/setup-tests, and see scripts/packages.txt")
    return found


def free_ports(count: int) -> list[int]:
    """Below those that connections are given, so that none takes one while nobody listens."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


@dataclass
class Seen:
    """A request as it reached the service."""

    line: str
    headers: list[tuple[str, str]]

    @property
    def target(self) -> str:
        return self.line.split(" ", 1)[1].rsplit(" ", 1)[0]

    def values(self, name: str) -> list[str]:
        """Of all headers that some program might read as `name`."""
        return [value for sent, value in self.headers if sent.lower().replace("_", "-") == name]


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def upstream(self) -> Seen:
        """What the service got, which must have answered."""
        assert self.status == 200 and self.headers["x-echo"] == "yes", (self.status, self.body)
        told = self.json
        return Seen(told["line"], [(name, value) for name, value in told["headers"]])


class Upstream:
    """Remembers each request, and answers with it."""

    def __init__(self):
        self.seen: list[Seen] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.close_connection = True
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    return
                self.rfile.read(int(self.headers["content-length"] or 0))
                got = Seen(self.requestline, list(self.headers.items()))
                seen.append(got)
                body = json.dumps({"line": got.line, "headers": got.headers}).encode()
                self.send_response(200)
                self.send_header("x-echo", "yes")
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # who asked has gone

        self._http = Listener(("127.0.0.1", 0), Handler)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def stop(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def send(port: int, data: bytes, method: str = "GET", seconds: float = 20) -> Answer:
    """The answer to bytes as they are. Raises if there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        reply = HTTPResponse(connection, method=method)
        reply.begin()
        answer = Answer(reply.status, reply.headers, reply.read())
    assert answer.headers["location"] is None, "nothing here ever redirects"
    return answer


def request_bytes(method: str, target: bytes | str, headers, host: str, body: bytes = b"") -> bytes:
    """Each of `headers` is a line of its own, byte by byte."""
    raw = target if isinstance(target, bytes) else target.encode()
    lines = [method.encode() + b" " + raw + b" HTTP/1.1", b"Host: " + host.encode()]
    for name, value in headers:
        value = value if isinstance(value, bytes) else value.encode()
        lines.append(name.encode() + b": " + value)
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}".encode())
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


class Proxy:
    def __init__(self, name: str, folder: Path, port: int, env: dict | None = None):
        self.name, self.port, self.folder = name, port, folder
        self._env = env or {}
        self._process: Process | None = None

    def _args(self, file: str) -> list:
        path = self.folder / file
        return [installed(self.name), *{
            "envoy": ["-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"],
            "nginx": ["-p", self.folder, "-c", path, "-g", "daemon off; user root;"],
            "traefik": [f"--configFile={path}"],
            "caddy": ["run", "--config", path, "--adapter", "caddyfile"],
        }[self.name]]  # fmt: skip

    def start(self, file: str):
        # Of its own, so that nothing is found but what the file names.
        env = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), **self._env}
        log = self.folder / f"{file}.log"
        self._process = Process(self._args(file), log, env, cwd=self.folder)
        wait_until(self._answers, f"{self.name} to listen")
        return self

    def _answers(self) -> bool:
        assert self._process.running(), f"{self.name} has ended:\n{self._process.text()}"
        try:
            # Not only that it listens: Traefik does before it knows its routes.
            data = request_bytes("GET", "/public/up", [], "app.example.com")
            return send(self.port, data).status == 200
        except OSError:
            return False

    def stop(self):
        if self._process is None:
            return
        try:
            self._process.end(signal.SIGTERM, 20)
        except subprocess.TimeoutExpired:
            self._process.end(signal.SIGKILL)

    def ask(
        self, method: str, target: bytes | str, *headers, token: str | None = None,
        body: bytes = b"", host: str = "app.example.com", seconds: float = 20,
    ) -> Answer:  # fmt: skip
        given = list(headers)
        if token is not None:
            given.append(("Authorization", f"Bearer {leaks.remember_token(token)}"))
        data = request_bytes(method, target, given, host, body)
        return send(self.port, data, method, seconds)


def _is_stopped(pid: int) -> bool:
    states = [
        task.read_text().rpartition(")")[2].split()[0]
        for task in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return bool(states) and set(states) <= {"T", "t"}


class Stage:
    """All of it. What it starts ends with `stop`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.upstream = Upstream()
        made = free_ports(len(_ASKED) + len(_PORTS))
        self._ports = dict(zip((*_ASKED, *_PORTS.values()), made, strict=True))
        self._ports[_UPSTREAM] = self.upstream.port
        self.gatehouse = Server(folder / "gatehouse", [])
        self._put(self.gatehouse.config.name, self.gatehouse.folder)
        self.callers = {}
        for name in ("envoy", "forward-auth", "app"):
            caller = Caller(self.gatehouse.folder, name)
            self.callers[name] = caller
        self.issuer = self._make_issuer()
        self.proxies: dict[str, Proxy] = {}

    def _put(self, file: str, into: Path, change=lambda text: text) -> Path:
        """One of the files with the ports of this stage."""
        text = (EXAMPLES / file).read_text()
        numbers = "|".join(str(port) for port in self._ports)
        text = re.sub(rf"\b({numbers})\b", lambda found: str(self._ports[int(found[0])]), text)
        into.mkdir(exist_ok=True)
        path = into / file
        path.write_text(change(text))
        return path

    def _make_issuer(self) -> Issuer:
        config = self.gatehouse.config
        made = subprocess.run(
            [program("gatehouse"), "dev-token", "--config", config, "--create-key"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        pem = leaks.remember_pem((config.parent / "issuer.pem").read_text())
        jwks = json.loads((config.parent / "issuer.jwks.json").read_text())
        issuer = Issuer("EdDSA", ISSUER, jwks["keys"][0]["kid"])
        issuer.key = load_pem_private_key(pem.encode(), None)
        return issuer

    def start_gatehouse(self):
        self.gatehouse.start().wait_until_ready()

    @contextlib.contextmanager
    def gatehouse_stuck(self):
        """It keeps its connections and takes new ones, and answers nothing."""
        os.kill(self.gatehouse.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: _is_stopped(self.gatehouse.pid), "all its threads to stand still")
            yield
        finally:
            os.kill(self.gatehouse.pid, signal.SIGCONT)

    def start(self, name: str, change=None) -> Proxy:
        """One proxy; with `change`, by the file that it makes of the text."""
        into = self.folder / (name if change is None else f"{name}-changed-{secrets.token_hex(2)}")
        change = change or (lambda text: text)
        env = {"GATEHOUSE_TOKEN": self.callers["envoy"].token} if name == "envoy" else None
        file = {"envoy": "envoy.yaml", "nginx": "nginx.conf", "caddy": "Caddyfile"}.get(name)
        if name == "traefik":
            file = "traefik.yaml"
            self._put("traefik-dynamic.yaml", into)
        path = self._put(file, into, change)
        proxy = Proxy(name, into, self._ports[_PORTS[name]], env)
        self.proxies[name] = proxy
        return proxy.start(path.name)

    def token(self, sub: str = "ada", **claims) -> str:
        claims = {"aud": AUDIENCE, "jti": secrets.token_hex(8), "org": "acme", **claims}
        return self.issuer.token(sub=sub, **claims)

    def revoke(self, token: str):
        client = self.callers["app"].client(self.gatehouse.grpc)
        client.revoke_token(token)
        client.close()

    def stop(self):
        for proxy in self.proxies.values():
            proxy.stop()
        if self.gatehouse.running():
            self.gatehouse.stop()
        self.upstream.stop()
