"""Runs in forks of a process that has imported everything: a fork starts at once, and can be killed like any other."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from lab.tracking.writing import outbox


def no_sender(folder: Path) -> "subprocess.Popen[bytes]":
    """In place of a sender: one that died with the run, as when a machine loses power."""
    return subprocess.Popen(["false"], stdout=subprocess.PIPE)


def start(work: Callable[[], object], log: Path) -> int:
    """Begin some work in a process of its own, which prints to a file; its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        outbox.start_sender = no_sender
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(child: int) -> int:
    """Wait for a process; its exit code, negative for a signal."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def seconds_from(child: int, begun: Callable[[], bool]) -> float:
    """How long a process works from when it has begun something until its end."""
    since = time.monotonic()
    while not begun():
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "ended before it began"
        since = time.monotonic()
        time.sleep(0.001)
    assert finish(child) == 0, "failed"
    return time.monotonic() - since


def kill_after(child: int, begun: Callable[[], bool], seconds: float) -> bool:
    """SIGKILL a process some seconds after it has begun something; whether it was not done before."""
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        if deadline is None and begun():
            deadline = time.monotonic() + seconds
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, "failed before it was killed"
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return finish(child) == -signal.SIGKILL


class Server:
    """Does the same work whenever it is asked to, in one process: what takes long the first time takes long once."""

    def __init__(self, work: Callable[[], object], log: Path):
        self._work = work
        self._orders = os.pipe()
        self._answers = os.pipe()
        self._child = start(self._serve, log)
        os.close(self._orders[0])
        os.close(self._answers[1])

    def _serve(self) -> None:
        while os.read(self._orders[0], 1):
            self._work()
            os.write(self._answers[1], b".")

    def ask(self) -> None:
        """Have the work done."""
        os.write(self._orders[1], b".")
        assert os.read(self._answers[0], 1), "the process is gone"

    def close(self) -> None:
        """End the process."""
        os.kill(self._child, signal.SIGKILL)
        finish(self._child)
