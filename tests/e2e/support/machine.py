"""A machine to spoil: clocks that jump, and a disk that is full or read-only.

The real ones of a test's machine cannot be spoilt everywhere (a container may not mount, and
nobody may set its clock), so a small library between the server and the C library does it:
support/machine.c. It needs nothing of the server, in any build.
"""

import errno
import mmap
import struct
import subprocess
import time
from pathlib import Path

from support.places import E2E

SIZE = 4096
YEAR = 365 * 24 * 3600


def build(folder: Path) -> Path:
    """The library."""
    library = folder / "machine.so"
    subprocess.run(
        ["clang-19", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library),
         str(E2E / "support" / "machine.c")],
        check=True,
    )  # fmt: skip
    return library


class Machine:
    """What a server that is started with `env` runs on."""

    def __init__(self, library: Path, control: Path):
        control.write_bytes(bytes(SIZE))
        with control.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self.env = {"LD_PRELOAD": str(library), "GATEHOUSE_TEST_MACHINE": str(control)}

    def _put(self, form: str, offset: int, value):
        struct.pack_into(form, self._memory, offset, value)

    def _get(self, form: str, offset: int):
        return struct.unpack_from(form, self._memory, offset)[0]

    @property
    def passed(self) -> int:
        """How many seconds have passed here beyond those of the test."""
        return self._get("q", 8)

    def now(self) -> int:
        """The time that a right clock shows here."""
        return int(time.time()) + self.passed

    def set_wall(self, ahead: int):
        """Somebody sets the wall clock, to so many seconds ahead of the right time."""
        self._put("q", 0, self.passed + ahead)

    def pass_time(self, seconds: int):
        """Both clocks move on. Who waits for time sees it when it looks next."""
        self._put("q", 8, self.passed + seconds)
        self._put("q", 0, self._get("q", 0) + seconds)

    def fill_disk(self, folder: Path):
        self._put("1024s", 32, str(folder.resolve()).encode())
        self._put("i", 16, 1)

    def fail_disk(self, folder: Path, error: int = errno.EROFS):
        """Nothing in the folder can be written, nor opened for it."""
        self._put("1024s", 32, str(folder.resolve()).encode())
        self._put("i", 20, error)

    def heal_disk(self):
        self._put("q", 16, 0)

    @property
    def failed(self) -> int:
        """How many calls the spoilt disk has failed."""
        return self._get("q", 24)
