"""How likely it is that further seeds decide. Pure functions; nothing here trains or stores."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.boundaries import critical_values
from lab.comparisons.statistics.design import Rule
from lab.comparisons.statistics.estimates import Pair

DRAWS = 500  # of possible further seeds
PRIOR = 3  # seeds without a difference, which the prior of an effect is worth


def chance_at_the_end(
    n: Any, mean: Any, deviation: Any, most: int, differs: float, equal: float, margin: Any = 0.0
) -> Any:
    """The chance that the look at `most` decides, from what was seen at n < most; over arrays too.

    With no prior knowledge of mean and deviation, the final mean is t-distributed around the mean so far, with n − 1
    degrees of freedom and scale deviation × √((most − n) / (most × n)). Skewness is left out. `differs` and `equal`
    are the critical values at `most` for better or worse, and for practically equal.
    """
    from scipy.special import stdtr

    scale = deviation * np.sqrt((most - n) / (most * n))
    far, near = differs * deviation / math.sqrt(most), margin - equal * deviation / math.sqrt(most)
    near = np.clip(near, 0.0, far)  # a mean that is found to differ is not counted twice

    def below(value: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):  # no deviation, one seed, or no seed to come
            return stdtr(n - 1, (value - mean) / scale)

    return 1 - below(far) + below(-far) + below(near) - below(-near)


def chance_of_decision(pairs: Sequence[Pair], rule: Rule, level: float, most: int) -> float:
    """The chance that going on from these pairs to `most` seeds decides, at any look, at the verdict's level.

    Draws further normal differences from their predictive distribution and judges each draw by the rule. The prior of
    the standardised effect is normal around 0 with variance 1 / PRIOR. The same pairs give the same chance.
    """
    n = len(pairs)
    if n < 2:
        return math.nan
    seen = estimates.seen(pairs, rule.higher_is_better, rule.resolution, rule.margin)
    past = np.broadcast_to(estimates.differences(pairs, rule.higher_is_better, rule.resolution), (DRAWS, n))
    further = further_differences(n, seen.mean[-1], seen.deviation[-1], (DRAWS, most - n))
    drawn = estimates.moments(np.hstack([past, further]), rule.resolution, rule.margin)
    low, high = estimates.interval(drawn, critical_values(level, rule.least, most, rule.horizon)[1:])
    decided = estimates.excludes_0(low, high) | estimates.inside(low, high, rule.margin)
    return float(decided[:, n:].any(axis=1).mean())


def further_differences(n: int, mean: float, deviation: float, shape: tuple[int, int]) -> Any:
    """Draws of the differences to come after n, one row each with a mean and deviation that it may have."""
    rng = np.random.default_rng(0)
    deviations = deviation * np.sqrt((n - 1) / rng.chisquare(n - 1, (shape[0], 1)))
    return rng.normal(rng.normal(mean * n / (n + PRIOR), deviations / math.sqrt(n + PRIOR)), deviations, shape)
