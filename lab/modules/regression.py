"""Regression: one or several values per sample."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score

from lab.data.batches import Batch
from lab.data.scaling import Scale
from lab.modules.task import TaskModule


class RegressionModule(TaskModule):
    """MAE and RMSE in the target's own units, and R².

    The architecture learns standardised targets; the loss is measured on those. The trivial baseline says
    the mean of the training targets.
    """

    def __init__(self, target_scale: Scale, **task: Any):
        super().__init__(**task)
        self.output = Unscale(target_scale)

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, T)."""
        return {"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False), "r2": R2Score()}

    def target(self, batch: Batch) -> Tensor:
        """The true values in their own units, (N, T)."""
        return self.output(batch[1])

    def trivial_predictions(self, batch: Batch) -> Tensor:
        """The mean of the training targets, (N, T)."""
        return self.output(torch.zeros_like(batch[1]))


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
