"""Classes with an order: the loss, the module, and metrics that count how far off a prediction is.

The model is that of proportional odds (McCullagh 1980): the logit of P(class > k) is the network's one output less a
threshold, and the K − 1 thresholds rise with k. Raw outputs are these cumulative logits (N, K − 1).
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot
from torchmetrics import Metric

from lab.data.loaders import Batch
from lab.modules.metrics.class_metrics import MOST_RECALLS, names_in_metrics
from lab.modules.metrics.ordinal_metrics import (
    ClassError,
    OrderedAccuracy,
    OrderedBalancedAccuracy,
    OrderedRecall,
    QuadraticKappa,
)
from lab.modules.sample_weights import weight_of
from lab.modules.tasks.task import TaskModule


def ordinal() -> nn.Module:
    """Negative log-likelihood of proportional odds; cumulative logits (N, K − 1), class numbers (N,)."""
    return OrdinalLoss()


class OrdinalLoss(nn.Module):
    """−log P(class) of cumulative logits (N, K − 1) and class numbers (N,).

    With a and b the logits of P(class ≥ k) and P(class > k), P(k) = σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)), whose
    logarithm is computed without cancellation.
    """

    def __init__(self, reduction: Literal["mean", "none"] = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean (), or one value a sample (N,)."""
        last = logits.shape[1]
        above = logits.gather(1, target.clamp(max=last - 1)[:, None])[:, 0]  # of P(class > k), of no use for the last
        at_least = logits.gather(1, (target - 1).clamp(min=0)[:, None])[:, 0]  # of P(class ≥ k), likewise for the first
        is_first, is_last = target == 0, target == last
        inner = ~(is_first | is_last)
        gap = torch.where(inner, at_least - above, 1.0)  # 1: any value whose logarithm is finite
        losses = -(
            torch.where(is_first, 0.0, logsigmoid(at_least))
            + torch.where(is_last, 0.0, logsigmoid(-above))
            + torch.where(inner, torch.log(-torch.expm1(-gap)), 0.0)
        )
        return losses.mean() if self.reduction == "mean" else losses


class OrderedProbabilities(nn.Module):
    """Cumulative logits (N, K − 1) to the probability of each class, (N, K)."""

    def forward(self, logits: Tensor) -> Tensor:
        """Probabilities in the order of the classes."""
        above = logits.sigmoid()
        return torch.cat([1 - above[:, :1], above[:, :-1] - above[:, 1:], above[:, -1:]], dim=1)


def median_class(probabilities: Tensor) -> Tensor:
    """The class (N,) at which the cumulative probability reaches one half; of (N, K)."""
    below = probabilities.cumsum(1)[:, :-1] < 0.5
    return below.sum(1)


def cumulative_logits(logits: Tensor) -> Tensor:
    """Logits (N, K) of the classes, as of a softmax, to cumulative logits (N, K − 1)."""
    highest = logits.flip(1).logcumsumexp(1).flip(1)[:, 1:]
    return highest - logits.logcumsumexp(1)[:, :-1]


class OrdinalModule(TaskModule):
    """Quadratic weighted kappa, mean absolute error in classes, accuracy and balanced accuracy, of the median class.

    The median is the class that is least far off in the mean. The trivial baseline says the median of the training
    samples, of which there are `counts` in each class. The test also has the recall of each class.
    """

    main_metric = "kappa"
    trivial_name = "median class"

    def __init__(self, class_names: Sequence[str], counts: Sequence[float], **task: Any):
        super().__init__(**task)
        self.class_names = class_names
        self.shares = torch.tensor(counts, dtype=torch.float64) / sum(counts)
        self.median = int(np.searchsorted(np.cumsum(counts), sum(counts) / 2))

    def output(self) -> nn.Module:
        """Raw outputs to probabilities (N, K)."""
        return OrderedProbabilities()

    def predictions(self, outputs: Tensor) -> Tensor:
        """Probabilities (N, K)."""
        return OrderedProbabilities()(outputs.float())

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on probabilities (N, K) and class numbers (N,)."""
        classes = len(self.class_names)
        return {
            "kappa": QuadraticKappa(classes),
            "mae": ClassError(classes),
            "accuracy": OrderedAccuracy(classes),
            "balanced_accuracy": OrderedBalancedAccuracy(classes),
        }

    def test_metrics(self) -> dict[str, Metric]:
        """The recall of each class; none where there are too many to look at."""
        classes = len(self.class_names)
        names = names_in_metrics(self.class_names) if classes <= MOST_RECALLS else []
        return {f"recall_{name}": OrderedRecall(classes, number) for number, name in enumerate(names)}

    def guess(self, samples: int, *outputs: int) -> Tensor:
        """The cumulative logits of the classes' shares of the training samples, (N, K − 1)."""
        return torch.logit(self.shares.cumsum(0)[:-1]).neg().expand(samples, -1).float()

    def target(self, batch: Batch) -> Tensor:
        """Class numbers (N,)."""
        return batch[1]

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Probabilities, decisions and truth."""
        found = super().scored(outputs, batch)
        return found | {"decided": median_class(found["preds"])}

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """All probability on the median class."""
        decided = torch.full_like(batch[1], self.median)
        preds = one_hot(decided, len(self.class_names)).float()
        return {"preds": preds, "target": self.target(batch), "decided": decided, **weight_of(batch)}
