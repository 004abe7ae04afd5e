"""How many workers one driver can serve: its own code, storage and records, with trainings that only report on time.

`make scale`, or `PYTHONPATH=tests python -m benchmarks.drivers --help`. The workers live in a time of their own: it
goes on by what the driver's work takes, and jumps to the next report where the driver has nothing to do.
"""

import argparse
import contextlib
import heapq
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from benchmarks.measuring import workplace

from lab.config import experiment
from lab.parallel.child_runs import ParentRun
from lab.parallel.jobs import Job, OnEpoch, Outcome
from lab.studies import samplers, storage
from lab.studies.objective import Objective
from lab.studies.search import Context, Search
from lab.studies.shared_lock import shared_lock
from lab.studies.space import parse_space
from lab.tracking.writing.outbox import Outbox

ENDLESS = 1_000_000
LEAST_TRIALS = 40
EPOCHS = 10  # reports of a training
SPREAD = 0.4  # of the time of an epoch, between the fastest training and the slowest
METRICS = {"train/loss": 0.5, "train/accuracy": 0.8, "val/loss": 0.6, "val/accuracy": 0.7, "seconds_per_epoch": 1.0}
DIRECTIONS = {"loss": False, "accuracy": True, "seconds_per_epoch": False}
SPACE = {
    "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer.weight_decay": {"low": 1e-5, "high": 0.3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
}
HEADER = (
    "workers",
    "s to start all",
    "reports/s",
    "trials/s",
    "ms to a reply, median",
    "95 %",
    "driver busy",
    "workers idle",
    "reports/s, at most",
    "trials/s, at most",
)


class Enough(Exception):
    """The time to measure is over."""


@dataclass
class Scheduled:
    """Workers whose trainings report every `epoch_seconds`, whether the driver is in time or not.

    `clock` tells the seconds that the driver has worked. After `start_seconds` no further worker is started, after
    `seconds` of work beyond that, or when each worker has trained three times, the measurement ends.
    """

    capacity: int
    epoch_seconds: float
    clock: Callable[[], float]
    start_seconds: float
    seconds: float
    now: float = 0.0
    busy: float = 0.0  # seconds of the driver since all workers were started
    began: float = 0.0  # when all of them were
    started: int = 0
    ended: int = 0
    lateness: list[float] = field(default_factory=list)  # from a report to its reply
    idle: list[float] = field(default_factory=list)  # of a worker between two trainings
    _mark: float = 0.0
    _due: list[tuple[float, int, int]] = field(default_factory=list)  # a heap of times, jobs and epochs
    _stopped: set[int] = field(default_factory=set)
    _free_since: list[float] = field(default_factory=list)

    def begin(self) -> None:
        self._mark = self.clock()

    def submit(self, job: Job) -> None:
        worked = self._work()
        if self._free_since:
            self.busy += worked
            self.idle.append(self.now - self._free_since.pop(0))
        else:
            self.started += 1
            self.began = self.now
            if self.now > self.start_seconds:
                self.capacity = self.started
        heapq.heappush(self._due, (self.now + self._epoch(job.number), job.number, 1))

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        ended: list[Outcome] = []
        while not ended:
            self.busy += self._work()
            if self.busy > self.seconds or self.ended >= max(LEAST_TRIALS, 3 * self.capacity):
                raise Enough
            self.now = max(self.now, self._due[0][0])
            here = self.now  # what comes later is for the next round, as on Ray
            while self._due and self._due[0][0] <= here:
                at, number, epoch = heapq.heappop(self._due)
                ended += self._report(at, number, epoch, on_epoch)
                self.busy += self._work()
                self.lateness.append(self.now - at)
            on_pause()
        self.ended += len(ended)
        return ended

    def _report(self, at: float, number: int, epoch: int, on_epoch: OnEpoch) -> list[Outcome]:
        """Report an epoch; a training that is to stop does so after the next one, as on Ray."""
        score = (number * 37 % 100) / 100
        stops = on_epoch(number, epoch, {**METRICS, "val/accuracy": score * epoch / EPOCHS})
        if epoch < EPOCHS and number not in self._stopped:
            self._stopped.update({number} if stops else ())
            heapq.heappush(self._due, (at + self._epoch(number), number, epoch + 1))
            return []
        self._free_since.append(at)
        return [Outcome(number, "finished" if epoch == EPOCHS else "pruned")]

    def _epoch(self, number: int) -> float:
        return self.epoch_seconds * (1 + SPREAD * (number * 61 % 100 / 100 - 0.5))

    def _work(self) -> float:
        """Let the workers' time go on by what the driver has worked."""
        worked = self.clock() - self._mark
        self._mark += worked
        self.now += worked
        return worked

    def close(self) -> None: ...


class _GivenUp(Search):
    """A search whose trials are given up with the folder, at its end."""

    def _retry_interrupted(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    epoch_seconds: float = 10.0
    start_seconds: float = 60.0
    seconds: float = 20.0
    sampler: samplers.Sampler = "tpe"
    waits_count: bool = False  # for a database elsewhere; where nothing is waited for, other load does no harm


def drive(workers: int, plan: Plan) -> Scheduled:
    """Let a driver search with so many workers."""
    clock = time.perf_counter if plan.waits_count else time.process_time
    fake = Scheduled(workers, plan.epoch_seconds, clock, plan.start_seconds, plan.seconds)
    shipped = experiment.load("mlp")
    sections = {"data": shipped.data.as_mapping(), "model": shipped.written["model"], "search": SPACE}
    space = parse_space(
        experiment.from_sections("mlp", shipped.question, sections | {"trainer": {"max_epochs": EPOCHS}})
    )
    name = f"{workers}-workers-{time.time_ns()}"
    storage.open_study(name, True, space.fingerprint("val/accuracy"))
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("mlp", name, {}, {})
    with shared_lock(storage.address(), name) as lock:
        study, stored = storage.driven(name, lock)
        study.pruner = samplers.make_pruner("hyperband", EPOCHS)
        parent = ParentRun(outbox, tracker.id, {}, DIRECTIONS)
        context = Context(space, study, Objective("val/accuracy", True), parent, stored)
        search = _GivenUp(context, lambda seed: samplers.make_sampler(plan.sampler, ENDLESS, seed), lambda search: None)
        fake.begin()
        with contextlib.suppress(Enough):
            search.run(fake, ENDLESS, time.monotonic() + 3600)
    outbox.release()
    if outbox._sender:
        outbox._sender.kill()  # what it has not sent goes with the folder
        outbox._sender.wait()
    return fake


def row(workers: int, fake: Scheduled) -> tuple[str, ...]:
    """The figures of one number of workers; rates are those after all workers were started."""
    late = sorted(fake.lateness) or [0.0]
    reports, passed = len(fake.lateness), fake.now - fake.began
    started = f"{fake.began:.1f}" if fake.started == workers else f"{fake.started:,} in {fake.began:.0f}"
    return (
        f"{workers:,}",
        started,
        f"{reports / passed:.1f}",
        f"{fake.ended / passed:.2f}",
        f"{1000 * statistics.median(late):,.0f}",
        f"{1000 * late[int(0.95 * (len(late) - 1))]:,.0f}",
        f"{fake.busy / passed:.1%}",
        f"{sum(fake.idle) / (passed * fake.started):.1%}",
        f"{reports / fake.busy:.0f}",
        f"{fake.ended / fake.busy:.1f}",
    )


def measure(where: str, sizes: list[int], plan: Plan) -> list[tuple[str, ...]]:
    """A row for each number of workers, with the study in a local file or at an address."""
    storage.quiet_optuna()
    rows = []
    for workers in sizes:
        with workplace():
            os.environ.pop("LAB_STUDY_STORAGE", None)
            if where != "sqlite":
                os.environ["LAB_STUDY_STORAGE"] = where
            rows.append(row(workers, drive(workers, plan)))
            print(f"| {' | '.join(rows[-1])} |", flush=True)
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make scale", description="How many workers one driver can serve.")
    parser.add_argument("sizes", nargs="*", type=int, default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--storage", default="sqlite", help="the address of a PostgreSQL server")
    parser.add_argument("--epoch", type=float, default=Plan.epoch_seconds, help="seconds between two reports")
    parser.add_argument("--start", type=float, default=Plan.start_seconds, help="seconds to start all workers in")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of work to measure, for each size")
    parser.add_argument("--sampler", choices=samplers.SAMPLERS, default=Plan.sampler)
    given = parser.parse_args()
    print(f"| {' | '.join(HEADER)} |\n|{' --- |' * len(HEADER)}")
    plan = Plan(given.epoch, given.start, given.seconds, given.sampler, given.storage != "sqlite")
    measure(given.storage, given.sizes, plan)
    print(f"load {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
