"""Scores: what a method reached on the test rows of one set with one seed, and the means over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LAB = "the lab"


@dataclass(frozen=True)
class Score:
    """The score of a method on a set with a seed, and the seconds of fitting and testing; None: it is not installed."""

    set: str
    method: str
    seed: int
    value: float | None
    seconds: float


@dataclass(frozen=True)
class Mean:
    """The mean of the scores of a method on a set, with its standard error over seeds (NaN for one seed)."""

    value: float
    error: float
    seconds: float

    @classmethod
    def of(cls, scores: Iterable[Score]) -> "Mean | None":
        """The mean; None where the method was not installed."""
        found = [(score.value, score.seconds) for score in scores if score.value is not None]
        if not found:
            return None
        values, seconds = zip(*found, strict=True)
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), error, statistics.fmean(seconds))


Means = Mapping[str, Mapping[str, Mean]]  # of each set, of each method


def means(scores: Iterable[Score]) -> dict[str, dict[str, Mean]]:
    """The means of each set and method, in the order of the scores."""
    grouped: dict[str, dict[str, list[Score]]] = {}
    for score in scores:
        grouped.setdefault(score.set, {}).setdefault(score.method, []).append(score)
    return {
        name: {method: mean for method, each in methods.items() if (mean := Mean.of(each))}
        for name, methods in grouped.items()
    }


def as_row(score: Score) -> list[Any]:
    """A row of a JSON file, with as many digits as tell."""
    value = None if score.value is None else round(score.value, 5)
    return [score.set, score.method, score.seed, value, round(score.seconds, 2)]
