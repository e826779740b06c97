"""The services that may call, each with a token of its own."""

import os
import secrets
from pathlib import Path

from support import leaks
from support.client import Client

ALL_RIGHTS = ("verify", "authorize", "explain", "revoke", "reinstate", "list", "admin")


class Caller:
    def __init__(self, folder: Path, name: str, may=ALL_RIGHTS, **fields):
        self.name = name
        self.token = leaks.remember(secrets.token_urlsafe(32))
        self.token_file = folder / f"{name}.token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.token + "\n")
        os.chmod(self.token_file, 0o600)
        self.config = {
            "name": name,
            "token_file": str(self.token_file),
            "may": list(may),
            **fields,
        }

    @property
    def metadata(self):
        return [("authorization", f"Bearer {self.token}")]

    def client(self, target: str) -> Client:
        return Client(target, self.metadata)
