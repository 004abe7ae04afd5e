"""A run with child runs: a study with its trials, a comparison with its replicates, the folds of an experiment."""

import getpass
import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lab.config.experiment import Experiment
from lab.errors import LabError, Stopped
from lab.files import held, is_locked
from lab.tracking import claims, store
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training.checkpoints.best_epoch import BestEpoch, best_by

STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "lost": "KILLED", "stopped": "KILLED"}
LOCK_TIMEOUT = 2.0  # seconds; `lab runs --reap` holds the lock of a dead driver only for a moment


@dataclass
class ChildRun:
    """One training below a parent run, and the metrics of its epochs (from 1)."""

    tracker: Tracker
    _best: BestEpoch
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)

    def record(self, epoch: int, values: dict[str, float]) -> None:
        """Record an epoch."""
        self.epochs[epoch] = values
        self._best.update(epoch, values)
        self.tracker.metrics(values, epoch)

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights a run would keep; 0 before the first."""
        return self._best.epoch

    def score(self, metric: str) -> float:
        """A metric at the best epoch; NaN before the first."""
        return self.epochs[self.best_epoch].get(metric, math.nan) if self.epochs else math.nan

    def end(self, state: str, reason: str = "") -> None:
        """Record the metrics at the best epoch and the state in which the training ended (a key of STATUS)."""
        if self.epochs:
            best = self.best_epoch
            at_best = {f"at_best/{name}": value for name, value in self.epochs[best].items() if "/" in name}
            self.tracker.metrics(at_best | {"best_epoch": best}, best)
        self.tracker.tags({"lab.trial_state": state} | ({"lab.failure": reason} if reason else {}))
        self.tracker.end(STATUS[state])


@dataclass(frozen=True)
class ParentRun:
    """The run below which child runs are recorded; `id` is its tracker id, `tags` are those of every child.

    `directions` are those of the metrics of all children, without split.
    """

    outbox: Outbox
    id: str
    tags: Mapping[str, str]
    directions: Mapping[str, bool]

    def start_child(
        self, experiment: Experiment, name: str, kind: str, data: str | None = None, **tags: str
    ) -> ChildRun:
        """Start the record of a training; `data` is the fingerprint of its data: "" if unknown, else that in `tags`."""
        tracker = self.outbox.tracker(parent=self.id)
        own = {f"lab.{tag}": value for tag, value in tags.items()}
        fingerprint = self.tags.get("data.fingerprint", "") if data is None else data
        others = {name: value for name, value in self.tags.items() if name != "data.fingerprint"}
        known = {"data.fingerprint": fingerprint} if fingerprint else {}
        tracker.start(experiment.name, name, experiment.settings(), {**others, **known, "lab.kind": kind, **own})
        return ChildRun(tracker, best_by(experiment.checkpoints["monitor"], self.directions))


@contextmanager
def recorded_status(outbox: Outbox, parent: Tracker) -> Iterator[None]:
    """Record how the block ends as the status of a parent run, then wait until all records are sent.

    A block that is stopped does not wait: the sender is a process of its own, which sends the rest.
    """
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (Stopped, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        parent.end(status)
        if status == "KILLED":
            outbox.release()
        else:
            outbox.close()


@contextmanager
def driver_lock(name: str) -> Iterator[None]:
    """Hold the lock of a study, comparison or cross-validation while driving it.

    Raises LabError where another process holds it. The lock file says who drives until the block ends without an
    exception (see `failed_drivers`).
    """
    store.root().mkdir(parents=True, exist_ok=True)
    path = driver_lock_path(name)
    with held(path, name, LOCK_TIMEOUT):
        path.write_text(this_driver(), encoding="utf-8")
        yield
        path.write_text("", encoding="utf-8")


@contextmanager
def shared_driver_lock(experiment: str, name: str, journal: str) -> Iterator[Callable[[], None]]:
    """Hold the claim to drive `name` in a store that other folders share; the lock of this folder is held.

    `journal` is the tracker id of the run that is driven. Raises LabError where another driver holds it. Gives a
    function to be called before each further round, which raises TrainingFailed where another driver drives now.
    """
    with claims.claimed(experiment, name, this_driver(), journal) as look_again:
        yield look_again


def this_driver(since: bool = True) -> str:
    """Who drives: the user, the machine, the process, and since when."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        user = f"user {os.getuid()}"
    now = f", since {datetime.now().astimezone():%Y-%m-%d %H:%M}" if since else ""
    return f"{user} on {platform.node()}, process {os.getpid()}{now}"


def driver_lock_path(name: str) -> Path:
    """The lock file of a study or comparison."""
    return store.root() / f".{name}.lock"


def failed_drivers() -> list[Path]:
    """The lock files of drivers that ended with an exception or were killed."""
    return [path for path in store.root().glob(".*.lock") if path.stat().st_size and not is_locked(path)]


def clear_failed_drivers() -> None:
    """Forget the failed drivers, after their runs and trials were closed."""
    for path in failed_drivers():
        with suppress(LabError), held(path, path.stem):  # locked: a new driver has just started
            path.write_text("", encoding="utf-8")
