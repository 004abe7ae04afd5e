"""Weights of classes in a loss: each counts as much as any other, however rare it is, or as its name says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lab.errors import LabError, did_you_mean


def balanced(counts: Sequence[float]) -> Tensor:
    """Weights n / (k · n_c) for each class, (classes,), from the training samples of each: scikit-learn's `balanced`.

    k counts the classes that occur; the others have weight 1. Raises LabError where the counts are not known.
    """
    if not len(counts):
        raise LabError("loss.class_weights: balanced needs the classes of the training data; leave it out")
    samples = torch.tensor(counts, dtype=torch.float64)
    weights = samples.sum() / ((samples > 0).sum() * samples)
    return torch.where(samples > 0, weights, 1.0).float()


def of(chosen: Mapping[Any, float], class_names: Sequence[str]) -> list[float]:
    """The weight of each class, from those that are named; 1 for the others. Raises LabError for an unknown name."""
    named = {name if isinstance(name, str) else json.dumps(name): value for name, value in chosen.items()}
    if not class_names:
        raise LabError("loss.class_weights: needs the classes of the training data; leave it out")
    if unknown := [name for name in named if name not in class_names]:
        raise LabError(f"loss.class_weights: no class '{unknown[0]}'; {did_you_mean(unknown[0], class_names)}")
    weights = [float(named.get(name, 1.0)) for name in class_names]
    if not any(weights):
        raise LabError("loss.class_weights: all are 0, so that nothing can be learned")
    return weights


def chosen_weights(
    chosen: Literal["balanced"] | Mapping[str, float] | None, counts: Sequence[float], class_names: Sequence[str]
) -> Tensor | None:
    """The weights (classes,) of the setting `class_weights`, None without it; raises LabError."""
    if chosen is None:
        return None
    return balanced(counts) if isinstance(chosen, str) else torch.tensor(of(chosen, class_names))


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
