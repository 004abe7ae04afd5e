"""Metrics of values (regression, forecasting), right under any shift and scale: they add up in double precision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric

from lab.modules.metrics import weighted_metrics
from lab.modules.metrics.own_metrics import Wrapped

ALL = slice(None)


class R2Score(Metric):
    """1 − residual / total sum of squares, the mean over the targets (scikit-learn's `r2_score`, also with weights).

    For a target that is constant: 1 where it is predicted exactly, else 0. NaN below two samples with weight.
    """

    higher_is_better = True
    sums: Tensor
    squares: Tensor
    residuals: Tensor
    lowest: Tensor
    highest: Tensor
    weights: Tensor
    samples: Tensor

    def __init__(self, targets: int = 1):
        super().__init__()
        zeros = torch.zeros(targets, dtype=torch.float64)
        for name in ("sums", "squares", "residuals"):
            self.add_state(name, zeros.clone(), dist_reduce_fx="sum")
        self.add_state("lowest", zeros + torch.inf, dist_reduce_fx="min")
        self.add_state("highest", zeros - torch.inf, dist_reduce_fx="max")
        self.add_state("weights", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Standardised predictions and targets (N, targets), weights (N,): sums of squares of other values may cancel.

        The targets of samples without weight count for nothing, also not for whether a target is constant.
        """
        if weight is None:
            weight = target.new_ones(len(target))
        elif not bool((weight > 0).all()):
            preds, target, weight = preds[weight > 0], target[weight > 0], weight[weight > 0]
        if not len(target):
            return
        weight = weight.double()[:, None]
        self.sums += (weight * target).sum(0)
        self.squares += (weight * target.square()).sum(0)
        self.residuals += (weight * (target - preds).square()).sum(0)
        self.lowest = torch.minimum(self.lowest, target.amin(0))
        self.highest = torch.maximum(self.highest, target.amax(0))
        self.weights += weight.sum()
        self.samples += len(target)

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        if self.samples < 2:
            return self.sums.new_tensor(torch.nan)
        total = self.squares - self.sums.square() / self.weights
        exact = torch.where(self.residuals == 0, 1.0, 0.0).double()
        return torch.where(self.lowest == self.highest, exact, 1 - self.residuals / total).mean()


class SkillScore(Metric):
    """1 − MSE(model) / MSE(reference forecast): 1 is perfect, 0 no better than the reference (Murphy 1988).

    NaN where the reference makes no error.
    """

    higher_is_better = True
    squared: Tensor
    reference_squared: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("squared", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("reference_squared", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, reference: Tensor) -> None:
        """Predictions, targets and reference forecast, all (N, horizon)."""
        self.squared += (preds - target).square().sum()
        self.reference_squared += (reference - target).square().sum()

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        score = 1 - self.squared / self.reference_squared
        return torch.where(self.reference_squared == 0, torch.nan, score)


class OnColumns(Wrapped):
    """A metric on some columns of values (N, T), in their own units or standardised.

    `takes` names the arguments of the metric's update. Standardised values come under the same names behind `scaled_`.
    A `weighted` metric takes the weights of the samples too.
    """

    def __init__(
        self,
        metric: Metric,
        columns: slice,
        scaled: bool,
        takes: Sequence[str] = ("preds", "target"),
        weighted: bool = False,
    ):
        super().__init__(metric.set_dtype(torch.float64))
        self.columns = columns
        self.sources = {name: f"scaled_{name}" if scaled else name for name in takes}
        self.weighted = weighted

    def update(self, **values: Tensor) -> None:
        """Values (N, T) of some samples."""
        chosen = {name: values[source][:, self.columns].contiguous() for name, source in self.sources.items()}
        if self.weighted:
            chosen["weight"] = values["weight"]
        self.metric.update(**chosen)  # torchmetrics needs contiguous values


@dataclass(frozen=True)
class Errors:
    """How errors are measured: constructors of a mean absolute error, of a root of a mean square, and of R²."""

    mae: Callable[[], Metric]
    rmse: Callable[[], Metric]
    r2: Callable[[int], Metric]
    weighted: bool = False


PLAIN = Errors(MeanAbsoluteError, partial(MeanSquaredError, squared=False), R2Score)
WEIGHTED = Errors(weighted_metrics.MeanError, partial(weighted_metrics.MeanError, squared=True), R2Score, weighted=True)


def regression(columns: dict[str, slice], errors: Errors = PLAIN) -> dict[str, Metric]:
    """MAE, RMSE and R² of targets, each with its columns of (N, T)."""

    def r2(columns: slice, targets: int = 1) -> Metric:
        return OnColumns(errors.r2(targets), columns, scaled=True, weighted=errors.weighted)

    single = {name: r2(part) for name, part in columns.items()}
    return _with_errors(columns, "r2", r2(ALL, len(columns)), single, errors)


def forecasting(columns: dict[str, slice]) -> dict[str, Metric]:
    """MAE, RMSE and skill of targets, each with its columns of (N, T)."""
    single = {name: _skill(part) for name, part in columns.items()}
    return _with_errors(columns, "skill", _skill(ALL), single, PLAIN)


def _with_errors(
    columns: dict[str, slice], name: str, pooled: Metric, single: dict[str, Metric], errors: Errors
) -> dict[str, Metric]:
    """The metrics of all targets and, where there are several, of each.

    Errors of several targets have no common unit: they are pooled in standard deviations, as `mae_scaled`.
    """

    def measure(metric: Callable[[], Metric], part: slice, scaled: bool = False) -> Metric:
        return OnColumns(metric(), part, scaled, weighted=errors.weighted)

    if len(columns) == 1:
        return {"mae": measure(errors.mae, ALL), "rmse": measure(errors.rmse, ALL), name: pooled}
    metrics = {
        "mae_scaled": measure(errors.mae, ALL, scaled=True),
        "rmse_scaled": measure(errors.rmse, ALL, scaled=True),
        name: pooled,
    }
    for target, part in columns.items():
        metrics |= {f"mae_{target}": measure(errors.mae, part), f"rmse_{target}": measure(errors.rmse, part)}
        metrics[f"{name}_{target}"] = single[target]
    return metrics


def _skill(columns: slice) -> Metric:
    return OnColumns(SkillScore(), columns, scaled=True, takes=("preds", "target", "reference"))
