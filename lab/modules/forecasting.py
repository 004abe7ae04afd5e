"""Forecasting: a window of the past to the next steps of its first channel."""

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

from lab.data.batches import Batch
from lab.modules.regression import RegressionModule
from lab.modules.scores import SkillScore


class ForecastingModule(RegressionModule):
    """MAE and RMSE in the series' own units, and the skill against the last-value forecast.

    The trivial baseline says that the last value stays.
    """

    def new_metrics(self) -> MetricCollection:
        """Fresh metrics, on values (N, horizon)."""
        return MetricCollection(
            {"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False), "skill": SkillScore()},
            compute_groups=False,
        )

    def scored(self, predictions: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions, targets, and the last-value forecast that the skill is measured against."""
        return super().scored(predictions, batch) | {"reference": self.trivial_predictions(batch)}

    def trivial_predictions(self, batch: Batch) -> Tensor:
        """The last value of the first channel, for every step of the horizon, (N, horizon)."""
        x, y = batch
        return self.output(x[:, 0, -1:].expand_as(y))
