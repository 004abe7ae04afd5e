"""The metrics of the tasks for samples with weights: as scikit-learn's with `sample_weight`, in double precision.

A sample of weight 2 counts as two samples, one of weight 0 as none. Predictions are probabilities (N, classes) or
values (N, T), targets class numbers (N,) or values (N, T), weights (N,).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from lab.modules.metrics import class_metrics
from lab.modules.metrics.class_metrics import confidence_of, named_recalls


class Confusion(Metric):
    """The weight of the samples of each class (row) that were predicted as each class, the last column: as none."""

    higher_is_better = True
    counts: Tensor

    def __init__(self, classes: int):
        super().__init__()
        self.add_state("counts", torch.zeros(classes, classes + 1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor) -> None:
        """Probabilities, class numbers and weights of some samples; probabilities that are NaN predict no class."""
        confidence, predicted = preds.max(1)
        classes = len(self.counts)
        cells = target * (classes + 1) + torch.where(confidence.isnan(), classes, predicted)
        self.counts.view(-1).index_add_(0, cells, weight.double())

    def recalls(self) -> Tensor:
        """The recall of each class, (classes,); NaN for a class without weight."""
        return self.counts.diagonal() / self.counts.sum(1)


class Accuracy(Confusion):
    """The share that is right (`accuracy_score`)."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return self.counts.diagonal().sum() / self.counts.sum()


class BalancedAccuracy(Confusion):
    """The mean recall over the classes that occur (`balanced_accuracy_score`)."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return self.recalls().nanmean()


class MacroF1(Confusion):
    """The mean F1 over the classes that occur or are predicted (`f1_score`, average="macro")."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        both = self.counts.sum(1) + self.counts[:, :-1].sum(0)
        return (2 * self.counts.diagonal() / both).nanmean()


class Recall(Confusion):
    """The share of one class that is recognised; NaN where it does not occur."""

    def __init__(self, classes: int, number: int):
        super().__init__(classes)
        self.number = number

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.recalls()[self.number]


class CalibrationError(class_metrics.CalibrationError):
    """Expected calibration error, each sample with its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("samples", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor) -> None:  # type: ignore[override]
        """Probabilities, class numbers and weights of some samples."""
        confidence, right = confidence_of(preds, target)
        bins = torch.bucketize(confidence, self.edges.to(confidence.device))
        self.gaps.index_add_(0, bins, weight.double() * (right.double() - confidence))
        self.samples += weight.double().sum()


class SecondClassAUROC(Metric):
    """Area under the ROC curve of the second of two classes (`roc_auc_score`); NaN where only one class has weight."""

    higher_is_better = True
    preds: list[Tensor]
    target: list[Tensor]
    weight: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("preds", "target", "weight"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor) -> None:
        """Probabilities (N, 2), class numbers and weights of some samples."""
        self.preds.append(preds[:, 1])
        self.target.append(target)
        self.weight.append(weight.double())

    def compute(self) -> Tensor:
        """The chance that a sample of the second class scores above one of the first; equal scores are half of it."""
        scores, target, weight = (dim_zero_cat(part) for part in (self.preds, self.target, self.weight))
        return area(scores, target, weight)


def area(scores: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The area under the ROC curve of scores, targets 0 or 1, and weights in double precision, all (N,).

    The share of the pairs of a yes and a no that are in order, ties counting half (Mann & Whitney's U, scaled); NaN
    where there is no yes or no no.
    """
    _, group = scores.unique(return_inverse=True)  # ascending; equal scores share a group
    sums = weight.new_zeros(2, int(group.max()) + 1)
    sums[1].index_add_(0, group, weight * target)
    sums[0].index_add_(0, group, weight * (1 - target))
    below = sums[0].cumsum(0) - sums[0] / 2
    return (sums[1] * below).sum() / (sums[0].sum() * sums[1].sum())


class MeanError(Metric):
    """The mean absolute error, or with `squared` the root of the mean squared one (`mean_absolute_error`, ...)."""

    higher_is_better = False
    total: Tensor
    weights: Tensor

    def __init__(self, squared: bool = False):
        super().__init__()
        self.squared = squared
        for name in ("total", "weights"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor) -> None:
        """Predictions and targets (N, T), and weights of some samples."""
        errors = (preds - target).square() if self.squared else (preds - target).abs()
        self.total += (weight.double() * errors.mean(1)).sum()
        self.weights += weight.double().sum()

    def compute(self) -> Tensor:
        """The error over all samples seen."""
        mean = self.total / self.weights
        return mean.sqrt() if self.squared else mean


def classification(classes: int) -> dict[str, Metric]:
    """New metrics of class probabilities."""
    metrics: dict[str, Metric] = {
        "accuracy": Accuracy(classes),
        "balanced_accuracy": BalancedAccuracy(classes),
        "f1": MacroF1(classes),
        "ece": CalibrationError(),
    }
    return metrics | ({"auroc": SecondClassAUROC()} if classes == 2 else {})


def recall_of_each(class_names: Sequence[str]) -> dict[str, Metric]:
    """The recall of every class, as `recall_NAME`."""
    return named_recalls(class_names, Recall)
