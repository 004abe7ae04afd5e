"""What runs in the processes of this machine: the template, which imports, and the workers, which train.

A worker is sent a `Setup`, then jobs. It sends None once it has started, reports, each of which the driver answers by
whether to stop, and outcomes.
"""

import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from lab.parallel import template
from lab.parallel.jobs import Job, train_job

Report = tuple[int, int, dict[str, float]]  # the arguments of OnEpoch


@dataclass(frozen=True)
class Setup:
    """What a worker has: its threads at most, the GPUs that it sees (None: all), and what it takes from the driver.

    That is where modules are looked up, the working folder and the environment: the template may be of an earlier call.
    What libraries read when they are imported (`OMP_NUM_THREADS`) is as it was then.
    """

    threads: int
    gpus: str | None
    path: Sequence[str]
    folder: str
    environment: Mapping[str, str]


def main() -> None:
    """Start a worker for each descriptor that comes, until the driver has ended."""
    serve(socket.socket(fileno=int(sys.argv[1])))


def serve(control: socket.socket) -> None:
    """Fork into workers; where processes do not fork, become one."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the driver's own parent may have chosen to ignore it
    workers: list[int] = []
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        workers = [each for each in workers if not _has_ended(each)]
        if message == template.END:
            _end(workers)
            workers = []
            control.send(template.END)
            continue
        if not template.FORKS or (worker := os.fork()) == 0:
            control.close()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the template alone says why it failed
            _Worker(Connection(descriptors[0])).run()
            return
        workers.append(worker)
        os.close(descriptors[0])


def _has_ended(worker: int) -> bool:
    """Whether a worker has ended; its number is not used again before it is waited for."""
    return os.waitpid(worker, os.WNOHANG)[0] == worker


def _end(workers: Sequence[int]) -> None:
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    for worker in workers:
        os.waitpid(worker, 0)


class _Worker:
    """Trains one job after the other, so that data is prepared once."""

    def __init__(self, driver: Connection):
        self._driver = driver
        self._setup: Setup = driver.recv()
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._answers: queue.Queue[bool] = queue.Queue()
        os.chdir(self._setup.folder)
        os.environ.clear()
        os.environ.update(self._setup.environment)
        if self._setup.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self._setup.gpus
        sys.path[:] = self._setup.path
        driver.send(None)  # it has started
        threading.Thread(target=self._listen, daemon=True).start()

    def run(self) -> None:
        """Train until the driver has ended."""
        while True:
            self._driver.send(train_job(self._jobs.get(), self._report, self._setup.threads))

    def _listen(self) -> None:
        """Take what the driver sends; end when it has ended, in the middle of a training too."""
        while True:
            try:
                message = self._driver.recv()
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Job):
                self._jobs.put(message)
            else:
                self._answers.put(message)

    def _report(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._driver.send((number, epoch, values))
        return self._answers.get()


if __name__ == "__main__":
    main()
