"""A run with children: a study with its trials, a comparison with its replicates."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.errors import Stopped
from lab.experiment import Experiment
from lab.tracking.outbox import Outbox
from lab.tracking.tracker import Tracker

STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "lost": "KILLED", "stopped": "KILLED"}


@dataclass
class Child:
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
def ended(outbox: Outbox, parent: Tracker) -> Iterator[None]:
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
class Family:
    """Where the children of a run are tracked; `parent` is its tracker id, `tags` are those of every child."""

    outbox: Outbox
    parent: str
    tags: Mapping[str, str]

    def start(self, experiment: Experiment, name: str, kind: str, **more: str) -> Child:
        """Begin the record of a training."""
        tracker = self.outbox.tracker(parent=self.parent)
        tags = {f"lab.{tag}": value for tag, value in more.items()}
        tracker.start(experiment.name, name, experiment.settings(), {**self.tags, "lab.kind": kind, **tags})
        return Child(tracker)
