"""What paired scores say of the difference between an arm and its control: mean, interval, shares.

Pure functions. `differences` turns scores and failures into numbers, `moments` sums them up after every seed, and
`interval` puts an interval around their mean for a critical value from boundaries.py. Below them stand the intervals
for a number of runs that was fixed beforehand, and the shares of wins and failures.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL_EQUAL = 1e-4  # a deviation below this share of the largest difference is rounding, not variance

Pair = tuple[float | None, float | None]  # the scores of arm and control on one seed; None where training failed
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of differences, after each seed along the last axis."""

    n: Array
    mean: Array
    deviation: Array  # sample standard deviation, with its floor; infinite for a single difference
    skewness: Array  # the adjusted Fisher-Pearson coefficient G1; 0 below three differences


def differences(pairs: Sequence[Pair], higher_is_better: bool, resolution: float = 0.0) -> Array:
    """Arm minus control on each seed, a failure counting as the worst outcome of its pair.

    Where one of the two failed, it is taken to have lost by the largest difference between the two on any seed so
    far, or by as much as the worst score of either so far is below its partner, whichever is more; where both failed,
    they tie. So an arm that fails on half of the seeds more than its control has a mean that is no better than 0.
    """
    sign = 1.0 if higher_is_better else -1.0
    scores = [sign * score for pair in pairs for score in pair if score is not None]
    whole = [abs(arm - control) for arm, control in pairs if arm is not None and control is not None]
    spread = max(scores) - min(scores) if scores else 0.0
    least = max(whole) if whole else spread or resolution or 1.0

    def difference(arm: float | None, control: float | None) -> float:
        if arm is not None and control is not None:
            return arm - control
        if arm is not None:
            return sign * max(least, sign * arm - min(scores))
        return -sign * max(least, sign * control - min(scores)) if control is not None else 0.0

    return np.array([difference(*pair) for pair in pairs])


def first_unknown(pairs: Sequence[Pair], limit: float) -> float:
    """The first n whose pair does not show how near its scores are: one failed, or both are beyond the limit."""

    def unknown(pair: Pair) -> bool:
        return None in pair or all(score is not None and score > limit for score in pair)

    return next((n for n, pair in enumerate(pairs, start=1) if unknown(pair)), math.inf)


def seen(pairs: Sequence[Pair], higher_is_better: bool, resolution: float = 0.0, margin: float = 0.0) -> Moments:
    """The moments after each seed, as they were seen then: later scores do not change what a failure counted."""
    if all(None not in pair for pair in pairs):
        return moments(differences(pairs, higher_is_better), resolution, margin)
    looks = [
        moments(differences(pairs[:n], higher_is_better, resolution), resolution, margin)
        for n in range(1, len(pairs) + 1)
    ]
    return Moments(*np.array([(look.n[-1], look.mean[-1], look.deviation[-1], look.skewness[-1]) for look in looks]).T)


