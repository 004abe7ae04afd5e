"""`lab.compare`: is A better than B?"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from rich.console import RenderableType

from lab.api import calls, experiments
from lab.api.experiments import Overrides, Source
from lab.comparisons import comparison, report
from lab.comparisons import run as comparing
from lab.comparisons.comparison import Comparison
from lab.comparisons.findings import sentences
from lab.comparisons.statistics.design import Verdict
from lab.config.experiment import Source as OfChance
from lab.display.output import Shown
from lab.errors import LabError

Seeds = str | int | range


class ComparisonResult(Shown, comparing.ComparisonResult):
    """The verdict on every arm; printed as the command prints it."""

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdict on each arm but the control, by its name."""
        return self.findings.verdicts

    @property
    def sentences(self) -> list[str]:
        """The verdicts, the failures and the cost as sentences."""
        return list(sentences(self.findings))

    @property
    def table(self) -> pd.DataFrame:
        """A row per arm, the control first: its scores, and the difference from the control with its interval."""
        rows = [self._row(arm) for arm in self.findings.design.arms]
        return pd.DataFrame(rows).set_index("arm")

    def _row(self, arm: str) -> dict[str, Any]:
        scores, verdict = self.findings.scores, self.verdicts.get(arm)
        known = pd.Series([score for score in scores.of(arm).values() if score is not None], dtype="float64")
        return {
            "arm": arm,
            "seeds": len(scores.of(arm)),
            "failed": len(scores.failures(arm)),
            "mean": known.mean(),
            "sd": known.std(),
            "difference": verdict.mean if verdict else math.nan,
            "low": verdict.low if verdict else math.nan,
            "high": verdict.high if verdict else math.nan,
            "wins": verdict.superiority if verdict else math.nan,
            "verdict": verdict.state if verdict else "control",
        }

    def report(self) -> RenderableType:
        """What is shown of the result."""
        return report.summary(self)


def compare(
    name: str | None = None,
    overrides: Overrides | None = None,
    *,
    base: Source | None = None,
    arms: Mapping[str, Overrides] | None = None,
    seeds: Seeds | None = None,
    minutes: float | None = None,
    metric: str | None = None,
    margin: float | None = None,
    on: Literal["val", "test"] | None = None,
    reaches: float | None = None,
    alpha: float | None = None,
    varies: Sequence[OfChance] | None = None,
    folds: int | None = None,
    question: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> ComparisonResult:
    """Train the arms of a comparison seed by seed until each is decided, as `lab compare` does.

    `name` is a file in experiments/comparisons/. Or `base` is an experiment (a name, a path or a mapping) and `arms`
    maps names to the settings that they change, the control first; `metric` and the rest are as in such a file.
    `seeds` is a minimum and maximum ("5..30"), or a fixed range of seeds; `minutes` limits the time. The same call
    continues an interrupted comparison. Raises LabError before anything is written, TrainingFailed or
    KeyboardInterrupt.
    """
    rule = {"metric": metric, "margin": margin, "on": on, "reaches": reaches, "alpha": alpha, "varies": varies}
    given = {key: value for key, value in {"question": question, **rule, "folds": folds}.items() if value is not None}
    if not isinstance(workers, int | None):
        raise LabError(f"workers: must be a whole number, not {workers!r}")
    with calls.training("the same call continues the comparison"):
        if base is None and arms is None:
            loaded = _of_file(name, overrides, seeds, minutes, given)
        else:
            limits = {} if minutes is None else {"minutes": minutes}
            loaded = _of_arms(name, overrides, base, arms, seeds, given | limits)
        with report.LiveTable(calls.console(progress)) as table:
            result = comparing.run(loaded, workers, table.show)
    return ComparisonResult(**vars(result))


def _of_file(
    name: str | None,
    overrides: Overrides | None,
    seeds: Seeds | None,
    minutes: float | None,
    given: Mapping[str, Any],
) -> Comparison:
    if not isinstance(name, str):
        raise LabError("compare: name a file in experiments/comparisons/, or give base and arms")
    if given:
        raise LabError(*[f"{key}: {name} is a comparison file, which says it itself" for key in given])
    wanted, first = _seeds(seeds)
    loaded = comparison.load(name, experiments.as_texts(overrides), wanted, minutes)
    return dataclasses.replace(loaded, first_seed=first)


def _of_arms(
    name: str | None,
    overrides: Overrides | None,
    base: Source | None,
    arms: Mapping[str, Overrides] | None,
    seeds: Seeds | None,
    given: Mapping[str, Any],
) -> Comparison:
    if base is None or not isinstance(arms, Mapping):
        raise LabError(
            'compare: give both, such as base="mlp", arms={"relu": {}, "tanh": {"model.activation": "tanh"}}'
        )
    changed = {
        arm: experiments.dotted(changes, f"arms.{arm}") for arm, changes in experiments.named(arms, "arms").items()
    }
    rule = {key: experiments.plain(value, key) for key, value in given.items() if key != "question"}
    content = {"base": str(base), "arms": changed, **rule}
    wanted, first = _seeds(seeds)
    name = experiments.checked_name(experiments.UNNAMED if name is None else name)
    experiment = experiments.chosen(base, name=name if isinstance(base, Mapping) else None)
    texts = experiments.as_texts(overrides)
    loaded = comparison.parse(name, str(given.get("question", "")), content, texts, wanted, None, experiment)
    return dataclasses.replace(loaded, first_seed=first)


def _seeds(seeds: Seeds | None) -> tuple[str | None, int]:
    """The minimum and maximum number of seeds as in a file, and the first seed."""
    if isinstance(seeds, range) and seeds.step == 1 and len(seeds) and seeds.start >= 0:
        return f"{len(seeds)}..{len(seeds)}", seeds.start
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        return str(seeds), 1
    if seeds is None or isinstance(seeds, str):
        return seeds, 1
    raise LabError(f'seeds: write minimum and maximum, such as "5..30", or seeds such as range(1, 11), not {seeds!r}')
