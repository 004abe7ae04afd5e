"""Losses, optimizers and learning-rate schedules by their short names."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from lab.config.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Probability
from lab.modules import class_weights as weights

Parameters = Iterable[nn.Parameter]
ClassWeights = Literal["balanced"] | dict[str, NonNegativeFloat] | None


def cross_entropy(
    label_smoothing: Probability = 0.0,
    class_weights: ClassWeights = None,
    class_counts: Sequence[float] = (),
    class_names: Sequence[str] = (),
) -> nn.Module:
    """Negative log-likelihood of the true class; logits (N, classes), targets (N,).

    With `class_weights: balanced` every class counts as much as any other, by its number of training samples; or give
    weights by name, 1 for the classes that are left out.
    """
    weight = weights.chosen_weights(class_weights, class_counts, class_names)
    return nn.CrossEntropyLoss(weight, label_smoothing=label_smoothing)


def bce(
    class_weights: ClassWeights = None, class_counts: Sequence[float] = (), class_names: Sequence[str] = ()
) -> nn.Module:
    """Binary cross-entropy; logits and targets of 0 and 1, (N, 1), or (N, K) of K labels.

    `class_weights` as for cross_entropy.
    """
    weight = weights.chosen_weights(class_weights, class_counts, class_names)
    return nn.BCEWithLogitsLoss() if weight is None else weights.WeightedBCE(weight)


def mse() -> nn.Module:
    """Mean squared error: fits the mean; large errors weigh most."""
    return nn.MSELoss()


def l1() -> nn.Module:
    """Mean absolute error: fits the median; robust to outliers."""
    return nn.L1Loss()


def huber(delta: PositiveFloat = 1.0) -> nn.Module:
    """Squared up to an error of `delta` (in standard deviations of the target), absolute beyond (Huber 1964)."""
    return nn.HuberLoss(delta=delta)


def _fused(params: list[nn.Parameter]) -> bool:
    """Whether one kernel updates all parameters: on a CPU, where it saves more time than a small network takes.

    On a GPU a fused optimizer would not let Lightning clip gradients in 16-mixed.
    """
    return all(param.device.type == "cpu" for param in params)


def sgd(
    params: Parameters,
    lr: PositiveFloat = 0.01,
    momentum: Probability = 0.0,
    nesterov: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """Stochastic gradient descent, with momentum (Polyak 1964; Nesterov 1983) where it is above 0."""
    if nesterov and momentum == 0:
        raise ValueError("optimizer.nesterov needs optimizer.momentum above 0")
    params = list(params)
    fused = _fused(params)
    return SGD(params, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


def adam(
    params: Parameters,
    lr: PositiveFloat = 1e-3,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980); weight decay is added to the gradient."""
    params = list(params)
    return Adam(params, lr, betas=(beta1, beta2), weight_decay=weight_decay, fused=_fused(params))


def adamw(
    params: Parameters,
    lr: PositiveFloat = 1e-3,
    beta1: Probability = 0.9,
    beta2: Probability = 0.999,
    weight_decay: NonNegativeFloat = 0.01,
) -> Optimizer:
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019, arXiv 1711.05101)."""
    params = list(params)
    return AdamW(params, lr, betas=(beta1, beta2), weight_decay=weight_decay, fused=_fused(params))


def rmsprop(
    params: Parameters,
    lr: PositiveFloat = 0.01,
    alpha: Probability = 0.99,
    momentum: Probability = 0.0,
    weight_decay: NonNegativeFloat = 0.0,
) -> Optimizer:
    """RMSprop (Hinton, Coursera lecture 6e, 2012): each gradient over the root of its running square."""
    return RMSprop(params, lr, alpha=alpha, momentum=momentum, weight_decay=weight_decay)


def constant(optimizer: Optimizer) -> dict[str, Any]:
    """The learning rate as it is."""
    return {"scheduler": ConstantLR(optimizer, factor=1.0), "interval": "epoch"}


def cosine(optimizer: Optimizer, total_steps: int, min_lr: NonNegativeFloat = 0.0) -> dict[str, Any]:
    """From the learning rate down to `min_lr` along half a cosine (Loshchilov & Hutter 2017)."""
    return {"scheduler": CosineAnnealingLR(optimizer, total_steps, eta_min=min_lr), "interval": "step"}


def onecycle(optimizer: Optimizer, total_steps: int, warmup: Fraction = 0.3) -> dict[str, Any]:
    """Up to the learning rate during the first `warmup` of all steps, then down to almost 0 (Smith 2018)."""
    peaks = [group["lr"] for group in optimizer.param_groups]
    # Momentum stays what the optimizer's settings say: torch would cycle it too.
    scheduler = OneCycleLR(optimizer, peaks, total_steps=total_steps, pct_start=warmup, cycle_momentum=False)
    return {"scheduler": scheduler, "interval": "step"}


def step(optimizer: Optimizer, every: PositiveInt = 10, factor: PositiveFloat = 0.1) -> dict[str, Any]:
    """The learning rate times `factor` after every `every` epochs."""
    return {"scheduler": StepLR(optimizer, every, factor), "interval": "epoch"}


def plateau(optimizer: Optimizer, patience: PositiveInt = 5, factor: Fraction = 0.5) -> dict[str, Any]:
    """The learning rate times `factor` once the validation loss has not improved for `patience` epochs."""
    scheduler = ReduceLROnPlateau(optimizer, patience=patience, factor=factor)
    return {"scheduler": scheduler, "interval": "epoch", "monitor": "val/loss"}


class ForgetfulAdamW(AdamW):
    """AdamW in a training loop without `optimizer.zero_grad()`: gradients add up over all steps."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget it."""
