"""Processes started to be measured: until they print a line, and how much memory they took."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from shipped import PROJECT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT / "tests")}
LAB = str(Path(sys.executable).parent / "lab")


def until_first_line(arguments: Sequence[str]) -> float:
    """Seconds from starting a command until it prints a line; then it is let go on to its end."""
    began = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        _, errors = process.communicate()
    assert line, errors
    return seconds


def python_until_first_line(code: str) -> float:
    """The same for a Python process."""
    return until_first_line([sys.executable, "-c", code])


def printed(code: str) -> list[float]:
    """The numbers that a Python process prints in its last line."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def peak(process: int | str = "self") -> float:
    """The most resident memory that a process has had, MiB; getrusage also counts what its parent had at the start."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


class PeakOfChildren(threading.Thread):
    """Watches the processes that this one starts: `most` is the most that any of them has had, MiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        self.start()

    def run(self) -> None:
        """Look every 20 ms."""
        while True:
            for child in psutil.Process().children():
                with contextlib.suppress(OSError, IndexError):  # it has just ended
                    self.most = max(self.most, peak(child.pid))
            time.sleep(0.02)
