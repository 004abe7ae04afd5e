"""How methods compare over data sets: mean ranks and win rates, with intervals over the sets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

Interval = tuple[float, float]
Z = 1.959964  # of a 95 % interval
RESAMPLES = 10_000


@dataclass(frozen=True)
class WinRate:
    """The share of sets on which a method is better than another, a tie counting half."""

    wins: int
    ties: int
    sets: int

    @property
    def losses(self) -> int:
        """The sets on which the other one is better."""
        return self.sets - self.wins - self.ties

    @property
    def share(self) -> float:
        """The win rate."""
        return (self.wins + self.ties / 2) / self.sets

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval (1927)."""
        n, p = self.sets, self.share
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return middle - half, middle + half


def win_rate(ours: Sequence[float], theirs: Sequence[float], higher_is_better: bool) -> WinRate:
    """The wins of `ours` over `theirs`, score by score of the same sets."""
    gains = [(a - b if higher_is_better else b - a) for a, b in zip(ours, theirs, strict=True)]
    return WinRate(sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains), len(gains))


def ranks(scores: Mapping[str, Sequence[float]], higher_is_better: bool) -> dict[str, list[float]]:
    """The rank of each method on each set: 1 for the best, the mean of the places for ties."""
    values = np.array([list(each) for each in scores.values()])
    ranked = rankdata(-values if higher_is_better else values, axis=0)
    return {method: row.tolist() for method, row in zip(scores, ranked, strict=True)}


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """The 95 % percentile interval of the mean, over sets drawn with replacement."""
    random, sample = np.random.default_rng(seed), np.asarray(values, dtype=float)
    drawn = sample[random.integers(0, len(sample), (RESAMPLES, len(sample)))]
    low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
