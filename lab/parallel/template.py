"""The template of the workers on this machine: a process that imports what trainings need, and forks into workers.

It imports nothing that is heavy itself, so that a command can start the template first and import beside it.
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from lab.parallel import machine

FORKS = sys.platform == "linux"  # elsewhere system libraries do not bear it: each worker is a template of its own
SECONDS_TO_END = 0.2  # for a process whose connections are closed
IMPORT = (
    "import sys; sys.path.insert(0, sys.argv[2]); import lab; del sys.path[0]; "
    "from lab.parallel import local_process; local_process.main()"
)
START = b"s"  # a worker; with it comes the descriptor of its connection
END = b"e"  # the workers; it answers by the same byte
SECONDS_TO_END_WORKERS = 5.0


class Template:
    """A process that starts workers; it ends with this one, and so do its workers."""

    def __init__(self) -> None:
        self._control, there = socket.socketpair()
        with there, tempfile.TemporaryFile() as log:
            self._log = os.dup(log.fileno())
            self._process = start_process(there, self._log)

    def new_worker(self) -> Connection:
        """The connection to a new worker; one that cannot be started is closed at its other end."""
        here, there = Pipe()
        with there, contextlib.suppress(OSError):
            socket.send_fds(self._control, [START], [there.fileno()])
        return here

    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def why(self) -> str:
        """Why the template itself has failed; "" while it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(SECONDS_TO_END)
        if not self._process.returncode:
            return ""
        said = os.pread(self._log, 1_000_000, 0).decode(errors="replace").splitlines()
        return " ".join([f"exit code {self._process.returncode}", *said[-1:]])

    def end_workers(self) -> bool:
        """End the workers; True if it has answered and can start others."""
        self._control.settimeout(SECONDS_TO_END_WORKERS)
        try:
            self._control.send(END)
            return self._control.recv(1) == END
        except OSError:
            return False
        finally:
            self._control.settimeout(None)

    def close(self) -> None:
        """End it, and its workers."""
        self._control.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._log)


def start_process(control: socket.socket, log: int) -> "subprocess.Popen[bytes]":
    """Start a template in a terminal session of its own, so that Ctrl-C does not reach it.

    It imports this lab, wherever that is. Modules of the working folder are not for it (-P): one named like a module of
    Python would end it.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-c", IMPORT, str(control.fileno()), str(Path(__file__).parents[2])],
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
    )


_idle: list[Template] = []
os.register_at_fork(after_in_child=_idle.clear)  # they are those of the parent


@contextlib.contextmanager
def started_early(workers: int | None) -> Iterator[None]:
    """Start a template beside the imports of a command that will want workers, if it may want several."""
    if FORKS and workers != 1 and not os.environ.get("RAY_ADDRESS") and machine.processors() > 1:
        _idle.append(Template())
    try:
        yield
    finally:
        close_idle()


def take() -> Template:
    """The template that is idle, or a new one."""
    while _idle:
        template = _idle.pop()
        if template.is_running():
            return template
        template.close()
    return Template()


def keep(template: Template) -> None:
    """Keep one whose workers are idle for the next call of this process, which then waits for no imports."""
    kept = False
    try:
        kept = FORKS and template.end_workers()
    finally:  # a second Ctrl-C while it waits leaves nothing behind
        if kept:
            _idle.append(template)
        else:
            template.close()


@atexit.register
def close_idle() -> None:
    """Close a template that nothing wants."""
    while _idle:
        _idle.pop().close()