def moments(differences: Array, resolution: float = 0.0, margin: float = 0.0) -> Moments:
    """Mean, deviation and skewness after each seed, along the last axis.

    No variance is not certainty. Scores that move in steps of `resolution` are rounded to them, so the deviation of
    their difference is taken to be at least resolution / √6, that of two uniform rounding errors. Where the step is
    unknown and all differences are the same, it is taken to be as large as they are, or as the margin.
    """
    n = np.arange(1.0, differences.shape[-1] + 1)
    shift = differences[..., :1]  # differences that are all the same then have a variance of exactly 0
    first, second, third = (np.cumsum((differences - shift) ** power, axis=-1) / n for power in (1, 2, 3))
    variance = np.maximum(second - first**2, 0.0)
    cubed = third - 3 * first * second + 2 * first**3
    largest = np.maximum.accumulate(np.abs(differences), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(n > 1, np.sqrt(variance * n / (n - 1)), np.inf)
        flat = deviation <= ALL_EQUAL * largest
        skewness = np.where(flat | (n < 3), 0.0, cubed / variance**1.5 * np.sqrt(n * (n - 1)) / (n - 2))
    step = np.where(flat & (resolution == 0), np.maximum(largest, margin), resolution)
    return Moments(n, first + shift, np.maximum(deviation, step / math.sqrt(6)), skewness)


def interval(moments: Moments, critical: Any) -> tuple[Array, Array]:
    """The repeated confidence interval of the mean after each seed (Jennison & Turnbull 1989).

    Mean ± critical value × deviation / √n, and longer on the side of a long tail. The t statistic of skewed
    differences is itself skewed: a mean too far from the tail is found too often. To first order in 1/√n the critical
    value c on the side of the tail is c + |skewness| / √n × (1 + 2c²) / 6 (Johnson 1978; Hall 1983). Sample skewness
    falls far short of the true one where differences are few, and c is large at early looks: c + |skewness| / √n × c³
    was chosen by simulation. The other side stays as it is.
    """
    tail = moments.skewness / np.sqrt(moments.n)
    scale = moments.deviation / np.sqrt(moments.n)
    known = np.isfinite(critical) & np.isfinite(scale) & (scale > 0)
    c, scale = np.where(known, critical, 0.0), np.where(known, scale, 0.0)
    low = moments.mean - scale * (c + np.maximum(-tail, 0.0) * c**3)
    high = moments.mean + scale * (c + np.maximum(tail, 0.0) * c**3)
    return np.where(known, low, -np.inf), np.where(known, high, np.inf)


def excludes_0(low: Any, high: Any) -> Any:
    """Whether an interval, or each of many, leaves 0 out."""
    return (low > 0) | (high < 0)


def inside(low: Any, high: Any, margin: float) -> Any:
    """Whether an interval, or each of many, lies within ±margin."""
    return (low > -margin) & (high < margin)


def paired_t(n: int, mean: float, deviation: float, alpha: float) -> tuple[float, float]:
    """Student's interval of the mean of n paired differences: for a fixed number of runs, one look."""
    from scipy.special import stdtrit

    if n < 2 or not deviation:
        return -math.inf, math.inf
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * deviation / math.sqrt(n)
    return mean - half, mean + half


def welch(arm: Sequence[float], control: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Difference of means of unpaired samples with Welch's interval (1947): for a fixed number of runs, one look.

    Infinite where neither sample varies: no variance is not certainty.
    """
    from scipy import stats

    difference = statistics.fmean(arm) - statistics.fmean(control)
    if len(set(arm)) == len(set(control)) == 1:
        return difference, -math.inf, math.inf
    found = stats.ttest_ind(arm, control, equal_var=False).confidence_interval(1 - alpha)
    return difference, float(found.low), float(found.high)


def superiority(pairs: Sequence[Pair], higher_is_better: bool) -> float:
    """The share of pairs in which the arm did better, ties counted half (Bouthillier et al. 2021)."""
    sides = np.sign(differences(pairs, higher_is_better)) * (1 if higher_is_better else -1)
    return float((sides + 1).mean() / 2) if len(pairs) else math.nan


def failure_share(failed: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of Clopper & Pearson (1934) for the share of trainings that fail, from `failed` of n.

    Where none or all failed, one end is known and all of alpha goes to the other: 0 of 5 is compatible with 45 %.
    """
    from scipy.special import betaincinv

    if not n:
        return 0.0, 1.0
    tail = alpha / 2 if 0 < failed < n else alpha
    low = float(betaincinv(failed, n - failed + 1, tail)) if failed else 0.0
    high = float(betaincinv(failed + 1, n - failed, 1 - tail)) if failed < n else 1.0
    return low, high


def unseen(n: int, alpha: float = 0.05) -> float:
    """How large a share of seeds may behave in a way that none of n seeds has shown."""
    return failure_share(0, n, alpha)[1]
