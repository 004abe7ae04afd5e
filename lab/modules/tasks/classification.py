"""Classification: the LightningModule, and class probabilities from logits."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from lab.config.types import Threshold
from lab.data.loaders import Batch
from lab.modules.metrics import class_metrics, weighted_metrics
from lab.modules.metrics.class_metrics import Decided, SecondClassAUROC
from lab.modules.sample_weights import weight_of
from lab.modules.tasks.thresholds import ThresholdModule


class ClassificationModule(ThresholdModule):
    """Accuracy, balanced accuracy, macro F1, calibration error and (two classes) the area under the ROC curve.

    The trivial baseline says `majority`, the most frequent class of the training split. The test also has the recall
    of each class in `class_names`. Where the training samples of each class, `counts`, are `imbalanced`, the balanced
    accuracy is the main metric. With a `threshold`, for two classes, the second is said where it is more probable;
    the metric by which that is chosen is the main metric.
    """

    trivial_name = "majority class"

    def __init__(
        self,
        classes: int,
        majority: int,
        class_names: Sequence[str] = (),
        counts: Sequence[float] = (),
        threshold: Threshold | None = None,
        **task: Any,
    ):
        super().__init__(threshold, class_names[1:2] if threshold is not None else (), **task)
        self.classes = classes
        self.majority = majority
        self.class_names = class_names
        usual = "balanced_accuracy" if class_metrics.imbalanced(counts) else "accuracy"
        self.main_metric = self.chosen_by or usual

    def output(self) -> nn.Module:
        """Raw outputs to probabilities (N, classes)."""
        return Probabilities()

    def predictions(self, outputs: Tensor) -> Tensor:
        """Probabilities (N, classes)."""
        return Probabilities()(outputs.float())

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on probabilities (N, classes) and class numbers (N,)."""
        if self.weighted:
            return weighted_metrics.classification(self.classes)
        metrics: dict[str, Metric] = {
            "accuracy": MulticlassAccuracy(self.classes, average="micro"),
            "balanced_accuracy": class_metrics.BalancedAccuracy(self.classes),
            "f1": MulticlassF1Score(self.classes, average="macro"),
            "ece": class_metrics.CalibrationError(),
        }
        if self.thresholds:
            metrics = {name: metric if name == "ece" else Decided(metric) for name, metric in metrics.items()}
        if self.classes == 2:
            metrics["auroc"] = SecondClassAUROC()
        return metrics

    def test_metrics(self) -> dict[str, Metric]:
        """The recall of each class."""
        recalls = (weighted_metrics if self.weighted else class_metrics).recall_of_each(self.class_names)
        return {name: Decided(metric) if self.thresholds else metric for name, metric in recalls.items()}

    def loss_target(self, batch: Batch) -> Tensor:
        """Class numbers (N,); for the single logit of two classes 0.0 and 1.0, (N, 1)."""
        return batch[1].float().unsqueeze(1) if self.classes == 2 else batch[1]

    def target(self, batch: Batch) -> Tensor:
        """Class numbers (N,)."""
        return batch[1]

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Probabilities and truth, with a threshold also the decisions, class numbers (N,)."""
        found = super().scored(outputs, batch)
        if not self.thresholds:
            return found
        return found | {"decided": (found["preds"][:, 1] > self.thresholds[0]).long()}

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """All probability on the most frequent class."""
        decided = torch.full_like(batch[1], self.majority)
        predictions = {"preds": one_hot(decided, self.classes).float(), "target": self.target(batch)}
        return predictions | weight_of(batch) | ({"decided": decided} if self.thresholds else {})

    def scores_of_yes(self, scored: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The probability of the second class and whether it is true, (N, 1)."""
        return scored["preds"][:, 1:], scored["target"][:, None]


class Probabilities(nn.Module):
    """Logits (N, 1) of two classes, or (N, classes), to probabilities (N, classes)."""

    def forward(self, logits: Tensor) -> Tensor:
        """The probability of every class."""
        if logits.shape[1] > 1:
            return logits.softmax(dim=1)
        second = logits.sigmoid()
        return torch.cat([1 - second, second], dim=1)
