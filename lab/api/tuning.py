"""`lab.study`: search the best settings of an experiment and confirm them on fresh seeds."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pandas as pd
from rich.console import RenderableType

from lab.api import calls, experiments
from lab.api.experiments import Overrides, Source
from lab.api.training import RunResult
from lab.comparisons.statistics.design import Verdict
from lab.config import schema
from lab.config.experiment import Experiment
from lab.display.output import Shown
from lab.errors import LabError
from lab.studies import report
from lab.studies import study as tuning
from lab.studies.confirmation import Candidate, mean_of
from lab.studies.samplers import Pruner, Sampler


class StudyResult(Shown, tuning.StudyResult):
    """The winner, the other candidates, and the verdict against the defaults; printed as the command prints it."""

    @property
    def best(self) -> dict[str, Any]:
        """The settings of the winner, as overrides for `lab.run`; empty where the experiment's own did best."""
        return self.winner.values

    @property
    def verdict(self) -> Verdict | None:
        """Whether the winner is better than the experiment's own settings; None where it is those."""
        return self.verdicts.get(self.winner.name)

    @cached_property
    def winner_run(self) -> RunResult:
        """The winner's run on the experiment's own seed, with its test metrics and its model."""
        return RunResult(**vars(self.final))

    @property
    def table(self) -> pd.DataFrame:
        """A row per candidate, the winner first: its scores in the search and on fresh seeds, and its settings."""
        return pd.DataFrame([self._row(candidate) for candidate in self.ranked]).set_index("candidate")

    def _row(self, candidate: Candidate) -> dict[str, Any]:
        fresh, verdict = mean_of(candidate.fresh), self.verdicts.get(candidate.name)
        return {
            "candidate": candidate.name,
            "search": candidate.search_score,
            "mean": fresh.value,
            "low": fresh.low,
            "high": fresh.high,
            "seeds": len(candidate.scores),
            "failed": len(candidate.scores) - len(candidate.fresh),
            "verdict": verdict.state if verdict else "control",
            **candidate.values,
        }

    def report(self) -> RenderableType:
        """What is shown of the result."""
        return report.summary(self)


def study(
    experiment: Source,
    overrides: Overrides | None = None,
    *,
    space: Mapping[str, Any] | None = None,
    trials: int = 30,
    minutes: float | None = None,
    metric: str | None = None,
    top: int = 3,
    seeds: int = 5,
    sampler: Sampler = "tpe",
    pruner: Pruner = "hyperband",
    seed: int | None = None,
    name: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> StudyResult:
    """Search the best settings, confirm them on fresh seeds and test the winner, as `lab study` does.

    `experiment`, `overrides` and `name` are as in `lab.run`; `space` takes the place of the section `search:`, and is
    written like it. The same call continues an interrupted study. Writes no experiment file. Raises LabError before
    anything is written, TrainingFailed or KeyboardInterrupt.
    """
    numbers = {"trials": trials, "minutes": minutes, "workers": workers, "top": top, "seeds": seeds}
    options = _options({**numbers, "metric": metric, "sampler": sampler, "pruner": pruner})
    with calls.training("the same call continues the study"):
        chosen = experiments.chosen(experiment, overrides, seed, name)
        chosen = chosen if space is None else _with_space(chosen, space)
        with report.ProgressLine(calls.console(progress), options) as line:
            result = tuning.run(chosen, options, line)
    return StudyResult(**vars(result))


def _options(given: Mapping[str, Any]) -> tuning.Options:
    chosen = {name: experiments.plain(value, name) for name, value in given.items() if value is not None}
    if errors := schema.check(tuning.Options, chosen, ""):
        raise LabError(*errors)
    return tuning.Options(**chosen)


def _with_space(chosen: Experiment, space: Mapping[str, Any]) -> Experiment:
    if not isinstance(space, Mapping):
        raise LabError(f"space: must be a mapping of settings to choices or ranges, not {type(space).__name__}")
    search = experiments.plain(space, "space")
    return dataclasses.replace(chosen, search=search, written={**chosen.written, "search": search})
