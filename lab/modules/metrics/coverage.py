"""Metrics of predicted quantiles and intervals: how often they hold the truth, how wide they are, and their loss.

In double precision. Samples may have weights (N,).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lab.modules.metrics.own_metrics import Wrapped

ALL = slice(None)
ENDS = ("lower", "upper", "target")
LEVEL = 0.95  # of the interval of a coverage


class WeightedMean(Metric):
    """The mean over samples of a number that a subclass gives for each of them."""

    total: Tensor
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "weights"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def add(self, values: Tensor, weight: Tensor | None) -> None:
        """Numbers (N, T), of which each sample's mean counts."""
        weight = torch.ones(len(values), device=values.device) if weight is None else weight
        self.total += (values.double().mean(1) * weight).sum()
        self.weights += weight.double().sum()

    def compute(self) -> Tensor:
        """The mean over all samples seen."""
        return self.total / self.weights


class Coverage(WeightedMean):
    """The share of true values (N, T) within [lower, upper]; neither more nor less is better than what is nominal."""

    higher_is_better = None

    def update(self, lower: Tensor, upper: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Bounds and true values (N, T) of some samples."""
        self.add(((lower <= target) & (target <= upper)).double(), weight)


class Width(WeightedMean):
    """The mean of upper − lower; narrower is better only at the same coverage."""

    higher_is_better = None

    def update(self, lower: Tensor, upper: Tensor, weight: Tensor | None = None) -> None:
        """Bounds (N, T) of some samples."""
        self.add(upper - lower, weight)


class Pinball(WeightedMean):
    """The mean pinball loss over levels and targets (scikit-learn's `mean_pinball_loss`, the mean over the levels)."""

    higher_is_better = False

    def __init__(self, levels: Sequence[float]):
        super().__init__()
        self.levels = torch.tensor(levels, dtype=torch.float64)

    def update(self, quantiles: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Quantiles (N, levels, T) and true values (N, T) of some samples."""
        losses = pinball(quantiles.double(), target.double(), self.levels.to(quantiles.device))
        self.add(losses.mean(1), weight)


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """max(q·e, (q − 1)·e) of errors e = y − prediction: (N, levels, T), (N, T) and (levels,) to (N, levels, T).

    Koenker & Bassett (1978).
    """
    error = target.unsqueeze(1) - quantiles
    return torch.maximum(levels[:, None] * error, (levels[:, None] - 1) * error)


class OnTargets(Wrapped):
    """A metric on some of the targets: what it takes under its arguments' names, and the last dimension's columns."""

    def __init__(self, metric: Metric, columns: slice, sources: Mapping[str, str]):
        super().__init__(metric.set_dtype(torch.float64))
        self.columns = columns
        self.sources = sources

    def update(self, **values: Tensor) -> None:
        """All that was scored of some samples."""
        chosen = {name: values[source][..., self.columns] for name, source in self.sources.items()}
        self.metric.update(**chosen, weight=values.get("weight"))


def of_interval(columns: dict[str, slice], prefix: str = "", of: tuple[str, str] = ("low", "high")) -> dict[str, Any]:
    """Coverage and width of an interval of all targets and, where there are several, of each; `of` names its ends.

    The widths of several targets have no common unit: they are pooled in standard deviations.
    """
    low, high = of
    ends = {"lower": low, "upper": high}
    metrics = {f"{prefix}coverage": OnTargets(Coverage(), ALL, ends | {"target": "target"})}
    if len(columns) == 1:
        return metrics | {f"{prefix}width": OnTargets(Width(), ALL, ends)}
    scaled = {"lower": f"scaled_{low}", "upper": f"scaled_{high}"}
    metrics[f"{prefix}width_scaled"] = OnTargets(Width(), ALL, scaled)
    for name, part in columns.items():
        metrics[f"{prefix}coverage_{name}"] = OnTargets(Coverage(), part, ends | {"target": "target"})
        metrics[f"{prefix}width_{name}"] = OnTargets(Width(), part, ends)
    return metrics


def of_quantiles(columns: dict[str, slice], levels: Sequence[float]) -> dict[str, Any]:
    """Coverage and width of the outer interval, and the pinball loss over all levels."""
    own, scaled = ({"quantiles": f"{before}quantiles", "target": f"{before}target"} for before in ("", "scaled_"))
    if len(columns) == 1:
        return of_interval(columns) | {"pinball": OnTargets(Pinball(levels), ALL, own)}
    single = {f"pinball_{name}": OnTargets(Pinball(levels), part, own) for name, part in columns.items()}
    return of_interval(columns) | {"pinball_scaled": OnTargets(Pinball(levels), ALL, scaled)} | single


def binomial_intervals(metrics: MetricCollection, scored: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """The interval of each coverage of a single column, by full name, from what was scored of the test split."""
    found = {}
    for name, metric in metrics.items():
        if isinstance(metric, OnTargets) and isinstance(metric.metric, Coverage):
            lower, upper, target = (scored[metric.sources[end]][..., metric.columns] for end in ENDS)
            if target.shape[1] == 1:
                inside = (lower <= target) & (target <= upper)
                found[f"test/{name}"] = binomial_interval(int(inside.sum()), len(target))
    return found


def binomial_interval(hits: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share of independent samples, `hits` of `count` (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 1 - tail))
    return low, high
