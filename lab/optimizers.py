"""Optimizers; any `torch.optim` class works as well, by its dotted path (`kind: torch.optim.Adagrad`)."""

from collections.abc import Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from lab.bounds import NonNegativeFloat, PositiveFloat, Probability

Parameters = Iterable[nn.Parameter]


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
