"""A Better Auth with the Gatehouse plugin, and people with browsers."""

import base64
import copy
import http.cookiejar
import itertools
import json
import secrets
import signal
import urllib.error
import urllib.request
from pathlib import Path

from support import leaks
from support.places import NODE
from support.processes import Process

APP = Path(__file__).with_name("app.mjs")


class App:
    """A database of Better Auth, and the process that serves it, which can be killed."""

    def __init__(self, folder: Path, target: str, *flags: str, database: str | None = None):
        """`database`: a URL of PostgreSQL; without one it is a file of SQLite."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.target, self.flags = folder, target, flags
        self.database = database or str(folder / "better-auth.db")
        self._secret = leaks.remember(secrets.token_urlsafe(48))
        self._port = 0
        self.start()

    def start(self, *more: str):
        self._process = self._launch(self._port, *more)
        self.url = self._listening(self._process)
        self._port = int(self.url.rsplit(":", 1)[1])
        return self

    def second(self) -> "App":
        """Another process on the same database, in the name of the same issuer."""
        other = object.__new__(App)
        other.__dict__.update(self.__dict__)
        other._process = self._launch(0, "--base-url", self.url)
        other._listening(other._process)
        text = other._process.wait_for_line(lambda line: line.startswith("port "), "its port")
        other._port = int(text.split()[1])
        return other

    def _launch(self, port: int, *more: str) -> Process:
        return Process(
            [NODE, "--disable-warning=ExperimentalWarning", APP, self.database,
             "--target", self.target, "--port", port, *self.flags, *more],
            self.folder / "better-auth.log",
            {"BETTER_AUTH_SECRET": self._secret},
        )  # fmt: skip

    @staticmethod
    def _listening(process: Process) -> str:
        line = process.wait_for_line(lambda text: text.startswith("listening "), "a URL")
        return line.split()[1]

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return self._process.text()

    def issuer(self) -> dict:
        return {
            "issuer": self.url,
            "audiences": [self.url],
            "algorithms": ["EdDSA"],
            "keys": {"jwks_url": f"{self.url}/api/auth/jwks"},
            "claims": {"roles": "roles", "tenant": "org", "session": "sid"},
        }

    def running(self) -> bool:
        return self._process.running()

    def kill(self):
        assert self._process.end(signal.SIGKILL) == -signal.SIGKILL

    def wait_until_killed(self):
        assert self._process.wait() == -signal.SIGKILL, self.log

    def stop(self):
        if self.running():
            self._process.popen.stdin.close()
            assert self._process.wait() == 0, self.log

    def outbox(self) -> list[dict]:
        with urllib.request.urlopen(f"{self.at}/test/outbox", timeout=30) as reply:
            return json.load(reply)

    def sql(self, sql: str, *values):
        body = json.dumps({"sql": sql, "values": values}).encode()
        with urllib.request.urlopen(f"{self.at}/test/sql", body, timeout=30):
            pass

    def reset_token(self, email: str) -> str:
        with urllib.request.urlopen(f"{self.at}/test/reset?email={email}", timeout=30) as reply:
            return leaks.remember(json.load(reply)["token"])


class Refused(Exception):
    def __init__(self, status: int, body: str):
        super().__init__(f"{status}: {body}")
        self.status = status


class User:
    """Somebody who has signed up, with any number of browsers."""

    _numbers = itertools.count(1)

    def __init__(self, app: App, name: str):
        self.app = app
        self.email = f"{name}-{next(self._numbers)}-{secrets.token_hex(3)}@example.com"
        self.password = leaks.remember(secrets.token_urlsafe(18))
        browser = Browser(self)
        made = browser.post("sign-up/email", name=name, email=self.email, password=self.password)
        browser.session_token = leaks.remember(made["token"])
        self.id = made["user"]["id"]
        self.browser = browser

    def sign_in(self) -> "Browser":
        browser = Browser(self)
        made = browser.post("sign-in/email", email=self.email, password=self.password)
        browser.session_token = leaks.remember(made["token"])
        return browser

    def as_admin(self) -> "Browser":
        self.app.sql('UPDATE "user" SET role = ? WHERE id = ?', "admin", self.id)
        return self.sign_in()


class Browser:
    def __init__(self, user: User):
        self.user = user
        self._app = user.app
        self.session_token = ""
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def post(self, path: str, **fields) -> dict:
        return self._send(path, json.dumps(fields).encode())

    def get(self, path: str) -> dict:
        return self._send(path, None)

    def token(self) -> str:
        return leaks.remember_token(self.get("token")["token"])

    def via(self, app: App) -> "Browser":
        """The same browser, whose requests reach this process."""
        other = copy.copy(self)
        other._app = app
        return other

    def _send(self, path: str, body: bytes | None) -> dict:
        app = self._app
        headers = {"content-type": "application/json", "origin": app.url}
        request = urllib.request.Request(f"{app.at}/api/auth/{path}", body, headers)
        try:
            with self._opener.open(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode()) from None


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
