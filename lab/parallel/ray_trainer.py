"""What runs on a node of Ray: an actor that trains the jobs which a driver sends to it."""

import threading
from collections.abc import Sequence

from lab.parallel import rehearsal
from lab.parallel.jobs import Job, Outcome, train_job
from lab.parallel.rehearsal import Surroundings

REPORTS_SECONDS = 10.0  # that a worker waits for something to report

Report = tuple[int, int, dict[str, float]]  # the arguments of OnEpoch


class RayTrainer:
    """A Ray actor that trains one job after the other, so that it imports once and prepares data once.

    `reports` and `stop` are called while `train` runs.
    """

    def __init__(self, threads: int):
        self._threads = threads
        self._changed = threading.Condition()
        self._waiting: list[Report] = []
        self._ended: int | None = None  # the number of the job
        self._stopped: int | None = None

    def rehearse(self, jobs: Sequence[Job], gpus: float) -> Surroundings:
        """Whether this node can train the jobs."""
        return rehearsal.rehearse(jobs, gpus)

    def train(self, job: Job) -> Outcome:
        """Train a job."""
        try:
            return train_job(job, self._report, self._threads)
        finally:
            with self._changed:
                self._ended = job.number
                self._changed.notify_all()

    def _report(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        with self._changed:
            self._waiting.append((number, epoch, values))
            self._changed.notify_all()
            return self._stopped == number

    def reports(self, number: int) -> tuple[list[Report], bool]:
        """The reports of a job since the last call, and whether they are the last; waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended == number, REPORTS_SECONDS)
            taken, self._waiting = self._waiting, []
            return taken, self._ended == number

    def stop(self, number: int) -> None:
        """Stop a job at its next report."""
        self._stopped = number
