"""`lab.run`: train, track and test an experiment, once or on every fold of its samples."""

from functools import cached_property
from typing import overload

import pandas as pd
from rich.console import RenderableType

from lab.api import calls, experiments
from lab.api.experiments import Overrides, Source
from lab.cross_validation import report as folds_report
from lab.cross_validation import run as cross_validation
from lab.cross_validation.scores import Mean
from lab.display.output import Shown
from lab.errors import LabError
from lab.inference import model
from lab.inference.model import Model
from lab.training import run as training
from lab.training.results import report
from lab.training.results.progress import ProgressBar


class RunResult(Shown, training.Result):
    """The outcome of a run: metrics, intervals, baseline and facts; printed as the command prints it."""

    @cached_property
    def model(self) -> Model:
        """The trained model, to `predict` with; raises LabError where the run stored none."""
        if self.run_id is None:
            raise LabError(f"the model is not stored yet: {self.delivery.message}")
        return model.load(self.run_id)

    def report(self) -> RenderableType:
        """What is shown of the result."""
        return report.outcome(self)


class CrossValidation(Shown, cross_validation.Result):
    """The outcome of a cross-validation: a mean and an interval per metric; printed as the command prints it."""

    @property
    def means(self) -> dict[str, Mean]:
        """The mean of each test metric over the folds, with its deviation and its 95 % interval."""
        return {name: mean for name in self.scores.metrics if (mean := self.scores.mean(name))}

    @property
    def failed(self) -> dict[int, str]:
        """The numbers of the folds that failed, and why."""
        return self.scores.failed

    @property
    def table(self) -> pd.DataFrame:
        """A row per fold, from 1: its test metrics, and those of the baselines; NaN where it failed."""
        folds = pd.RangeIndex(1, self.scores.count + 1, name="fold")
        return pd.DataFrame.from_dict(self.scores.finished, orient="index").reindex(folds)

    def report(self) -> RenderableType:
        """What is shown of the result."""
        return folds_report.outcome(self)


@overload
def run(
    experiment: Source,
    overrides: Overrides | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    progress: bool = True,
) -> RunResult: ...


@overload
def run(
    experiment: Source,
    overrides: Overrides | None = None,
    *,
    folds: int,
    workers: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    progress: bool = True,
) -> CrossValidation: ...


def run(
    experiment: Source,
    overrides: Overrides | None = None,
    *,
    folds: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    progress: bool = True,
) -> RunResult | CrossValidation:
    """Train, track and test an experiment, as `lab run` does; with `folds`, once on each of so many folds.

    `experiment` is a name in experiments/, the path of a YAML file, or a mapping with the sections of one; overrides
    are {"optimizer.lr": 0.01} or {"optimizer": {"lr": 0.01}}. `name` is that of the experiment in the store. Of folds,
    `workers` are trained in parallel. Raises LabError before anything is recorded; TrainingFailed or KeyboardInterrupt
    after the run is recorded as failed or stopped. The result of folds of which some failed says so.
    """
    for argument, number in (("folds", folds), ("workers", workers)):
        if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise LabError(f"{argument}: must be a whole number, not {number!r}")
    if folds is None and workers is not None:
        raise LabError("workers: is for folds; a single training is not divided among workers")
    console = calls.console(progress)
    if folds is None:
        with calls.training("the run is recorded as KILLED, with its checkpoints"):
            chosen = experiments.chosen(experiment, overrides, seed, name)
            return RunResult(**vars(training.run(chosen, [ProgressBar(console)])))
    with calls.training("the same call continues with the folds that are left"):
        chosen = experiments.chosen(experiment, overrides, seed, name)
        with folds_report.LiveTable(console) as table:
            result = cross_validation.run(chosen, folds, workers, table.show)
        return CrossValidation(**vars(result))
