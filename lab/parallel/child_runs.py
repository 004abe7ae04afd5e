"""A run with children: a study with its trials, a comparison with its replicates."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.config.experiment import Experiment
from lab.errors import Stopped
from lab.files import held
from lab.tracking import store
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker

STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "lost": "KILLED", "stopped": "KILLED"}
DRIVER_PATIENCE = 2.0  # seconds; who only closes what a dead driver left holds the lock for a moment


@dataclass
class ChildRun:
    """One training below a parent run, while it goes on, and the metrics of its epochs (from 1)."""

    tracker: Tracker
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)

    def record(self, epoch: int, values: dict[str, float]) -> None:
        """Record an epoch."""
        self.epochs[epoch] = values
        self.tracker.metrics(values, epoch)

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights a run would keep: that of the lowest validation loss, else the last."""
        losses = {epoch: values["val/loss"] for epoch, values in self.epochs.items()}
        finite = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
        return min(finite, key=finite.__getitem__) if finite else max(losses, default=0)

    def score(self, metric: str) -> float:
        """A metric at the best epoch; NaN where there was no epoch."""
        return self.epochs[self.best_epoch][metric] if self.epochs else math.nan

    def end(self, state: str, reason: str = "") -> None:
        """Close the record: the values at the best epoch, and the true state."""
        if self.epochs:
            best = self.best_epoch
            at_best = {f"at_best/{name}": value for name, value in self.epochs[best].items() if "/" in name}
            self.tracker.metrics(at_best | {"best_epoch": best}, best)
        self.tracker.tags({"lab.trial_state": state} | ({"lab.failure": reason} if reason else {}))
        self.tracker.end(STATUS[state])


@contextmanager
def ending(outbox: Outbox, parent: Tracker) -> Iterator[None]:
    """End a run with children, as truly as it ended, and wait until all is sent.

    Who stops it does not want to wait: the sender goes on alone.
    """
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except Stopped:
        status = "KILLED"
        raise
    finally:
        parent.end(status)
        if status != "KILLED":
            outbox.close()


@dataclass(frozen=True)
class ParentRun:
    """Where the children of a run are tracked; `parent` is its tracker id, `tags` are those of every child."""

    outbox: Outbox
    parent: str
    tags: Mapping[str, str]

    def start(self, experiment: Experiment, name: str, kind: str, **more: str) -> ChildRun:
        """Begin the record of a training."""
        tracker = self.outbox.tracker(parent=self.parent)
        tags = {f"lab.{tag}": value for tag, value in more.items()}
        tracker.start(experiment.name, name, experiment.settings(), {**self.tags, "lab.kind": kind, **tags})
        return ChildRun(tracker)


def driver_lock(name: str) -> Path:
    """The file whose lock the driver of a study or comparison holds."""
    return store.root() / f".{name}.lock"


@contextmanager
def only_driver(name: str) -> Iterator[None]:
    """Be the only driver of a study or comparison on this machine; raises LabError where another one is."""
    store.root().mkdir(parents=True, exist_ok=True)
    with held(driver_lock(name), name, DRIVER_PATIENCE):
        yield
