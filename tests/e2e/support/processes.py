"""Programs that run beside a test, and what they print."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path


def rss_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def is_sanitized(pid: int) -> bool:
    """Whether AddressSanitizer keeps what it frees, up to 256 MB of it."""
    return b"__asan_init" in Path(f"/proc/{pid}/exe").read_bytes()


class Process:
    """A running program. All that it prints goes to `log` and can be waited for."""

    def __init__(self, args: list, log: Path, env: dict | None = None, cwd: Path | str = "/"):
        self._log = log
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        self.popen = subprocess.Popen(
            [str(arg) for arg in args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self._log.open("a") as log:
            for line in self.popen.stdout:
                log.write(line)
                log.flush()
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def running(self) -> bool:
        return self.popen.poll() is None

    def say(self, line: str):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def wait_for_line(self, wanted: Callable[[str], bool], what: str, seconds: float = 60) -> str:
        """The first line that is wanted, printed already or to come."""
        seen = 0
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it has ended" if self._ended else f"not in {seconds:g} s"
                    raise AssertionError(
                        f"{self.popen.args[0]} did not print {what}: {why}. It printed:\n"
                        + "\n".join(self._lines)
                    )
                self._changed.wait(left)

    def wait(self, seconds: float = 60) -> int:
        """Its exit status, once it has ended and all that it printed was read."""
        status = self.popen.wait(seconds)
        self._reader.join(seconds)
        return status

    def end(self, signal: int, seconds: float = 60) -> int:
        if self.running():
            self.popen.send_signal(signal)
        return self.wait(seconds)
