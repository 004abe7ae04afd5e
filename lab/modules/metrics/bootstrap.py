"""Intervals of test metrics: how much a metric would differ on another test set of the same size.

The bootstrap of Efron (1979), percentiles. What another seed of the training would change is not in them.
"""

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric, MetricCollection

LEVEL = 0.95
RESAMPLES = 300
LEAST_RESAMPLES = 60
MOST_ROWS = 2_000_000  # in all resamples together
MOST_SECONDS = 2.0  # of computing, not of waiting, for one metric; a slower one gets no interval
LEAST_BLOCKS = 5
USABLE = 0.9  # share of the resamples that must give a finite value

Interval = tuple[float, float]  # lower and upper end


def intervals(metrics: MetricCollection, scored: Mapping[str, Tensor], block: int = 1) -> dict[str, Interval]:
    """The 95 % interval of each metric, from what it takes of every test sample (N, ...).

    Neighbouring windows of a series are alike: they are drawn in blocks of `block` (Künsch 1989). A metric without an
    interval, because it fails or is NaN on many resamples, or is the same on all of them, is left out.
    """
    rows = len(next(iter(scored.values())))
    found = {
        str(name): interval_of(_measured_by(str(name), metric, scored), rows, block) for name, metric in metrics.items()
    }
    return {name: ends for name, ends in found.items() if ends is not None}


def interval_of(measure: Callable[[Tensor], float], rows: int, block: int = 1) -> Interval | None:
    """As `intervals`, of anything that is measured of the samples with some numbers (rows,); None for no interval."""
    if rows < LEAST_BLOCKS * block:
        return None
    values, deadline = [], time.thread_time() + MOST_SECONDS
    for numbers in torch.from_numpy(_resamples(rows, min(block, rows))):
        try:
            values.append(measure(numbers))
        except Exception:  # whatever a person's own metric raises, for a resample without one of the classes
            return None
        if time.thread_time() > deadline:
            return None
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < USABLE * len(values) or math.isclose(min(finite), max(finite), rel_tol=1e-6):
        return None
    low, high = np.quantile(finite, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _resamples(rows: int, block: int) -> NDArray[np.int64]:
    """Indices of rows (resamples, rows), the same for the same number of rows."""
    count = int(np.clip(MOST_ROWS // rows, LEAST_RESAMPLES, RESAMPLES))
    starts = np.random.default_rng(0).integers(rows, size=(count, math.ceil(rows / block)))
    return ((starts[:, :, None] + np.arange(block)) % rows).reshape(count, -1)[:, :rows]


def _measured_by(name: str, metric: Metric, scored: Mapping[str, Tensor]) -> Callable[[Tensor], float]:
    """The metric of the samples with some numbers."""
    single = MetricCollection({name: metric}, compute_groups=False)  # it hands a metric what it takes

    def measure(numbers: Tensor) -> float:
        single.reset()
        rows = numbers.to(next(iter(scored.values())).device)
        single.update(**{key: part[rows] for key, part in scored.items()})
        return float(single.compute()[name])

    return measure
