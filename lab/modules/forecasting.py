"""Forecasting: a window of the past to the next steps of its first channels."""

from typing import Any

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric

from lab.data.batches import Batch
from lab.data.scaling import Scale
from lab.modules.regression import RegressionModule
from lab.modules.scores import SkillScore


class ForecastingModule(RegressionModule):
    """MAE and RMSE in the series' own units, and the skill against the last-value forecast.

    The trivial baseline says that the last value stays. The first `targets` channels are forecast.
    """

    def __init__(self, target_scale: Scale, targets: int = 1, **task: Any):
        super().__init__(target_scale, **task)
        self.targets = targets

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, targets · horizon)."""
        return {"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False), "skill": SkillScore()}

    def scored(self, predictions: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions, targets, and the last-value forecast that the skill is measured against."""
        return super().scored(predictions, batch) | {"reference": self.trivial_predictions(batch)}

    def trivial_predictions(self, batch: Batch) -> Tensor:
        """The last value of each target, for every step of the horizon, (N, targets · horizon)."""
        x, y = batch
        last = x[:, : self.targets, -1:]
        return self.output(last.expand(-1, -1, y.shape[1] // self.targets).flatten(1))
