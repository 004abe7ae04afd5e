"""Many comparisons at once, for the error rates of verdicts."""

import math

import numpy as np

ALPHA = 0.05
MOST = 60


def simulate(draws: np.ndarray, alpha: float = ALPHA, first: int = 3) -> np.ndarray:
    """The n at which each row of draws (simulations, n) is first decided to differ from 0; 0 where never.

    The same formulas as in `lab.comparisons.verdicts`, over whole arrays;
    `test_the_simulation_is_the_code_under_test` holds the two together.
    """
    n = np.arange(1, draws.shape[1] + 1)
    mean = draws.cumsum(1) / n
    variance = (np.square(draws).cumsum(1) - n * mean**2)[:, 1:] / (n[1:] - 1)
    t2 = n[1:] * mean[:, 1:] ** 2 / variance
    nu, shrunk = n[1:] - 1, 1 / (n[1:] + 1)
    log_e = 0.5 * np.log(shrunk) + n[1:] / 2 * (np.log1p(t2 / nu) - np.log1p(t2 * shrunk / nu))
    decided = (log_e >= math.log(1 / alpha)) & (n[1:] >= first)
    return np.where(decided.any(1), decided.argmax(1) + 2, 0)
