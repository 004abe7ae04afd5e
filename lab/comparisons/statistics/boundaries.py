"""Critical values for looking after every seed: how large t must be, so that all looks together err at most at alpha.

Group-sequential testing with an error-spending function (Lan & DeMets 1983). `critical_values` is what verdicts.py
uses; below it stand the spending function and the recursive integration of Armitage, McPherson & Rowe (1969) that
turns spent error into critical values (Jennison & Turnbull 2000, chapters 7 and 19).

The critical value after n seeds depends on the error rate, the first look, the horizon and n alone, never on how many
seeds were planned. More seeds later are therefore valid: looks already taken keep their critical values.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HORIZON = 30  # seeds by which nearly all of the error rate is spent, unless a comparison says otherwise
POWER = 3  # of the spending function up to the horizon; 1 is close to Pocock (1977), 3 to O'Brien & Fleming (1979)
SPENT = 1.15  # × alpha, spent by the horizon; may exceed 1 because the allowance for skewness gives some back
SPENT_IN_THE_END = 1.3  # × alpha, after infinitely many seeds
NODES = 64  # of the Gauss-Legendre rule at each look; 40 already give nine digits

Array = NDArray[np.float64]


@functools.lru_cache(maxsize=256)
def critical_values(alpha: float, least: int, most: int, horizon: int = HORIZON) -> Array:
    """The two-sided critical value of the paired t statistic after 0, 1, ..., `most` seeds; infinite before `least`.

    Each look's normal critical value is carried over to t with n − 1 degrees of freedom at equal nominal p (the
    significance-level approach, Jennison & Turnbull 2000, section 3.8). By simulation the error rate of normal
    differences is then 0.98 to 1.02 of what is spent.
    """
    from scipy.special import ndtr, stdtrit

    values = np.full(most + 1, np.inf)
    if most >= least:
        looks = np.arange(least, most + 1)
        spent = np.array([spending(int(n), alpha, max(horizon, least)) for n in looks])
        values[least:] = -stdtrit(looks - 1, ndtr(-normal_boundaries(looks, np.diff(spent, prepend=0.0))))
    values.setflags(write=False)
    return values


@functools.lru_cache(maxsize=256)
def last_critical_value(alpha: float, least: int, n: int, horizon: int = HORIZON) -> float:
    """The critical value at n, were it the last look and all that may be spent by the horizon spent at it.

    For the interval of an arm that is given up at n.
    """
    from scipy.special import ndtr, stdtrit

    looks = np.arange(least, n + 1)
    spent = np.array([spending(int(look), alpha, max(horizon, least)) for look in looks])
    spent[-1] = max(spent[-1], SPENT * alpha)
    return float(-stdtrit(n - 1, ndtr(-normal_boundaries(looks, np.diff(spent, prepend=0.0))[-1])))


def spending(n: int, alpha: float, horizon: int = HORIZON) -> float:
    """The two-sided error rate spent by n seeds: the power family of Kim & DeMets (1987), then a reserve."""
    if n <= horizon:
        return SPENT * alpha * (n / horizon) ** POWER
    return alpha * (SPENT_IN_THE_END - (SPENT_IN_THE_END - SPENT) * (horizon / n) ** 2)


def normal_boundaries(looks: Sequence[int] | NDArray[Any], errors: Sequence[float] | Array) -> Array:
    """The |z| at each look that spends exactly its error where the mean is 0 and the variance is known.

    `looks` are sample sizes, `errors` two-sided probabilities of the first crossing at each look.
    """
    sums = _Sums()
    return np.array([sums.advance(int(n), error=float(error)) for n, error in zip(looks, errors, strict=True)])


def crossing_probabilities(looks: Sequence[int] | NDArray[Any], boundaries: Sequence[float] | Array) -> Array:
    """The probability of the first crossing of ±boundary at each look, where the mean is 0."""
    sums = _Sums()
    found = []
    for n, boundary in zip(looks, boundaries, strict=True):
        found.append(sums.crossing(int(n), float(boundary)))
        sums.advance(int(n), boundary=float(boundary))
    return np.array(found)


class _Sums:
    """The density of the sum of n standard normal differences that has not crossed yet, on Gauss-Legendre nodes."""

    def __init__(self) -> None:
        self._unit, self._unit_weights = np.polynomial.legendre.leggauss(NODES)
        self._n = 0
        self._nodes = np.zeros(1)
        self._mass = np.ones(1)  # density × weight at each node; before the first look all mass is at 0

    def advance(self, n: int, error: float | None = None, boundary: float | None = None) -> float:
        """Go on to n, keeping what is within the boundary, which is solved for where an error is given."""
        if boundary is None:
            boundary = self._solve(n, error or 0.0)
        limit = min(boundary, 9.0) * np.sqrt(n)
        nodes = limit * self._unit
        step = np.sqrt(n - self._n)
        density = np.exp(-(((nodes[:, None] - self._nodes) / step) ** 2) / 2) @ self._mass / (step * np.sqrt(2 * np.pi))
        self._n, self._nodes, self._mass = n, nodes, density * limit * self._unit_weights
        return boundary

    def crossing(self, n: int, boundary: float) -> float:
        """The probability that |z| at n is beyond the boundary, not having crossed before."""
        from scipy.special import ndtr

        step = np.sqrt(n - self._n)
        return float(2 * self._mass @ ndtr((self._nodes - boundary * np.sqrt(n)) / step))

    def _solve(self, n: int, error: float) -> float:
        """The boundary that is crossed with that probability, by bisection."""
        low, high = 0.0, 12.0
        for _ in range(45):
            middle = (low + high) / 2
            low, high = (middle, high) if self.crossing(n, middle) > error else (low, middle)
        return (low + high) / 2
