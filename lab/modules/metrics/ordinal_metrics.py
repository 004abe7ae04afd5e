"""Metrics of classes with an order, of which one is decided on: decisions and truth are class numbers (N,).

Weights are (N,); without any, each sample counts once.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from lab.modules.metrics.label_metrics import weights_of


class OrderedCounts(Metric):
    """The weight of the samples of each true class (row) that were said to be of each class (column)."""

    higher_is_better = True
    counts: Tensor

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.add_state("counts", torch.zeros(classes, classes, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, decided: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Class numbers (N,), said and true, of some samples."""
        cells, pairs = target * self.classes + decided, torch.zeros_like(self.counts, dtype=torch.float64)
        pairs.view(-1).index_add_(0, cells, weights_of(target, weight))
        self.counts = self.counts + pairs

    def distances(self) -> Tensor:
        """Between each two classes, (K, K)."""
        numbers = torch.arange(self.classes, dtype=torch.float64, device=self.counts.device)
        return (numbers[:, None] - numbers).abs()


class QuadraticKappa(OrderedCounts):
    """Cohen's kappa with quadratic weights (Cohen 1968): 1 is perfect, 0 what chance agrees.

    NaN where all are, and are said to be, of one class.
    """

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        weights, counts = self.distances().square(), self.counts
        by_chance = counts.sum(1)[:, None] * counts.sum(0) / counts.sum()
        return 1 - (weights * counts).sum() / (weights * by_chance).sum()


class ClassError(OrderedCounts):
    """The mean absolute difference of the class numbers."""

    higher_is_better = False

    def compute(self) -> Tensor:
        """The mean over all samples seen."""
        return (self.distances() * self.counts).sum() / self.counts.sum()


class OrderedAccuracy(OrderedCounts):
    """The share of the samples whose class is right."""

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.counts.trace() / self.counts.sum()


class OrderedBalancedAccuracy(OrderedCounts):
    """The mean recall over the classes that occur."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return (self.counts.diagonal() / self.counts.sum(1)).nanmean()


class OrderedRecall(OrderedCounts):
    """The share of the samples of one class that are recognised; NaN where there are none."""

    def __init__(self, classes: int, number: int):
        super().__init__(classes)
        self.number = number

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.counts[self.number, self.number] / self.counts[self.number].sum()
