"""Metrics of labels, of which a sample may have several or none; equal to scikit-learn's.

Predictions are probabilities (N, K), targets and decisions 0 or 1, (N, K).
"""

import torch
from torch import Tensor
from torchmetrics import Metric

COMPARED = 10_000_000  # pairs of labels that are compared at once


class LabelCounts(Metric):
    """Counts, by label, of the samples that have it, those said to have it, and those that both are."""

    higher_is_better = True
    actual: Tensor
    said: Tensor
    found: Tensor
    samples: Tensor

    def __init__(self, labels: int):
        super().__init__()
        for name in ("actual", "said", "found"):
            self.add_state(name, torch.zeros(labels, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, decided: Tensor, target: Tensor) -> None:
        """Decisions and truth of some samples."""
        self.actual += target.sum(0)
        self.said += decided.sum(0)
        self.found += (target * decided).sum(0)
        self.samples += len(target)


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
        return wrong.double() / (self.samples * len(self.actual))


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
        return self.found[self.number].double() / self.actual[self.number]


def _f1(found: Tensor, said: Tensor, actual: Tensor) -> Tensor:
    return 2 * found.double() / (said + actual).clamp(min=1)


class SubsetAccuracy(Metric):
    """The share of the samples of which every label is right."""

    higher_is_better = True
    right: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("right", "samples"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, decided: Tensor, target: Tensor) -> None:
        """Decisions and truth of some samples."""
        self.right += (decided == target).all(1).sum()
        self.samples += len(target)

    def compute(self) -> Tensor:
        """The share over all samples seen."""
        return self.right.double() / self.samples


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
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities and truth of some samples."""
        rows = max(COMPARED // preds.shape[1] ** 2, 1)
        for probabilities, truth in zip(preds.split(rows), target.bool().split(rows), strict=True):
            above = probabilities[:, None, :] >= probabilities[:, :, None]  # of label j, the labels as high as it
            ranks, true_ranks = above.sum(2), (above & truth[:, None, :]).sum(2)
            labels = truth.sum(1)
            precision = (true_ranks.double() / ranks * truth).sum(1) / labels
            self.total += torch.where((labels == 0) | (labels == truth.shape[1]), 1.0, precision).sum()
        self.samples += len(target)

    def compute(self) -> Tensor:
        """The mean over all samples seen."""
        return self.total / self.samples


class MacroAUROC(Metric):
    """The mean area under the ROC curves of the labels, those without a yes or a no left out."""

    higher_is_better = True
    preds: list[Tensor]
    target: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("preds", "target"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities and truth of some samples."""
        self.preds.append(preds)
        self.target.append(target)

    def compute(self) -> Tensor:
        """The mean over the labels; NaN where none has both."""
        preds, target = torch.cat(self.preds), torch.cat(self.target)
        areas = [_area(preds[:, label], target[:, label]) for label in range(preds.shape[1])]
        return torch.stack(areas).nanmean()


class LabelAUROC(MacroAUROC):
    """Area under the ROC curve of one label; NaN where it has no yes or no no."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Probabilities and truth of some samples."""
        super().update(preds[:, self.number : self.number + 1], target[:, self.number : self.number + 1])


def _area(scores: Tensor, target: Tensor) -> Tensor:
    """The share of the pairs of a yes and a no that are in order, ties counting half: Mann & Whitney's U, scaled."""
    ordered, order = scores.sort()
    _, place, counts = ordered.unique_consecutive(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts - 1) / 2.0).double()[place]  # the mean rank of equal scores
    yes = target[order].bool()
    count = yes.sum().double()
    return (ranks[yes].sum() - count * (count + 1) / 2) / (count * (len(yes) - count))
