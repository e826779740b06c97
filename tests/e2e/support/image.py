"""The root folder that scripts/package makes, and programs that run in it as in a container: as
another user, with a root that nobody can write, and PID 1. No container engine is needed."""

import os
import shutil
import subprocess
from pathlib import Path

from support.places import REPOSITORY
from support.processes import Process
from support.waiting import wait_until

PACKAGE = REPOSITORY / "scripts" / "package"
USER = 65532
# $1 is the root, $2 the folders in it that may be written, one a line. Made in mount and process
# namespaces of their own, which end with the program.
_ENTER = """
set -e
root=$1 writable=$2
shift 2
mount --bind "$root" "$root"
echo "$writable" | while read -r folder; do
  [ -z "$folder" ] || mount --bind "$root$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot --userspec=65532:65532 --groups=65532 "$root" "$@"
"""


def make(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(PACKAGE), str(folder)], capture_output=True, text=True, timeout=1800, cwd="/"
    )


def may_mount() -> bool:
    """Whether this machine lets us: in some containers nobody may."""
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True)
    return tried.returncode == 0


class Container:
    """What runs in a root folder. Without leave to mount the root is only root's own, and that is said."""

    def __init__(self, image: Path, folder: Path):
        self.root = folder / "root"
        # Links: the files are the image's, the folders are ours to mount into.
        subprocess.run(["cp", "-al", str(image), str(self.root)], check=True)
        self.mounts = may_mount()
        self._writable: list[str] = []
        self._log = folder / "container.log"
        if not self.mounts:
            print("this machine may not mount: the root is read-only by its owner alone")

    def mount_point(self, path: str, writable: bool = False) -> Path:
        """A folder at `path`, as a volume; its files are put there from outside."""
        made = self.root / path.lstrip("/")
        made.mkdir(parents=True, exist_ok=True)
        if writable:
            os.chown(made, 0, USER)
            os.chmod(made, 0o2775)  # as fsGroup has it
            self._writable.append(path)
        return made

    def replace(self, path: str, content: str):
        """A file of the image, or a new one, in this container alone."""
        file = self.root / path.lstrip("/")
        file.unlink(missing_ok=True)
        file.write_text(content)
        os.chmod(file, 0o644)

    def _command(self, *program) -> list:
        chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        if not self.mounts:
            return [*clean, chroot, f"--userspec={USER}:{USER}", f"--groups={USER}", self.root,
                    *program]  # fmt: skip
        return [*clean, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                _ENTER, "sh", self.root, "\n".join(self._writable), *program]  # fmt: skip

    def run(self, *program) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(part) for part in self._command(*program)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd="/",
        )  # fmt: skip

    def start(self, *program) -> Process:
        return Process(self._command(*program), self._log)

    def pid_of(self, process: Process) -> int:
        """Of the program itself, as this machine numbers it."""
        if not self.mounts:
            return process.pid
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return wait_until(lambda: [int(pid) for pid in children.read_text().split()], "its start")[0]

    def signal(self, process: Process, number: int):
        os.kill(self.pid_of(process), number)
