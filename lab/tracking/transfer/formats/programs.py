"""Programs of other tools, which read what these tools wrote."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError, abbreviated

LONGEST_REASON = 200  # characters of what a program says when it fails
QUIET = {"WANDB_ERROR_REPORTING": "false", "AIM_UI_TELEMETRY_ENABLED": "0"}  # nothing is reported to their makers


def find(name: str) -> Path | None:
    """The program of that name beside this Python, or on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    return Path(found) if found else None


def output(command: Sequence[object], place: Path) -> str:
    """What a program prints; raises LabError with its last line where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, env={**os.environ, **QUIET}, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = abbreviated(said[-1], LONGEST_REASON) if said else f"exit status {done.returncode}"
        raise LabError(f"{place}: {Path(str(command[0])).name} cannot read it: {reason}")
    return done.stdout.decode()
