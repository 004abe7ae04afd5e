"""The runs that no other beats in both of two things."""

import numpy as np


def front(costs: np.ndarray, scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Whether each point is on the Pareto front of low cost and good score; NaN and infinity never are."""
    values = -scores if higher_is_better else scores
    usable = np.isfinite(costs) & np.isfinite(values)
    found = np.zeros(len(costs), bool)
    best = np.inf
    for place in sorted(np.flatnonzero(usable), key=lambda each: (costs[each], values[each])):
        if values[place] < best:
            found[place] = True
            best = values[place]
    return found
