"""The arithmetic of verdicts. Pure functions; nothing here trains, draws or stores.

The test is the anytime-valid t-test of Wang & Ramdas 2023 (arXiv 2310.03722): an e-value that may be looked at
after every replicate, and its inversion, a confidence sequence that holds at all looks at once.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PRECISION = 1.0  # g: precision of the Gaussian prior on the standardised effect
MOST_SEEDS_ESTIMATED = 100_000

State = Literal["better", "worse", "practically equal", "undecided"]


@dataclass(frozen=True)
class Differences:
    """What is needed of n paired differences: their number, mean and sample standard deviation."""

    n: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class Verdict:
    """What n paired differences (arm minus control) say; [low, high] is the confidence sequence at n."""

    state: State
    n: int
    mean: float
    deviation: float
    low: float
    high: float
    e_value: float
    superiority: float  # share of pairs in which the arm did better, ties half: P(A > B)

    @property
    def decided(self) -> bool:
        """Whether the comparison of this arm is over."""
        return self.state != "undecided"


def summary(differences: Sequence[float]) -> Differences:
    """Number, mean and sample standard deviation; the deviation of a single one is infinite."""
    n = len(differences)
    mean = statistics.fmean(differences) if n else math.nan
    return Differences(n, mean, statistics.stdev(differences) if n > 1 else math.inf)


def log_e_value(d: Differences, g: float = PRECISION) -> float:
    """The logarithm of the evidence against a mean difference of 0 (Wang & Ramdas 2023, Gaussian prior).

    At most log(1/α) with probability 1 − α at all n together, where the true mean is 0. Differences that are
    all the same have an infinite t, or one of 0 where they all are 0.
    """
    if d.n < 2:
        return 0.0
    shrunk = g / (d.n + g)
    nu = d.n - 1
    if d.deviation == 0:
        ratio = -math.log(shrunk) if d.mean else 0.0
    else:
        t_squared = d.n * (d.mean / d.deviation) ** 2
        ratio = math.log1p(t_squared / nu) - math.log1p(t_squared * shrunk / nu)
    return 0.5 * math.log(shrunk) + (nu + 1) / 2 * ratio


def confidence_sequence(d: Differences, alpha: float, g: float = PRECISION) -> tuple[float, float]:
    """The means that the e-value does not reject at 1/alpha: they hold the true one at all n together.

    Infinite while n is too small for any evidence to suffice.
    """
    if d.n < 2:
        return -math.inf, math.inf
    shrunk = g / (d.n + g)
    k = (math.sqrt(1 / shrunk) / alpha) ** (2 / d.n)
    if shrunk * k >= 1:
        return -math.inf, math.inf
    nu = d.n - 1
    half = d.deviation / math.sqrt(d.n) * math.sqrt(nu * (k - 1) / (1 - shrunk * k))
    return d.mean - half, d.mean + half


def superiority(differences: Sequence[float], higher_is_better: bool) -> float:
    """The share of pairs in which the arm did better, ties counted half (Bouthillier et al. 2021)."""
    sign = 1 if higher_is_better else -1
    wins = sum(1.0 if sign * difference > 0 else 0.5 if difference == 0 else 0.0 for difference in differences)
    return wins / len(differences) if differences else math.nan


def judge(differences: Sequence[float], higher_is_better: bool, margin: float, alpha: float) -> Verdict:
    """The verdict on an arm from its paired differences so far; `alpha` is already divided among the arms."""
    d = summary(differences)
    low, high = confidence_sequence(d, alpha)
    e_value = math.exp(min(log_e_value(d), 700.0))
    share = superiority(differences, higher_is_better)
    return Verdict(state_of(low, high, higher_is_better, margin), d.n, d.mean, d.deviation, low, high, e_value, share)


def state_of(low: float, high: float, higher_is_better: bool, margin: float) -> State:
    """What an interval of the difference says."""
    if low > 0 or high < 0:
        return "better" if (low > 0) == higher_is_better else "worse"
    if -margin < low and high < margin:
        return "practically equal"
    return "undecided"


def first_decision(
    differences: Sequence[float], higher_is_better: bool, margin: float, alpha: float, least: int
) -> Verdict:
    """The verdict at the first look, from `least` pairs on, that decides; else that on all pairs.

    A function of the differences in their order alone: a comparison that was interrupted, or trained further
    than its decision, gives the same verdict.
    """
    for n in range(least, len(differences) + 1):
        verdict = judge(differences[:n], higher_is_better, margin, alpha)
        if verdict.decided:
            return verdict
    return judge(differences, higher_is_better, margin, alpha)


def seeds_needed(verdict: Verdict, margin: float, alpha: float) -> int | None:
    """About how many seeds in all would decide, were mean and deviation to stay; None for more than can be run."""
    if verdict.n < 2:
        return None
    n = verdict.n + 1
    while n <= MOST_SEEDS_ESTIMATED:
        low, high = confidence_sequence(Differences(n, verdict.mean, verdict.deviation), alpha)
        if low > 0 or high < 0 or (-margin < low and high < margin):
            return n
        n = math.ceil(n * 1.02)
    return None


def welch(arm: Sequence[float], control: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Difference of means of unpaired samples with Welch's interval (1947): for a fixed number of runs, one look."""
    from scipy import stats

    found = stats.ttest_ind(arm, control, equal_var=False).confidence_interval(1 - alpha)
    return statistics.fmean(arm) - statistics.fmean(control), float(found.low), float(found.high)
