"""Workers on Ray: processes of this machine, or of the cluster that RAY_ADDRESS names."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.errors import LabError, Stopped, TrainingFailed
from lab.parallel.jobs import Job, OnEpoch, Outcome, train_job

POLL_SECONDS = 0.1
CONNECT_TIMEOUT = 5.0  # seconds
MAX_FAILURES = 3  # times the number of workers: so many may die one after the other before the study fails
RAY_SETTINGS = {  # environment variables that Ray reads when it is imported
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # its default gives workers the lowest priority
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its future default; silences a warning
}
# Without clusters Ray listens on the loopback interface alone; its argument `_node_ip_address="127.0.0.1"` is
# replaced by the address of the network interface (Ray 2.60).
# tests/studies/test_interrupted.py holds Ray to it.
LOCAL_SETTINGS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class RayWorkers:
    """Trains on Ray: on this machine, or on the cluster that RAY_ADDRESS names.

    A worker uses as many threads as the experiment sets, but no more than its share of this machine's cores.
    A worker that dies is replaced.
    """

    def __init__(self, count: int):
        self.capacity = count
        self._ray = _connect(count)
        self._mailbox = self._ray.remote(num_cpus=0)(_Mailbox).remote()
        self._idle = [self._new_worker() for _ in range(count)]
        self._busy: dict[Any, tuple[Any, Job]] = {}  # by the future of the outcome
        self._failures = 0  # workers that died since the last job that ended

    def _new_worker(self) -> Any:
        threads = max(1, (os.cpu_count() or 1) // self.capacity)
        return self._ray.remote(num_cpus=1)(_Worker).remote(self._mailbox, threads, str(Path.cwd()))

    def submit(self, job: Job) -> None:
        """Start a job on an idle worker."""
        worker = self._idle.pop()
        self._busy[worker.train.remote(job)] = (worker, job)

    def wait(self, on_epoch: OnEpoch) -> list[Outcome]:
        """Forward reports until a job has ended; raises TrainingFailed when worker after worker dies."""
        done: list[Any] = []
        while not done:
            with _stopped_as_such():
                done, _ = self._ray.wait(list(self._busy), timeout=POLL_SECONDS)
                reports = self._ray.get(self._mailbox.take.remote())
            for report in reports:
                if on_epoch(*report):
                    self._mailbox.stop.remote(report[0])
        return [self._outcome(future) for future in done]

    def _outcome(self, future: Any) -> Outcome:
        worker, job = self._busy.pop(future)
        try:
            outcome = self._ray.get(future)
        except self._ray.exceptions.RayError as error:
            self._failures += 1
            if self._failures > MAX_FAILURES * self.capacity:
                raise TrainingFailed(f"worker after worker died: {_first_line(error)}") from error
            self._idle.append(self._new_worker())
            return Outcome(job.number, "lost", f"its worker died: {_first_line(error)}")
        self._failures = 0
        self._idle.append(worker)
        return outcome

    def close(self) -> None:
        """End the workers and disconnect; a cluster keeps running."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values()), self._mailbox]:
            self._ray.kill(worker)
        self._ray.shutdown()


@contextmanager
def _stopped_as_such() -> Iterator[None]:
    """Raise Stopped as it is: from a signal handler that runs inside Ray it arrives as the cause of a SystemError."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, Stopped):
            raise error.__cause__ from None
        raise


class _Mailbox:
    """A Ray actor between workers and driver: reports go to the driver, requests to stop a job to its worker."""

    def __init__(self) -> None:
        self._reports: list[tuple[int, int, dict[str, float]]] = []
        self._stopped: set[int] = set()

    def report(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        """Add a report; returns whether the job should stop."""
        self._reports.append((number, epoch, values))
        return number in self._stopped

    def take(self) -> list[tuple[int, int, dict[str, float]]]:
        """The reports since the last call."""
        taken, self._reports = self._reports, []
        return taken

    def stop(self, number: int) -> None:
        """Stop a job at its next report."""
        self._stopped.add(number)


class _Worker:
    """A Ray actor that trains one job after the other, so that it imports once and prepares data once."""

    def __init__(self, mailbox: Any, threads: int, folder: str):
        if Path(folder).is_dir():  # another machine of a cluster may not have it
            os.chdir(folder)
        self._threads = threads
        self._mailbox = mailbox

    def train(self, job: Job) -> Outcome:
        """Train a job."""
        import ray

        return train_job(job, lambda *report: ray.get(self._mailbox.report.remote(*report)), self._threads)


def _connect(count: int) -> Any:
    """Ray, connected to RAY_ADDRESS, or started on this machine for `count` workers."""
    address = os.environ.get("RAY_ADDRESS")
    for name, value in (RAY_SETTINGS | ({} if address else LOCAL_SETTINGS)).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise LabError(
            f"--workers {count}: needs Ray, which is not installed; use `make study ... WORKERS={count}`, "
            "or .venv/bin/pip install -c constraints.txt -e '.[ray]'"
        ) from None
    try:
        if address:
            _check_answers(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        where = f"the cluster RAY_ADDRESS={address}" if address else "Ray on this machine"
        raise LabError(f"--workers {count}: {where} does not answer: {_first_line(error)}") from None
    return ray


def _check_answers(address: str) -> None:
    """Raise OSError if nothing listens at `host:port`: Ray itself would retry for minutes."""
    url = urlsplit(address if "//" in address else f"//{address}")
    if url.hostname and url.port:
        socket.create_connection((url.hostname, url.port), timeout=CONNECT_TIMEOUT).close()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
