"""Where things are: the repository, the programs under test, the tools."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
E2E = REPOSITORY / "tests" / "e2e"
CACHE = REPOSITORY / ".cache"
BIN = Path(os.environ.get("GATEHOUSE_BIN", REPOSITORY / "build" / "release")).resolve()
NODE = Path(sys.executable).parent / "node"
GRPCURL = CACHE / "bin" / "grpcurl"


def program(name: str) -> Path:
    for folder in (BIN, BIN / "server", BIN / "client" / "cli", BIN / "bin"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no {name} under {BIN}: build it, or set GATEHOUSE_BIN")
