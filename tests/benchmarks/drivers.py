"""How much one driver can do: its own code, storage and records, with workers that train nothing.

`PYTHONPATH=tests python -m benchmarks.drivers sqlite 1 10 100`, or the address of a PostgreSQL server.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from benchmarks.measuring import workplace

from lab.config import experiment
from lab.parallel.child_runs import ParentRun
from lab.parallel.jobs import Job, OnEpoch, Outcome
from lab.studies import storage
from lab.studies.search import Context, Objective, Search
from lab.studies.shared_lock import shared_lock
from lab.studies.space import parse_space
from lab.tracking.writing.outbox import Outbox

EPOCHS = 10  # reports of a trial
METRICS = {"train/loss": 0.5, "train/accuracy": 0.8, "val/loss": 0.6, "val/accuracy": 0.7, "seconds_per_epoch": 1.0}
DIRECTIONS = {"loss": False, "accuracy": True, "seconds_per_epoch": False}
SPACE = {
    "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer.weight_decay": {"low": 1e-5, "high": 0.3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
}


@dataclass
class Instant:
    """Workers whose trainings take no time, so that the driver is what one waits for."""

    capacity: int
    jobs: list[Job] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)  # seconds that the driver took for each
    turnovers: list[float] = field(default_factory=list)  # from the end of a trial to the start of the next one
    _ended: float | None = None

    def submit(self, job: Job) -> None:
        if self._ended is not None:
            self.turnovers.append(time.perf_counter() - self._ended)
            self._ended = None
        self.jobs.append(job)

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        job = self.jobs.pop(0)
        for epoch in range(1, EPOCHS + 1):
            began = time.perf_counter()
            stops = on_epoch(job.number, epoch, {**METRICS, "val/accuracy": (job.number * 37 % 100) / 100})
            on_pause()
            self.reports.append(time.perf_counter() - began)
            if stops:
                break
        self._ended = time.perf_counter()
        return [Outcome(job.number, "pruned" if stops and epoch < EPOCHS else "finished")]

    def close(self) -> None: ...


@dataclass(frozen=True)
class Rates:
    """What a driver did a second."""

    workers: int
    trials: int
    seconds: float
    processor: float  # seconds of this process
    report: float  # seconds, the median
    turnover: float

    def __str__(self) -> str:
        finished, reports = self.trials / self.seconds, 1 / self.report
        return (
            f"| {self.workers:,} | {self.trials:,} | {finished:.1f} | {reports:.0f} | {1000 * self.report:.1f} | "
            f"{1000 * self.turnover:.0f} | {self.processor / self.seconds:.0%} |"
        )


def drive(workers: int, trials: int, sampler: storage.Sampler, pruner: storage.Pruner, name: str) -> Rates:
    """Search with so many workers, until so many trials are done."""
    shipped = experiment.load("mlp")
    sections = {"data": shipped.data.as_mapping(), "model": shipped.written["model"], "search": SPACE}
    space = parse_space(
        experiment.from_sections("mlp", shipped.question, sections | {"trainer": {"max_epochs": EPOCHS}})
    )
    storage.open_study(name, True, space.fingerprint("val/accuracy"))
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("mlp", name, {}, {})
    fake = Instant(workers)
    with shared_lock(storage.address(), name) as lock:
        study, stored = storage.driven(name, lock)
        study.pruner = storage.make_pruner(pruner, EPOCHS)
        parent = ParentRun(outbox, tracker.id, {}, DIRECTIONS)
        context = Context(space, study, Objective("val/accuracy", True), parent, stored)
        search = Search(
            context,
            lambda seed: storage.make_sampler(sampler, trials, seed),
            lambda search: None,
        )
        began, processor = time.perf_counter(), time.process_time()
        search.run(fake, trials, time.monotonic() + 3600)
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
    tracker.end("FINISHED")
    outbox.close()  # what is left would be written into a folder that goes
    return Rates(
        workers, trials, seconds, processor, statistics.median(fake.reports), statistics.median(fake.turnovers)
    )


def main(where: str, sizes: list[int]) -> None:
    """Print a row for each number of workers."""
    storage.quiet_optuna()
    print("| workers | trials | trials/s | reports/s | ms a report | ms from end to start | processor |")
    for size in sizes:
        with workplace():
            os.environ.pop("LAB_STUDY_STORAGE", None)
            if where != "sqlite":
                os.environ["LAB_STUDY_STORAGE"] = where
            sampler = os.environ.get("SAMPLER", "tpe")
            print(drive(size, max(40, 2 * size), sampler, "hyperband", f"{size}-{os.getpid()}"), flush=True)  # type: ignore[arg-type]
    print(f"load {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], [int(each) for each in sys.argv[2:]])
