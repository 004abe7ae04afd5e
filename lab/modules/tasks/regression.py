"""Regression and forecasting: the LightningModules, and values in the target's own units from standardised ones."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lab.data.loaders import Batch
from lab.data.preparation import Scale
from lab.data.time_series import baselines
from lab.modules.metrics import coverage, value_metrics
from lab.modules.metrics.epoch_scores import has_nan
from lab.modules.tasks import conformal
from lab.modules.tasks.task import TaskModule


class RegressionModule(TaskModule):
    """MAE and RMSE in the target's own units, and R².

    The architecture learns standardised targets; the loss is measured on those, and the metrics in double precision.
    `columns` are the targets with their columns of (N, T). The trivial baseline says the mean of the training targets.
    With the level `conformal`, each value gets an interval, whose `margins` (T,) conformal.py measures.
    """

    trivial_name = "training mean"
    main_metric = "r2"
    mixes_targets = True

    def __init__(self, target_scale: Scale, columns: dict[str, slice], conformal: float | None = None, **task: Any):
        super().__init__(**task)
        self.target_scale = target_scale
        self.columns = columns
        self.conformal = conformal
        self.margins = torch.zeros(len(target_scale.mean), dtype=torch.float64)  # until they are measured

    def output(self) -> nn.Module:
        """Raw outputs to values in the target's own units, (N, T), and their intervals."""
        margins = self.interval_margins()
        return Unscale(self.target_scale) if margins is None else conformal.UnscaledInterval(self.target_scale, margins)

    def interval_margins(self) -> Tensor | None:
        """The margins, where there are intervals."""
        return self.margins if self.conformal is not None else None

    def predictions(self, outputs: Tensor) -> Tensor:
        """Values in the target's own units, (N, T)."""
        return self._scale_on(outputs.device).invert(outputs.double())

    def _scale_on(self, device: torch.device) -> Scale:
        scale = self.target_scale
        return Scale(scale.mean.to(device, torch.float64), scale.std.to(device, torch.float64))

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, T)."""
        return value_metrics.regression(self.columns, value_metrics.WEIGHTED if self.weighted else value_metrics.PLAIN)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions and targets, in their own units and, as `scaled_...`, standardised."""
        scaled = {"scaled_preds": outputs.double(), "scaled_target": batch[1].double()}
        found = super().scored(outputs, batch) | scaled
        return found | self.interval(found)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Measure the margins, one for each target and step, on the batches of the validation split."""
        assert self.conformal is not None
        training, found = self.training, []
        self.eval()
        parameter = next(self.parameters())
        for batch in batches:
            moved = tuple(part.to(parameter.device) for part in batch)
            outputs = self(moved[0].to(parameter.dtype))
            found.append(self.conformity(self.scored(outputs, moved)))
        self.train(training)
        self.margins = conformal.margins(torch.cat(found), self.conformal).cpu()

    def interval(self, scored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The `lower` and `upper` ends (N, T) of the intervals, where there are such.

        They go from the prediction, or from the outer quantiles `low` and `high`.
        """
        if self.conformal is None:
            return {}
        preds, margins = scored["preds"], self.margins.to(scored["preds"].device)
        lower = torch.minimum(scored.get("low", preds) - margins, preds)
        upper = torch.maximum(scored.get("high", preds) + margins, preds)
        scale = self._scale_on(preds.device)
        return {
            "lower": lower,
            "upper": upper,
            "scaled_lower": scale.apply(lower),
            "scaled_upper": scale.apply(upper),
        }

    def conformity(self, scored: Mapping[str, Tensor]) -> Tensor:
        """How far outside its prediction, or the outer quantiles, each true value is, (N, T); negative inside."""
        preds, target = scored["preds"], scored["target"]
        return torch.maximum(scored.get("low", preds) - target, target - scored.get("high", preds))

    def test_metrics(self) -> dict[str, Metric]:
        """Coverage and width of the intervals."""
        return {} if self.conformal is None else coverage.of_interval(self.columns, "conformal_", ("lower", "upper"))

    def test_intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """As every task; the coverage of independent samples has the exact interval of a binomial share."""
        found = super().test_intervals(correlated)
        if correlated > 1 or self.weighted or not self.test_outputs:
            return found
        scored = {name: torch.cat([part[name] for part in self.test_outputs]) for name in self.test_outputs[0]}
        if has_nan(scored):
            return found
        return found | coverage.binomial_intervals(self.new_metrics("test").to(self.device), scored)

    def bands(self) -> list[str]:
        """What is predicted beside each value, by the name of its column."""
        return ["lower", "upper"] if self.conformal is not None else []

    def target(self, batch: Batch) -> Tensor:
        """The true values in their own units, (N, T)."""
        return self.predictions(batch[1])

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """The mean of the training targets, or what else `trivial_outputs` gives."""
        return self.scored(self.trivial_outputs(batch), batch)

    def trivial_outputs(self, batch: Batch) -> Tensor:
        """The raw outputs of the trivial baseline, (N, T)."""
        return torch.zeros_like(batch[1])


class Unscale(nn.Module):
    """Standardised values (N, T) to values in the target's own units."""

    mean: Tensor
    std: Tensor

    def __init__(self, scale: Scale):
        super().__init__()
        self.register_buffer("mean", scale.mean, persistent=False)
        self.register_buffer("std", scale.std, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, T) to (N, T)."""
        return values * self.std + self.mean


class ForecastingModule(RegressionModule):
    """MAE and RMSE in the series' own units, and the skill against the trivial forecast.

    That repeats the values of one season ago; with a `season` of one step, the last value. The first `targets`
    channels are forecast.
    """

    main_metric = "skill"

    def __init__(self, target_scale: Scale, columns: dict[str, slice], season: int = baselines.LAST_VALUE, **task: Any):
        super().__init__(target_scale, columns, **task)
        self.season = season
        self.trivial_name = baselines.described(season)

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, targets · horizon)."""
        return value_metrics.forecasting(self.columns)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions, targets, and the trivial forecast that the skill is measured against."""
        return super().scored(outputs, batch) | {"scaled_reference": self.seasonal_forecast(batch).double()}

    def trivial_outputs(self, batch: Batch) -> Tensor:
        """The value of each target one season before."""
        return self.seasonal_forecast(batch)

    def seasonal_forecast(self, batch: Batch) -> Tensor:
        """Standardised, (N, targets · horizon)."""
        x, y = batch[:2]
        targets = len(self.columns)
        return baselines.seasonal(x, targets, y.shape[1] // targets, self.season)
