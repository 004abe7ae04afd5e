"""The search within a time: it ends where the trainings that follow it need the rest."""

import time
from types import SimpleNamespace
from typing import Any

import optuna

from lab.config.experiment import load
from lab.parallel.child_runs import ChildRun
from lab.parallel.workers import InProcess
from lab.studies.objective import Objective
from lab.studies.search import Context, Search
from lab.studies.space import parse_space
from lab.training.checkpoints.best_epoch import best_by

DIRECTIONS = {"loss": False, "accuracy": True}


def unrecorded(*ignored: Any, **named: Any) -> ChildRun:
    nothing = SimpleNamespace(metrics=lambda *_: None, tags=lambda *_: None, end=lambda *_: None)
    return ChildRun(nothing, best_by("val/loss", DIRECTIONS))  # type: ignore[arg-type]


def test_no_trial_is_begun_whose_time_the_confirmation_needs(searched: str) -> None:
    space = parse_space(load(searched))
    study = optuna.create_study(direction="maximize")
    objective = Objective("val/accuracy", True, DIRECTIONS)
    parent: Any = SimpleNamespace(start_child=unrecorded)
    stored: Any = SimpleNamespace(find_enqueued=lambda: None, flush=lambda: None)
    search = Search(
        Context(space, study, objective, parent, stored), optuna.samplers.RandomSampler, lambda search: None
    )
    in_an_hour = time.monotonic() + 3600
    search.run(InProcess(), 50, in_an_hour, after=1_000_000)
    assert len(study.trials) == 1  # nobody knows how long a training takes before the first one
    search.run(InProcess(), 50, in_an_hour, after=1_000_000)
    assert len(study.trials) == 1
    search.run(InProcess(), 3, in_an_hour, after=10)
    assert len(study.trials) == 3
