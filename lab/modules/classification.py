"""Classification: one logit for two classes, one per class for more."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy, MulticlassF1Score

from lab.data.batches import Batch
from lab.modules.task import TaskModule


class ClassificationModule(TaskModule):
    """Accuracy, macro F1 and (two classes) the area under the ROC curve.

    The trivial baseline says `majority`, the most frequent class of the training split.
    """

    def __init__(self, classes: int, majority: int, **task: Any):
        super().__init__(**task)
        self.classes = classes
        self.majority = majority
        self.output = Probabilities()

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on probabilities (N, classes) and class numbers (N,)."""
        metrics: dict[str, Metric] = {
            "accuracy": MulticlassAccuracy(self.classes, average="micro"),
            "f1": MulticlassF1Score(self.classes, average="macro"),
        }
        if self.classes == 2:
            metrics["auroc"] = SecondClassAUROC()
        return metrics

    def loss_target(self, batch: Batch) -> Tensor:
        """Class numbers (N,); for the single logit of two classes 0.0 and 1.0, (N, 1)."""
        return batch[1].float().unsqueeze(1) if self.classes == 2 else batch[1]

    def target(self, batch: Batch) -> Tensor:
        """Class numbers (N,)."""
        return batch[1]

    def trivial_predictions(self, batch: Batch) -> Tensor:
        """All probability on the most frequent class, (N, classes)."""
        return one_hot(torch.full_like(batch[1], self.majority), self.classes).float()


class SecondClassAUROC(BinaryAUROC):
    """Area under the ROC curve, from probabilities of both classes."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities (N, 2) and class numbers (N,)."""
        super().update(preds[:, 1], target)


class Probabilities(nn.Module):
    """Logits (N, 1) of two classes, or (N, classes), to probabilities (N, classes)."""

    def forward(self, logits: Tensor) -> Tensor:
        """The probability of every class."""
        if logits.shape[1] > 1:
            return logits.softmax(dim=1)
        second = logits.sigmoid()
        return torch.cat([1 - second, second], dim=1)
