"""Many comparisons at once, for the error rates and sample sizes of verdicts.

The arithmetic is that of `lab.comparisons`, which works on whole arrays; only the procedure over looks and arms is
written again here. `test_the_simulation_is_the_code_under_test` holds the two together.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.comparisons.statistics import chances, estimates
from lab.comparisons.statistics.boundaries import critical_values, last_critical_value
from lab.comparisons.statistics.design import Rule
from lab.comparisons.statistics.estimates import Pair
from lab.comparisons.statistics.verdicts import FUTILE_BELOW, FUTILE_FROM

ALPHA = 0.05
MOST = 30
RULE = Rule(True)
Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def pairs_of(differences: object) -> list[Pair]:
    """Pairs of scores with these differences."""
    return [(float(value), 0.0) for value in np.asarray(differences)]


def normal(mean: float, n: int = MOST, seed: int = 0) -> NDArray[np.float64]:
    """Normal differences of deviation 1."""
    return np.random.default_rng(seed).normal(mean, 1, n)


def _lognormal(sigma: float) -> Draw:
    return lambda rng, shape: np.exp(sigma * rng.normal(size=shape)) - math.exp(sigma**2 / 2)


def _collapse(share: float, both: bool = False) -> Draw:
    """One arm, or both, lose 0.5 on a share of the seeds, beside noise of 0.02; the mean difference is 0."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        lost = [0.5 * (rng.random(shape) < share) for _ in range(2)]
        return rng.normal(0, 0.02, shape) - lost[0] + (lost[1] if both else 0.5 * share)

    return draw


# differences whose mean is 0: whoever is better or worse there is wrongly so
NULLS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails (t, 3 degrees of freedom)": lambda rng, shape: rng.standard_t(3, size=shape),
    "ties (normal, rounded to one standard deviation)": lambda rng, shape: np.round(rng.normal(size=shape)),
    "90 % ties": lambda rng, shape: np.where(rng.random(shape) < 0.9, 0.0, np.sign(rng.normal(size=shape))),
    "both arms collapse on 10 % of seeds": _collapse(0.1, both=True),
    "skewed: exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "skewed: lognormal, σ = 0.5": _lognormal(0.5),
    "skewed: lognormal, σ = 1": _lognormal(1.0),
    "skewed: lognormal, σ = 1.5": _lognormal(1.5),
    "one arm collapses on 10 % of seeds": _collapse(0.1),
    "one arm collapses on 5 % of seeds": _collapse(0.05),
}


@dataclass(frozen=True)
class Outcomes:
    """For each simulated comparison and arm: what was decided after n seeds, and the interval."""

    n: NDArray[np.int64]
    differs: NDArray[np.bool_]
    equal: NDArray[np.bool_]
    futile: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class _Looks:
    """All looks at (simulations, arms, seeds) of differences, for each number of arms that share the error rate."""

    def __init__(self, draws: NDArray[np.float64], rule: Rule, give_up: bool):
        arms, self.rule = draws.shape[1], rule
        self.seen = estimates.moments(draws[..., : rule.most], rule.resolution, rule.margin)
        critical = {share: self._critical(share) for share in range(1, arms + 1)}
        self.ends = {share: estimates.interval(self.seen, critical[share][1:]) for share in critical}
        low, high = self.ends[arms]
        self.equal = estimates.inside(low, high, rule.margin)
        self.differs = {share: estimates.excludes_0(*ends) for share, ends in self.ends.items()}
        self.futile = {share: self._futile(critical[share], critical[arms]) for share in critical} if give_up else {}

    def _critical(self, share: int) -> NDArray[np.float64]:
        return critical_values(self.rule.alpha / share, self.rule.least, self.rule.most, self.rule.horizon)

    def _futile(self, differs: NDArray[np.float64], equal: NDArray[np.float64]) -> NDArray[np.bool_]:
        seen, most = self.seen, self.rule.most
        last = (most, float(differs[most]), float(equal[most]), self.rule.margin)
        chance = chances.chance_at_the_end(seen.n, seen.mean, seen.deviation, *last)
        return (chance < FUTILE_BELOW) & (seen.n >= FUTILE_FROM) & (seen.n < most)


