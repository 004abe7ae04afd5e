"""Programs of other tools, which read what these tools wrote."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.errors import LabError, abbreviated, described

LONGEST_REASON = 200  # characters of what a program says when it fails
LONGEST_LINE = 4096  # bytes of a script's first line
MOST_SECONDS = 600.0  # for one file or repository
QUIET = {"WANDB_ERROR_REPORTING": "false", "AIM_UI_TELEMETRY_ENABLED": "0"}  # nothing is reported to their makers


def find(name: str) -> Path | None:
    """The program of that name beside this Python, or on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    return Path(found) if found else None


def output(command: Sequence[object], place: Path) -> str:
    """What a program prints; raises LabError with its last line where it fails, and where it does not end."""
    name = Path(str(command[0])).name
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{place}: {name} has not read it after {MOST_SECONDS:g} s; move it away") from None
    except OSError as error:
        raise LabError(f"{place}: {command[0]} does not start: {error.strerror}; install it anew") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = abbreviated(said[-1], LONGEST_REASON) if said else f"exit status {done.returncode}"
        raise LabError(f"{place}: {name} cannot read it: {reason}")
    return done.stdout.decode(errors="replace")


def objects(printed: str) -> list[dict[str, Any]]:
    """The objects of JSON that a program printed, one a line; others are what it tells a person.

    Only "\\n" ends a line: other line ends of Unicode may stand inside a text.
    """
    return [json.loads(line) for line in printed.split("\n") if line.startswith("{")]


@contextmanager
def reading(place: Path, tool: str) -> Iterator[None]:
    """Raise LabError where the block meets something else than what the lab knows of a tool."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        reason = abbreviated(described(error), LONGEST_REASON)
        raise LabError(
            f"{place}: is damaged, or of a version of {tool} that the lab does not know: {reason}; move it away"
        ) from None


def python_of(program: Path) -> list[str]:
    """The command of the Python that runs a program which pip or pipx installed: in its first line, or beside it.

    A path that is too long for a first line, or has blanks, is not in it.
    """
    with program.open("rb") as file:
        first = file.readline(LONGEST_LINE).decode(errors="replace").strip()
    named = first.startswith("#!") and "python" in first
    return shlex.split(first.removeprefix("#!")) if named else [str(program.resolve().parent / "python3")]
