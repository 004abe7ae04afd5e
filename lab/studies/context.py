"""What the parts of a running study share: its space, its storage, and where its runs are tracked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.experiment import Experiment
from lab.studies.space import Space
from lab.studies.trial import best_epoch
from lab.tracking.outbox import Outbox
from lab.tracking.tracker import Tracker

if TYPE_CHECKING:
    from optuna import Study

STATUS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "lost": "KILLED", "stopped": "KILLED"}


@dataclass(frozen=True)
class Objective:
    """The validation metric that a study is about."""

    metric: str
    higher_is_better: bool

    @property
    def sign(self) -> int:
        """1 where lower is better, so that sorting by sign times score puts the best first."""
        return -1 if self.higher_is_better else 1


@dataclass(frozen=True)
class Context:
    """A study while it runs; `parent` is the tracker id of its own run, `tags` are those of every run."""

    space: Space
    study: "Study"
    objective: Objective
    outbox: Outbox
    parent: str
    tags: Mapping[str, str]

    def start_child(self, experiment: Experiment, name: str, kind: str, **more: str) -> Tracker:
        """Begin the record of a training below the study's own run."""
        tracker = self.outbox.tracker(parent=self.parent)
        tags = {f"lab.{tag}": value for tag, value in more.items()}
        tracker.start(experiment.name, name, experiment.settings(), {**self.tags, "lab.kind": kind, **tags})
        return tracker


def end_child(tracker: Tracker, state: str, reason: str, epochs: Mapping[int, Mapping[str, float]]) -> None:
    """Close the record of a training: its values at the best epoch, and its true state."""
    if epochs:
        best = best_epoch(epochs)
        at_best = {f"at_best/{name}": value for name, value in epochs[best].items() if "/" in name}
        tracker.metrics(at_best | {"best_epoch": best}, best)
    tracker.tags({"lab.trial_state": state} | ({"lab.failure": reason} if reason else {}))
    tracker.end(STATUS[state])


def settings_key(experiment: Experiment) -> str:
    """A hash of all settings but the seed."""
    settings = {name: value for name, value in experiment.settings().items() if name != "seed"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