def simulate_arms(draws: NDArray[np.float64], rule: Rule = RULE, give_up: bool = True) -> Outcomes:
    """Comparisons of several arms: draws are (simulations, arms, seeds)."""
    looks, (count, arms, _) = _Looks(draws, rule, give_up), draws.shape
    n = np.full((count, arms), rule.most)
    sharing_at = np.full((count, arms), arms)
    differs, equal, futile = (np.zeros((count, arms), bool) for _ in range(3))

    def chosen(values: dict[int, NDArray[np.bool_]], look: int, sharing: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.choose(sharing[:, None] - 1, [values[share][..., look] for share in sorted(values)])

    for look in range(rule.least - 1, rule.most):
        while True:
            open_ = ~(differs | equal | futile)
            sharing = np.maximum(arms - differs.sum(1), 1)
            new = open_ & chosen(looks.differs, look, sharing)
            same = open_ & ~new & looks.equal[..., look] & ~differs
            n[new | same] = look + 1
            sharing_at = np.where(new, sharing[:, None], sharing_at)
            differs, equal = differs | new, equal | same
            if not new.any():
                break
        open_ = ~(differs | equal | futile)
        if give_up:
            gone = open_ & chosen(looks.futile, look, sharing)
            n[gone] = look + 1
            futile |= gone
            sharing_at = np.where(gone, sharing[:, None], sharing_at)
    sharing_at = np.where(differs | equal | futile, sharing_at, np.maximum(arms - differs.sum(1), 1)[:, None])
    return Outcomes(n, differs, equal, futile, *_ends(looks, n, sharing_at, differs, futile))


def _ends(
    looks: _Looks,
    n: NDArray[np.int64],
    sharing: NDArray[np.int64],
    differs: NDArray[np.bool_],
    futile: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of each arm where it ended: of a last look, but for the end on which "better" or "worse" rests."""
    rule, at = looks.rule, np.expand_dims(n - 1, -1)
    ends = [np.zeros(n.shape), np.zeros(n.shape)]
    for share, intervals in looks.ends.items():
        last = np.full(rule.most, np.inf)
        last[rule.least - 1 :] = [
            last_critical_value(rule.alpha / share, rule.least, k, rule.horizon)
            for k in range(rule.least, rule.most + 1)
        ]
        low, high, last_low, last_high = (
            np.take_along_axis(end, at, -1)[..., 0] for end in (*intervals, *estimates.interval(looks.seen, last))
        )
        low = np.where(futile | (differs & (high < 0)), last_low, low)
        high = np.where(futile | (differs & (low > 0)), last_high, high)
        for side, value in enumerate((low, high)):
            ends[side] = np.where(sharing == share, value, ends[side])
    return ends[0], ends[1]


def simulate(draws: NDArray[np.float64], rule: Rule = RULE, give_up: bool = True) -> Outcomes:
    """Comparisons of one arm: draws are (simulations, seeds)."""
    found = simulate_arms(draws[:, None, :], rule, give_up)
    return Outcomes(*(getattr(found, name)[:, 0] for name in ("n", "differs", "equal", "futile", "low", "high")))


def simulate_anytime_valid(draws: NDArray[np.float64], alpha: float = ALPHA, first: int = 5) -> NDArray[np.int64]:
    """The n at which the rule used before first decides that each row of draws differs from 0; 0 where never.

    The anytime-valid t-test of Wang & Ramdas 2023 (arXiv 2310.03722), Gaussian prior with precision 1.
    """
    n = np.arange(1, draws.shape[1] + 1)
    mean = draws.cumsum(1) / n
    variance = (np.square(draws).cumsum(1) - n * mean**2)[:, 1:] / (n[1:] - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t2 = np.where(variance > 0, n[1:] * mean[:, 1:] ** 2 / variance, 0.0)
    nu, shrunk = n[1:] - 1, 1 / (n[1:] + 1)
    log_e = 0.5 * np.log(shrunk) + n[1:] / 2 * (np.log1p(t2 / nu) - np.log1p(t2 * shrunk / nu))
    decided = (log_e >= math.log(1 / alpha)) & (n[1:] >= first)
    return np.where(decided.any(1), decided.argmax(1) + 2, 0)
