"""The implementations that are programs of their own: JSON lines in, JSON lines out."""

import json
import os
import subprocess
from pathlib import Path

from support.cases import AUDIENCE, ISSUER, SKEW, Case

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("GATEHOUSE_BIN", ROOT / "build/release"))
GATEHOUSE = [BUILD / "tests/differential/gatehouse-verdict"]
NODE = [ROOT / ".cache/venv/bin/node", HERE / "verdicts.mjs"]


def ask(command: list[Path], cases: list[Case]) -> list[dict]:
    lines = [{"issuer": ISSUER, "audience": AUDIENCE, "skew": SKEW}]
    for case in cases:
        lines.append(
            {
                "token": case.token,
                "keys": case.keys,
                "algorithms": case.algorithms,
                "now": case.now,
            }
        )
    done = subprocess.run(
        command, input="".join(json.dumps(line) + "\n" for line in lines), text=True,
        capture_output=True, timeout=120, check=False,
    )
    assert done.returncode == 0, f"{command[0].name}: {done.stderr}"
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases), f"{command[0].name} answered {len(answers)} of {len(cases)}"
    return answers
