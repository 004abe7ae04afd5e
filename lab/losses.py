"""Losses on raw outputs; `kind: torch.nn:SmoothL1Loss` or one's own class work as well.

cross_entropy and bce apply softmax and sigmoid themselves: an architecture must not (see docs of torch.nn).
"""

from torch import nn

from lab.bounds import PositiveFloat, Probability


def cross_entropy(label_smoothing: Probability = 0.0) -> nn.Module:
    """Negative log-likelihood of the true class; logits (N, classes), targets (N,)."""
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)


def bce() -> nn.Module:
    """Binary cross-entropy; logits (N, 1), targets (N, 1) of 0 and 1."""
    return nn.BCEWithLogitsLoss()


def mse() -> nn.Module:
    """Mean squared error: fits the mean; large errors weigh most."""
    return nn.MSELoss()


def l1() -> nn.Module:
    """Mean absolute error: fits the median; robust to outliers."""
    return nn.L1Loss()


def huber(delta: PositiveFloat = 1.0) -> nn.Module:
    """Squared up to an error of `delta` (in standard deviations of the target), absolute beyond (Huber 1964)."""
    return nn.HuberLoss(delta=delta)
