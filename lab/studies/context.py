"""What the parts of a running study share: its space, its storage, and where its runs are tracked."""

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.experiment import Experiment
from lab.families import Family
from lab.studies.space import Space

if TYPE_CHECKING:
    from optuna import Study


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
    """A study while it runs."""

    space: Space
    study: "Study"
    objective: Objective
    family: Family


def settings_key(experiment: Experiment) -> str:
    """A hash of all settings but the seed."""
    settings = {name: value for name, value in experiment.settings().items() if name != "seed"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
