"""Metrics of classes that accuracy does not show: recall class by class, and whether probabilities can be believed.

Predictions are probabilities (N, classes), targets class numbers (N,). A sample whose probabilities are NaN counts as
wrong, and makes the calibration error NaN.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC

from lab.data.base import UNUSUAL
from lab.modules.metrics.own_metrics import Wrapped

BINS = 15  # of the calibration error, as in Guo et al. (2017)
MOST_RECALLS = 20  # classes; of more, no recall is recorded for each
IMBALANCED = 4  # times the smallest class that the largest must be


class Recalls(Metric):
    """Counts of samples and of those that were recognised, by class."""

    higher_is_better = True
    samples: Tensor
    recognised: Tensor

    def __init__(self, classes: int):
        super().__init__()
        for name in ("samples", "recognised"):
            self.add_state(name, torch.zeros(classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities and class numbers of some samples."""
        _, right = confidence_of(preds, target)
        self.samples.index_add_(0, target, torch.ones_like(target))
        self.recognised.index_add_(0, target, right.long())

    def recalls(self) -> Tensor:
        """The recall of each class, (classes,); NaN for a class without samples."""
        return self.recognised.double() / self.samples


class BalancedAccuracy(Recalls):
    """The mean recall over the classes that occur (scikit-learn's `balanced_accuracy_score`)."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return self.recalls().nanmean()


class Recall(Recalls):
    """The share of the samples of one class that are recognised; NaN where there are none."""

    def __init__(self, classes: int, number: int):
        super().__init__(classes)
        self.number = number

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.recalls()[self.number]


class CalibrationError(Metric):
    """Expected calibration error: the mean gap between confidence and accuracy, over 15 bins of equal width.

    Confidence is the probability of the predicted class; bins are weighted by their samples (Guo et al. 2017,
    arXiv 1706.04599, equation 3).
    """

    higher_is_better = False
    gaps: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("gaps", torch.zeros(BINS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")
        self.edges = torch.from_numpy(np.linspace(0, 1, BINS + 1)[1:-1])

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities and class numbers of some samples."""
        confidence, right = confidence_of(preds, target)
        bins = torch.bucketize(confidence, self.edges.to(confidence.device))
        self.gaps.index_add_(0, bins, right.double() - confidence)
        self.samples += len(target)

    def compute(self) -> Tensor:
        """The error over all samples seen."""
        return self.gaps.abs().sum() / self.samples


class SecondClassAUROC(BinaryAUROC):
    """Area under the ROC curve, from probabilities of both classes; NaN where only one class is seen."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities (N, 2) and class numbers (N,)."""
        super().update(preds[:, 1], target)

    def compute(self) -> Tensor:  # type: ignore[override]
        """The area over all samples seen."""
        targets = torch.cat(self.target)
        return super().compute() if targets.amin() < targets.amax() else torch.tensor(torch.nan)


def confidence_of(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of the most probable class, the first of equal ones, and whether it is the true one; (N,)."""
    confidence, predicted = preds.max(1)  # NaN where one is NaN
    return confidence.double(), (predicted == target) & ~confidence.isnan()


def recall_of_each(class_names: Sequence[str]) -> dict[str, Metric]:
    """The recall of every class, as `recall_NAME`; none where there are too many to look at."""
    return named_recalls(class_names, Recall)


def named_recalls(class_names: Sequence[str], metric: Callable[[int, int], Metric]) -> dict[str, Metric]:
    """A metric of (number of classes, number of the class) for every class, as `recall_NAME`; none for too many."""
    count = len(class_names)
    names = names_in_metrics(class_names) if count <= MOST_RECALLS else []
    return {f"recall_{name}": metric(count, number) for number, name in enumerate(names)}


def names_in_metrics(class_names: Sequence[str]) -> list[str]:
    """The names of classes as part of the names of metrics, each different."""
    found: list[str] = []
    for number, class_name in enumerate(class_names, start=1):
        name = UNUSUAL.sub("_", class_name)
        found.append(f"{name}_{number}" if name in found else name)
    return found


class Decided(Wrapped):
    """A metric of two classes that takes which one was decided on, by a threshold, instead of probabilities."""

    def update(self, decided: Tensor, target: Tensor) -> None:
        """Class numbers (N,), said and true, of some samples."""
        self.metric.update(one_hot(decided, 2).float(), target)


def imbalanced(counts: Sequence[float]) -> bool:
    """Whether accuracy misleads: the largest class has at least four times the samples of the smallest."""
    present = [count for count in counts if count]
    return bool(present) and max(present) >= IMBALANCED * min(present)
