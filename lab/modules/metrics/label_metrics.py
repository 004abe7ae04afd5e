"""Metrics of labels, of which a sample may have several or none; equal to scikit-learn's.

Predictions are probabilities (N, K), targets and decisions 0 or 1, (N, K), weights (N,); without any, each sample
counts once.
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from lab.modules.metrics.weighted_metrics import area

COMPARED = 10_000_000  # pairs of labels that are compared at once


class LabelCounts(Metric):
    """The weight, by label, of the samples that have it, of those said to have it, and of those that both are."""

    higher_is_better = True
    actual: Tensor
    said: Tensor
    found: Tensor
    samples: Tensor

    def __init__(self, labels: int):
        super().__init__()
        for name in ("actual", "said", "found"):
            self.add_state(name, torch.zeros(labels, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, decided: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Decisions and truth of some samples."""
        weights = weights_of(target, weight)
        self.actual = self.actual + weights @ target.double()
        self.said = self.said + weights @ decided.double()
        self.found = self.found + weights @ (target * decided).double()
        self.samples = self.samples + weights.sum()


class MicroF1(LabelCounts):
    """F1 of all labels of all samples together; 0 where no label occurs or is said."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return _f1(self.found.sum(), self.said.sum(), self.actual.sum())


class MacroF1(LabelCounts):
    """The mean F1 of the labels; that of a label that neither occurs nor is said is 0."""

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return _f1(self.found, self.said, self.actual).mean()


class HammingLoss(LabelCounts):
    """The share of the N · K answers that are wrong."""

    higher_is_better = False

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        wrong = (self.actual + self.said - 2 * self.found).sum()
        return wrong / (self.samples * len(self.actual))


class LabelF1(LabelCounts):
    """F1 of one label; 0 where it neither occurs nor is said."""

    def __init__(self, labels: int, number: int):
        super().__init__(labels)
        self.number = number

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return _f1(self.found, self.said, self.actual)[self.number]


class LabelRecall(LabelF1):
    """The share of the samples with a label that are said to have it; NaN where there are none."""

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.found[self.number] / self.actual[self.number]


def weights_of(target: Tensor, weight: Tensor | None) -> Tensor:
    """The weight of each sample (N,), 1 without any."""
    return target.new_ones(len(target), dtype=torch.float64) if weight is None else weight.double()


def _f1(found: Tensor, said: Tensor, actual: Tensor) -> Tensor:
    both = said + actual
    return 2 * found / torch.where(both > 0, both, 1.0)


class SubsetAccuracy(Metric):
    """The share of the samples of which every label is right."""

    higher_is_better = True
    right: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("right", "samples"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, decided: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Decisions and truth of some samples."""
        weights = weights_of(target, weight)
        self.right = self.right + weights @ (decided == target).all(1).double()
        self.samples = self.samples + weights.sum()

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.right / self.samples


class RankingPrecision(Metric):
    """Label ranking average precision: how high the true labels of a sample stand among its probabilities.

    The mean over samples; 1 for a sample with every label or none (scikit-learn's
    `label_ranking_average_precision_score`; Schapire & Singer 2000).
    """

    higher_is_better = True
    total: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Probabilities and truth of some samples."""
        rows, weights = max(COMPARED // preds.shape[1] ** 2, 1), weights_of(target, weight)
        parts = zip(preds.split(rows), target.bool().split(rows), weights.split(rows), strict=True)
        for probabilities, truth, of_part in parts:
            above = probabilities[:, None, :] >= probabilities[:, :, None]  # of label j, the labels as high as it
            ranks, true_ranks = above.sum(2), (above & truth[:, None, :]).sum(2)
            labels = truth.sum(1)
            precision = (true_ranks.double() / ranks * truth).sum(1) / labels
            every = torch.where((labels == 0) | (labels == truth.shape[1]), 1.0, precision)
            self.total = self.total + of_part @ every
        self.samples = self.samples + weights.sum()

    def compute(self) -> Tensor:
        """The mean over all samples seen."""
        return self.total / self.samples


class MacroAUROC(Metric):
    """The mean area under the ROC curves of the labels, those without a yes or a no left out."""

    higher_is_better = True
    preds: list[Tensor]
    target: list[Tensor]
    weight: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("preds", "target", "weight"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Probabilities and truth of some samples."""
        self.preds.append(preds)
        self.target.append(target)
        self.weight.append(weights_of(target, weight))

    def compute(self) -> Tensor:
        """The mean over the labels; NaN where none has both."""
        preds, target, weight = (dim_zero_cat(part) for part in (self.preds, self.target, self.weight))
        areas = [area(preds[:, label], target[:, label], weight) for label in range(preds.shape[1])]
        return torch.stack(areas).nanmean()


class LabelAUROC(MacroAUROC):
    """Area under the ROC curve of one label; NaN where it has no yes or no no."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number

    def update(self, preds: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Probabilities and truth of some samples."""
        super().update(preds[:, self.number : self.number + 1], target[:, self.number : self.number + 1], weight)
