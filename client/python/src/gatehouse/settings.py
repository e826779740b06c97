"""Where Gatehouse is, and how it is asked. What is wrong here is said at start, by its name."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatehouse.errors import SettingError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")


@dataclass(frozen=True)
class Settings:
    # "host:port", "unix:/path" or "dns:///name:port".
    target: str
    # A file with the token by which the server knows this service. Read again when it changes.
    token_file: str | None = None
    # The roots that vouch for the server. Without them: plaintext.
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    # Plaintext to other machines, because a mesh encrypts it.
    plaintext_behind_mesh: bool = False
    # Seconds that a call may take, later tries included.
    deadline: float = 0.5
    # Seconds after which nothing is used that no ping has confirmed since; 1 to 60.
    max_staleness: float = 3.0
    # Zero entries: nothing is remembered.
    memory_entries: int = 10_000
    memory_mib: int = 64

    def __post_init__(self) -> None:
        local = _check_target(self.target)
        if bool(self.cert_file) != bool(self.key_file):
            missing = "GATEHOUSE_KEY_FILE" if self.cert_file else "GATEHOUSE_CERT_FILE"
            raise SettingError(f"{missing}: a certificate and its key go together")
        if self.cert_file and not self.ca_file:
            raise SettingError("GATEHOUSE_CA_FILE: a certificate needs TLS, which needs the server's CA")
        if not self.ca_file and not local and not self.plaintext_behind_mesh:
            raise SettingError(
                f"GATEHOUSE_CA_FILE: tokens would go to {self.target} unencrypted; name the CA of its certificate, or say "
                "GATEHOUSE_PLAINTEXT_BEHIND_MESH=true"
            )
        if not 0.001 <= self.deadline <= 3600:
            raise SettingError(f"GATEHOUSE_DEADLINE: {self.deadline} s is not between 1 ms and 1 h")
        if not 1 <= self.max_staleness <= 60:
            raise SettingError(f"GATEHOUSE_MAX_STALENESS: {self.max_staleness} s is not between 1 s and 60 s")
        for name, size in (("ENTRIES", self.memory_entries), ("MIB", self.memory_mib)):
            if size < 0:
                raise SettingError(f"GATEHOUSE_MEMORY_{name}: {size} is negative")
        if self.token_file is not None:
            read_token(self.token_file)
        for name in ("ca_file", "cert_file", "key_file"):
            path = getattr(self, name)
            if path is not None:
                read_pem("GATEHOUSE_" + name.upper(), path)

    @property
    def secure(self) -> bool:
        return self.ca_file is not None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """From GATEHOUSE_TARGET and the others. Raises SettingError."""
        env = os.environ if env is None else env

        def get(name: str) -> str | None:
            return env.get("GATEHOUSE_" + name) or None

        target = get("TARGET")
        if target is None:
            raise SettingError("GATEHOUSE_TARGET is not set: say where Gatehouse is, like 127.0.0.1:7070")
        return cls(
            target=target,
            token_file=get("TOKEN_FILE"),
            ca_file=get("CA_FILE"),
            cert_file=get("CERT_FILE"),
            key_file=get("KEY_FILE"),
            plaintext_behind_mesh=_flag("PLAINTEXT_BEHIND_MESH", get("PLAINTEXT_BEHIND_MESH")),
            deadline=_duration("DEADLINE", get("DEADLINE"), cls.deadline),
            max_staleness=_duration("MAX_STALENESS", get("MAX_STALENESS"), cls.max_staleness),
            memory_entries=_number("MEMORY_ENTRIES", get("MEMORY_ENTRIES"), cls.memory_entries),
            memory_mib=_number("MEMORY_MIB", get("MEMORY_MIB"), cls.memory_mib),
        )


def read_token(path: str) -> str:
    """The caller's token in the file, checked but never shown."""
    text = _read("GATEHOUSE_TOKEN_FILE", path).strip()
    if not text:
        raise SettingError(f"GATEHOUSE_TOKEN_FILE: {path} is empty")
    if any(sign.isspace() for sign in text):
        raise SettingError(f"GATEHOUSE_TOKEN_FILE: {path} has white space within its token")
    if not text.isascii() or not text.isprintable():
        raise SettingError(f"GATEHOUSE_TOKEN_FILE: {path} holds what can be in no token")
    return text


def read_pem(name: str, path: str) -> bytes:
    text = _read(name, path)
    if "-----BEGIN " not in text:
        raise SettingError(f"{name}: {path} is no PEM file")
    return text.encode()


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise SettingError(f"{name}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingError(f"{name}: {path} is no text file") from None


def _check_target(target: str) -> bool:
    """Whether it is on this machine."""
    if target.startswith("unix:"):
        if target.removeprefix("unix:") in ("", "//"):
            raise SettingError(f"GATEHOUSE_TARGET: {target!r} names no socket")
        return True
    address = target.removeprefix("dns:///")
    found = _HOST_PORT.fullmatch(address)
    if not found or not 0 < int(found[2]) < 65536:
        raise SettingError(
            f"GATEHOUSE_TARGET: {target!r} is no target: write host:port, unix:/path or dns:///name:port"
        )
    host = found[1].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _duration(name: str, text: str | None, default: float) -> float:
    if text is None:
        return default
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)", text)
    if not found:
        raise SettingError(f"GATEHOUSE_{name}: {text!r} is no duration: write 500ms, 3s or 1m")
    return float(found[1]) * _UNITS[found[2]]


def _number(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise SettingError(f"GATEHOUSE_{name}: {text!r} is no whole number")
    return int(text)


def _flag(name: str, text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise SettingError(f"GATEHOUSE_{name}: {text!r} is neither true nor false")
    return text == "true"
