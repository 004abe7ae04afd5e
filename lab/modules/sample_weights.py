"""Losses of samples with weights: the weighted mean over a batch, and what a batch counts in the mean over an epoch.

The loss of a batch is Σ w·l / Σ w, of the weights w and losses l of its samples. A cross-entropy with class weights c
has l = c·(−log p) and is divided by Σ w·c, as in PyTorch and scikit-learn. A batch without any weight has a loss of 0,
and a gradient of 0.
"""

import copy

import torch
from torch import Tensor, nn

from lab.data.loaders import Batch
from lab.errors import LabError
from lab.modules.class_weights import WeightedBCE

REDUCTIONS = ("mean", "sum")
TINY = torch.finfo(torch.float32).tiny  # what a batch without weight is divided by


def weighted_loss(loss: nn.Module, outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The loss () of a batch with weights (B,); with `reduction: sum` it is not divided.

    Raises LabError for a loss that does not give the losses of single samples.
    """
    total = (weight * of_samples(loss, outputs, target)).sum()
    return total if loss.reduction == "sum" else total / counted(loss, target, weight).sum().clamp(min=TINY)


def of_samples(loss: nn.Module, outputs: Tensor, target: Tensor) -> Tensor:
    """The loss of each sample (B,), the mean (or sum) over its outputs; raises LabError where it cannot be had."""
    reduction = getattr(loss, "reduction", None)
    if reduction not in REDUCTIONS:
        raise LabError(f"loss: {type(loss).__name__} {_NO_WEIGHTS}; it has no `reduction` of mean or sum")
    single = copy.copy(loss)  # shares weights and buffers
    single.reduction = "none"  # type: ignore[assignment]
    losses: Tensor = single(outputs, target)
    if not losses.ndim or len(losses) != len(target):
        raise LabError(
            f"loss: {type(loss).__name__} {_NO_WEIGHTS}; with reduction='none' it gives {tuple(losses.shape)}, "
            f"not one loss for each of {len(target)} samples"
        )
    return losses.flatten(1).sum(1) if reduction == "sum" and losses.ndim > 1 else _mean(losses)


_NO_WEIGHTS = "cannot weigh samples (data.weight)"


def _mean(losses: Tensor) -> Tensor:
    return losses if losses.ndim == 1 else losses.flatten(1).mean(1)


def counted(loss: nn.Module, target: Tensor, weight: Tensor) -> Tensor:
    """What each sample counts in the mean, (B,): its weight, times that of its class where the loss has such."""
    if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and (loss.weight is not None or loss.ignore_index >= 0):
        known = target != loss.ignore_index
        of_class = known.float() if loss.weight is None else loss.weight[target.clamp(min=0)] * known
        return weight * of_class
    return weight * loss.weights_of(target)[:, 0] if isinstance(loss, WeightedBCE) else weight


def weight_of(batch: Batch) -> dict[str, Tensor]:
    """The weights (B,) of a batch whose samples have such, as the metrics take them."""
    return {"weight": batch[2]} if len(batch) > 2 else {}
