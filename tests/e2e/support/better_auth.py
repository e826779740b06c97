"""A real Better Auth, and a person with a browser."""

import http.cookiejar
import json
import secrets
import urllib.request
from pathlib import Path

from support import leaks
from support.places import E2E, NODE
from support.processes import Process


class BetterAuth:
    def __init__(self, folder: Path, *flags: str):
        folder.mkdir(parents=True)
        secret = leaks.remember(secrets.token_urlsafe(48))
        self._process = Process(
            [NODE, "--disable-warning=ExperimentalWarning", E2E / "better-auth" / "server.mjs",
             folder / "better-auth.db", *flags],
            folder / "better-auth.log",
            {"BETTER_AUTH_SECRET": secret},
        )  # fmt: skip
        listening = self._process.wait_for_line(lambda line: line.startswith("listening "), "a URL")
        self.url = listening.split()[1]

    def config(self, **fields) -> dict:
        """Nothing but where the keys are: the issuer as a reader of its docs writes it."""
        return {
            "issuer": self.url,
            "audiences": [self.url],
            "algorithms": ["EdDSA"],
            "keys": {"jwks_url": f"{self.url}/api/auth/jwks"},
            **fields,
        }

    def expire_keys(self):
        """The next token is signed with a new key; the old ones stay in the key set."""
        self._process.say("expire-keys")
        self._process.wait_for_line(lambda line: line == "keys expired", "the answer")

    def stop(self):
        self._process.popen.stdin.close()
        assert self._process.wait() == 0, self._process.text()


class Person:
    """Signs up on making, and can sign in again."""

    def __init__(self, auth: BetterAuth, name: str):
        self._auth = auth
        self.email = f"{name}-{secrets.token_hex(4)}@example.com"
        self._password = leaks.remember(secrets.token_urlsafe(18))
        self._browser = self._new_browser()
        answer = self._post("sign-up/email", {"name": name})
        self.id = answer["user"]["id"]

    @staticmethod
    def _new_browser():
        jar = http.cookiejar.CookieJar()
        return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def _post(self, path: str, fields: dict) -> dict:
        body = {"email": self.email, "password": self._password, **fields}
        request = urllib.request.Request(
            f"{self._auth.url}/api/auth/{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json", "origin": self._auth.url},
        )
        with self._browser.open(request, timeout=30) as reply:
            answer = json.load(reply)
        leaks.remember(answer.get("token") or "")
        return answer

    def sign_in(self):
        self._browser = self._new_browser()
        self._post("sign-in/email", {})

    def token(self) -> str:
        with self._browser.open(f"{self._auth.url}/api/auth/token", timeout=30) as reply:
            return leaks.remember_token(json.load(reply)["token"])
