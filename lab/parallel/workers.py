"""Who trains the jobs of a study: this process, or Ray's workers."""

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from lab.errors import LabError, TrainingFailed
from lab.parallel.jobs import Job, OnEpoch, Outcome, train_job
from lab.signals import uninterrupted

POLL_SECONDS = 0.1
MOST_LOSSES = 3  # workers that may die one after the other, with no job finished between


class Workers(Protocol):
    """Trains up to `capacity` jobs at once."""

    capacity: int

    def submit(self, job: Job) -> None:
        """Take a job."""

    def wait(self, on_epoch: OnEpoch) -> list[Outcome]:
        """Work until a job ends, and tell `on_epoch` of every epoch on the way."""
        ...

    def close(self) -> None:
        """Let the workers go."""


def open_workers(count: int) -> Workers:
    """Workers: this process for one, Ray for several; raises LabError where Ray is missing or does not answer."""
    return InProcess() if count == 1 else RayWorkers(count)


def work(
    workers: Workers,
    next_job: Callable[[], Job | None],
    on_epoch: OnEpoch,
    on_outcome: Callable[[Outcome], None],
) -> None:
    """Keep all workers busy until `next_job` gives none and the last job has ended.

    Ctrl-C interrupts the training, and none of the functions given.
    """
    in_flight = 0

    def reported(number: int, epoch: int, values: dict[str, float]) -> bool:
        with uninterrupted():
            return on_epoch(number, epoch, values)

    while True:
        while in_flight < workers.capacity:
            with uninterrupted():
                job = next_job()
            if job is None:
                break
            workers.submit(job)
            in_flight += 1
        if not in_flight:
            return
        for outcome in workers.wait(reported):
            in_flight -= 1
            with uninterrupted():
                on_outcome(outcome)


class InProcess:
    """Trains one job at a time, here."""

    capacity = 1

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._jobs.append(job)

    def wait(self, on_epoch: OnEpoch) -> list[Outcome]:
        """Train it."""
        return [train_job(self._jobs.pop(), on_epoch)]

    def close(self) -> None:
        """Nothing to let go."""


class _Mailbox:
    """A Ray actor between workers and driver: reports go one way, the numbers of jobs to end the other."""

    def __init__(self) -> None:
        self._reports: list[tuple[int, int, dict[str, float]]] = []
        self._ended: set[int] = set()

    def report(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        """Leave a report; whether the job should end."""
        self._reports.append((number, epoch, values))
        return number in self._ended

    def take(self) -> list[tuple[int, int, dict[str, float]]]:
        """The reports since the last call."""
        taken, self._reports = self._reports, []
        return taken

    def end(self, number: int) -> None:
        """Let a job end at its next report."""
        self._ended.add(number)


class _Worker:
    """A Ray actor that trains jobs, one after the other: imports happen once, data is prepared once."""

    def __init__(self, mailbox: Any, threads: int, folder: str):
        if Path(folder).is_dir():  # on another machine of a cluster it need not be
            os.chdir(folder)
        self._threads = threads
        self._mailbox = mailbox

    def train(self, job: Job) -> Outcome:
        """Train a job."""
        import ray

        return train_job(job, lambda *report: ray.get(self._mailbox.report.remote(*report)), self._threads)


class RayWorkers:
    """Trains on Ray: on this machine, or on the cluster that RAY_ADDRESS names.

    A worker uses as many threads as the experiment says, and no more than its share of this machine's cores.
    One that dies is replaced.
    """

    def __init__(self, count: int):
        self.capacity = count
        self._ray = _connected(count)
        self._mailbox = self._ray.remote(num_cpus=0)(_Mailbox).remote()
        self._idle = [self._new_worker() for _ in range(count)]
        self._busy: dict[Any, tuple[Any, Job]] = {}
        self._losses = 0

    def _new_worker(self) -> Any:
        threads = max(1, (os.cpu_count() or 1) // self.capacity)
        return self._ray.remote(num_cpus=1)(_Worker).remote(self._mailbox, threads, str(Path.cwd()))

    def submit(self, job: Job) -> None:
        """Give a job to an idle worker."""
        worker = self._idle.pop()
        self._busy[worker.train.remote(job)] = (worker, job)

    def wait(self, on_epoch: OnEpoch) -> list[Outcome]:
        """Pass on reports until a job ends; raises TrainingFailed where workers only die."""
        done: list[Any] = []
        while not done:
            done, _ = self._ray.wait(list(self._busy), timeout=POLL_SECONDS)
            for report in self._ray.get(self._mailbox.take.remote()):
                if on_epoch(*report):
                    self._mailbox.end.remote(report[0])
        return [self._outcome(future) for future in done]

    def _outcome(self, future: Any) -> Outcome:
        worker, job = self._busy.pop(future)
        try:
            outcome = self._ray.get(future)
        except self._ray.exceptions.RayError as error:
            self._losses += 1
            if self._losses > MOST_LOSSES * self.capacity:
                raise TrainingFailed(f"the workers die one after the other: {_first_line(error)}") from error
            self._idle.append(self._new_worker())
            return Outcome(job.number, "lost", f"its worker died: {_first_line(error)}")
        self._losses = 0
        self._idle.append(worker)
        return outcome

    def close(self) -> None:
        """End the workers; a cluster goes on without them."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values()), self._mailbox]:
            self._ray.kill(worker)
        self._ray.shutdown()


def _connected(count: int) -> Any:
    """Ray, connected to RAY_ADDRESS or started here for as many workers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # by default its workers wait for everybody else
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its future default; silences a warning
    try:
        import ray
    except ModuleNotFoundError:
        raise LabError(
            f"--workers {count}: needs Ray, which is not installed; use `make study ... WORKERS={count}`, "
            "or .venv/bin/pip install -c constraints.txt -e '.[ray]'"
        ) from None
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _check_answers(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=count,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        where = f"the cluster RAY_ADDRESS={address}" if address else "Ray on this machine"
        raise LabError(f"--workers {count}: {where} does not answer: {_first_line(error)}") from None
    return ray


def _check_answers(address: str) -> None:
    """Raise OSError where nothing listens at `host:port`: Ray itself would try for minutes."""
    place = urlsplit(address if "//" in address else f"//{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), timeout=5).close()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
