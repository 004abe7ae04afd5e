"""Processes that start at once: forks of one that has imported what the lab needs, instead of new interpreters.

Each is a process of its own all the same, which can be stopped and killed, and runs the same code.
"""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lab.parallel import local_process
from lab.tracking import store
from lab.tracking.writing import sender

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "lab.tracking.writing.sender",
        "mlflow.tracking",
        "mlflow.store.tracking.sqlalchemy_store",
        "lab.cli.main",
        "lab.training.run",
        "lab.studies.study",
        "lab.comparisons.run",
    ]
)
LONGEST_OUTPUT = 10_000_000  # bytes
MAIN = sys.modules["__main__"]
store.quiet_mlflow()  # by settings which that process inherits


class Process:
    """Calls a function in this folder and environment; what is used of a subprocess.Popen, with text."""

    ends_with_the_tests = False

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        output = [DupFd(file.fileno()) for file in self._files]
        self._process = FORKS.Process(
            target=_call,
            args=(Path.cwd(), dict(os.environ), output, work, arguments),
            name=type(self).__name__,
            daemon=self.ends_with_the_tests,
        )
        # Streamlit's test harness puts its script in the place of the main module, which a new process would run.
        with patch.dict(sys.modules, {"__main__": MAIN}):
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        if self.poll() is None and timeout is not None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self.poll()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has printed, once it has ended."""
        self.wait(timeout)
        out, err = (self._printed(file).decode() for file in self._files)
        return out, err

    def told(self) -> str:
        """What it has written to stderr so far."""
        return self._printed(self._files[1]).decode()

    def kill(self) -> None:
        self._process.kill()

    def _printed(self, file: Any) -> bytes:
        return os.pread(file.fileno(), LONGEST_OUTPUT, 0)  # where it stands is where the process writes on


class Sender(Process):
    """In place of the process that `lab.tracking.writing.outbox.start_sender` starts."""

    ends_with_the_tests = True  # though it waits for a store that will never answer

    def __init__(self, folder: Path) -> None:
        super().__init__(_send, folder)

    @property
    def stdout(self) -> BytesIO:
        return BytesIO(self._printed(self._files[0]))


class Template(Process):
    """In place of the process that `lab.parallel.template.start_process` starts."""

    ends_with_the_tests = True

    def __init__(self, control: socket.socket, log: int) -> None:
        super().__init__(_fork_workers, DupFd(control.fileno()))


def lab(*arguments: str) -> Process:
    """`lab` with some arguments."""
    return Process(_lab, arguments)


def python(code: str) -> Process:
    """`python -c`."""
    return Process(exec, code, {"__name__": "__main__"})


def _call(
    place: Path, environment: dict[str, str], output: list[Any], work: Callable[..., object], arguments: Any
) -> None:
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(output, start=1):
        os.dup2(file.detach(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    work(*arguments)


def _lab(arguments: tuple[str, ...]) -> None:
    from lab.cli import main
    from lab.parallel import template, workers

    if "--workers" not in arguments:  # as in conftest.py
        template.started_early = lambda workers: contextlib.nullcontext()
        workers.default_count = lambda resources: 1
    sys.argv = ["lab", *arguments]
    main.main()


def _fork_workers(control: Any) -> None:
    os.setsid()
    local_process.serve(socket.socket(fileno=control.detach()))


def _send(folder: Path) -> None:
    os.setsid()
    os.chdir(folder.parents[2])
    with (folder / sender.LOG).open("ab") as log:
        os.dup2(log.fileno(), 2)
    sys.argv = ["sender", str(folder)]
    sender.main()
