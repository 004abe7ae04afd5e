"""Weights of classes in a loss: each class counts as much as any other, however rare it is."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lab.errors import LabError


def balanced(counts: Sequence[int]) -> Tensor:
    """Weights n / (k · n_c) for each class, (classes,), from the training samples of each: scikit-learn's `balanced`.

    k counts the classes that occur; the others have weight 1. Raises LabError where the counts are not known.
    """
    if not len(counts):
        raise LabError("loss.class_weights: balanced needs the classes of the training data; leave it out")
    samples = torch.tensor(counts, dtype=torch.float64)
    weights = samples.sum() / ((samples > 0).sum() * samples)
    return torch.where(samples > 0, weights, 1.0).float()


class WeightedBCE(nn.Module):
    """Binary cross-entropy with a weight for each of two classes; logits and targets (N, 1).

    As in nn.CrossEntropyLoss, the mean over a batch is the sum divided by the weights of its targets.
    """

    weight: Tensor
    reduction: str = "mean"  # or none

    def __init__(self, weight: Tensor):
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The weighted mean, (); without reduction the weighted losses (N, 1)."""
        weights = self.weights_of(target)
        if self.reduction == "none":
            return binary_cross_entropy_with_logits(logits, target, weights, reduction="none")
        return binary_cross_entropy_with_logits(logits, target, weights, reduction="sum") / weights.sum()

    def weights_of(self, target: Tensor) -> Tensor:
        """The weight of each target of 0 and 1, in the same shape."""
        return self.weight[target.long()]
