"""tests/clients/server.py, driven from a test."""

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
CLIENTS = REPOSITORY / "tests" / "clients"
CASES = json.loads((CLIENTS / "cases.json").read_text())
ISSUER = "https://issuer.test"


class Stand:
    """A real server, with a proxy in front of it whose address stays."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(CLIENTS / "server.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._seen = 0
        self.facts = self._read()
        self.proxy = self.facts["proxy"]
        self.tokens = self.facts["tokens"]

    def _read(self) -> dict:
        line = self._process.stdout.readline()
        assert line, "tests/clients/server.py has ended; its error output says why"
        return json.loads(line)

    def do(self, what: str, **fields) -> dict:
        with self._lock:
            self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self._process.stdin.flush()
            reply = self._read()
        assert reply.pop("ok"), f"{what}: {reply}"
        return reply

    def proxied(self, op: str, **fields) -> dict:
        return self.do("proxy", op=op, **fields)

    def token(self, **claims) -> str:
        """Ada's, and no other's: two of one second would else be the same."""
        claims = {"sub": "ada", "jti": str(uuid.uuid4()), **claims}
        return self.do("token", recipe={"claims": claims})["token"]

    def revoke_session(self, session: str) -> dict:
        return self.do("revoke", session={"issuer": ISSUER, "session_id": session})

    def caller(self, name: str = "backend") -> str:
        return self.facts["callers"][name]

    def rpcs(self) -> float:
        """How many calls the server has decided."""
        rows = self.do("metrics")["metrics"]
        return sum(n for name, n in rows.items() if name.startswith("gatehouse_decisions_total"))

    def end(self):
        self._process.stdin.close()
        assert self._process.wait(30) == 0
