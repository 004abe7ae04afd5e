"""Quantile regression and forecasts: the network predicts several quantiles of each target.

The outputs are (N, levels · targets), all targets of the lowest level first. Quantiles that cross are sorted where they
are predicted and scored (Chernozhukov, Fernández-Val & Galichon 2010); the loss takes the outputs as they are.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.config.types import Fraction
from lab.data.base import DataModule
from lab.data.loaders import Batch
from lab.data.preparation import Scale
from lab.errors import LabError
from lab.modules.metrics import coverage
from lab.modules.metrics.coverage import pinball
from lab.modules.tasks.regression import ForecastingModule, RegressionModule

MEDIAN = 0.5
RULE = "loss.levels: give ascending numbers between 0 and 1 with 0.5, and at least one on either side of it"


class QuantileLoss(nn.Module):
    """The mean pinball loss over samples, levels and targets (Koenker & Bassett 1978)."""

    levels_of_loss: Tensor

    def __init__(self, levels: Sequence[float], reduction: str = "mean"):
        super().__init__()
        self.levels = tuple(levels)
        self.reduction = reduction
        self.register_buffer("levels_of_loss", torch.tensor(self.levels), persistent=False)

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Outputs (N, levels · T) and targets (N, T) to (); without reduction to (N, levels, T)."""
        losses = pinball(by_level(outputs, len(self.levels)), target, self.levels_of_loss)
        return losses if self.reduction == "none" else losses.mean()


def quantile(levels: list[Fraction] | tuple[Fraction, ...] = (0.1, 0.5, 0.9)) -> nn.Module:
    """Pinball loss: the network predicts these quantiles of each target, the median among them; in between lie bands.

    `mae`, `rmse` and the like are measured from the median.
    """
    lower, upper = any(level < MEDIAN for level in levels), any(level > MEDIAN for level in levels)
    ascending = all(first < second for first, second in itertools.pairwise(levels))
    if not (ascending and MEDIAN in levels and lower and upper):
        raise LabError(RULE)
    return QuantileLoss(levels)


def by_level(outputs: Tensor, levels: int) -> Tensor:
    """(N, levels · T) as (N, levels, T)."""
    return outputs.unflatten(1, (levels, -1))


class _Quantiles(RegressionModule):
    """What both tasks with quantiles share; comes before the module of the task.

    The trivial baseline adds the training quantiles of its own errors to its prediction.
    """

    def __init__(self, levels: Sequence[float], **task: Any):
        super().__init__(**task)
        self.levels = tuple(levels)
        self.median = self.levels.index(MEDIAN)
        self.trivial_quantiles = torch.zeros(len(self.levels), len(self.target_scale.mean))

    def fit_trivial(self, batches: Iterable[Batch]) -> None:
        """Measure the quantiles (levels, T) of the trivial baseline's errors on the training split.

        Interpolated, as in scikit-learn's DummyRegressor; with weights, the values at which their sum gets there.
        """
        parts = [(batch[1] - super(_Quantiles, self).trivial_outputs(batch), *batch[2:]) for batch in batches]
        errors, *weights = (torch.cat(each).double().numpy() for each in zip(*parts, strict=True))
        if weights:
            columns = [
                np.quantile(column, self.levels, weights=weights[0], method="inverted_cdf") for column in errors.T
            ]
            found = np.stack(columns, axis=1)
        else:
            found = np.quantile(errors, self.levels, axis=0)
        self.trivial_quantiles = torch.from_numpy(found).float()

    def trivial_outputs(self, batch: Batch) -> Tensor:
        """As a network would give them, (N, levels · T)."""
        quantiles = self.trivial_quantiles.to(batch[1].device)
        return (super().trivial_outputs(batch).unsqueeze(1) + quantiles).flatten(1)

    def task_metrics(self) -> dict[str, Any]:
        """Those of the median, and of the quantiles."""
        return super().task_metrics() | coverage.of_quantiles(self.columns, self.levels)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """As the task scores the median; and the quantiles (N, levels, T), `low` and `high` their outer ones."""
        scaled = by_level(outputs.double(), len(self.levels)).sort(dim=1).values
        own = self.predictions(scaled)
        ends = {"low": own[:, 0], "high": own[:, -1], "scaled_low": scaled[:, 0], "scaled_high": scaled[:, -1]}
        of_median = super().scored(scaled[:, self.median], batch)
        return of_median | ends | {"quantiles": own, "scaled_quantiles": scaled} | self.interval(of_median | ends)

    def bands(self) -> list[str]:
        """A column of predictions for each level, and the interval."""
        return [f"quantile {level:g}" for level in self.levels] + super().bands()

    def output(self) -> nn.Module:
        """Raw outputs to the median, the quantiles and the interval, in the target's own units."""
        return UnscaledQuantiles(self.target_scale, len(self.levels), self.median, self.interval_margins())


class QuantileRegression(_Quantiles):
    """Quantiles of values; the trivial baseline says the quantiles of the training targets."""

    trivial_name = "training quantiles"


class QuantileForecasting(_Quantiles, ForecastingModule):
    """Quantiles of the next steps; the trivial baseline adds the quantiles of its training errors to its forecast."""

    def __init__(self, **task: Any):
        super().__init__(**task)
        self.trivial_name = f"{self.trivial_name} with its error quantiles"


def module_of(data: DataModule, levels: Sequence[float], task: Mapping[str, Any]) -> RegressionModule:
    """The LightningModule of a regression or a forecast: of its values or, with levels, of their quantiles."""
    assert data.target_scale is not None, "given by every data module with values to predict"
    forecast = data.task == "forecasting"
    given = {"target_scale": data.target_scale, **task, **({"season": data.baseline_season} if forecast else {})}
    if not levels:
        return ForecastingModule(**given) if forecast else RegressionModule(**given)
    made = (QuantileForecasting if forecast else QuantileRegression)(levels=levels, **given)
    made.fit_trivial(data.loader("train"))
    return made


class UnscaledQuantiles(nn.Module):
    """Raw outputs (N, levels · T) to values (N, K · T) in the target's own units: the median, then each level.

    With `margins` (T,) the ends of an interval follow: the outer levels, wider by the margins.
    """

    mean: Tensor
    std: Tensor
    margins: Tensor

    def __init__(self, scale: Scale, levels: int, median: int, margins: Tensor | None):
        super().__init__()
        self.levels = levels
        self.median = median
        self.has_interval = margins is not None
        self.register_buffer("mean", scale.mean, persistent=False)
        self.register_buffer("std", scale.std, persistent=False)
        self.register_buffer("margins", torch.zeros(1) if margins is None else margins.float(), persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """(N, levels · T) to (N, K · T)."""
        values = by_level(outputs, self.levels).sort(dim=1).values * self.std + self.mean
        median = values[:, self.median]
        parts = [median, values.flatten(1)]
        if self.has_interval:
            lower, upper = values[:, 0] - self.margins, values[:, -1] + self.margins
            parts += [torch.minimum(lower, median), torch.maximum(upper, median)]
        return torch.cat(parts, dim=1)
