"""Sequences of unequal length in one tensor, padded at the end with NaN: what a network must not see of them.

A network that takes them has the class attribute `masks_padding = True`; its constructor gets `padded=True` where the
data has them, so that data of one length costs nothing.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


def without_padding(x: Tensor, exported: int = 0) -> tuple[Tensor, Tensor]:
    """(N, C, L), NaN in all channels after the end, to the same with 0 there, and which steps are real, (N, L).

    A first step is always real: a sequence without any is one step of zeros, so that no mean is divided by 0.
    An exported network gets so many more steps of padding where it divides the length by as much: torch.export takes
    a tensor with one step for a special case, and would refuse short sequences.
    """
    if exported and torch.compiler.is_exporting():
        x = pad(x, (0, exported), value=math.nan)
    steps = torch.arange(x.shape[2], device=x.device)
    real = ~x[:, 0].isnan() | (steps == 0)
    return torch.where(x.isnan(), 0.0, x), real


def masked(x: Tensor, real: Tensor) -> Tensor:
    """(N, C, L) with 0 in the steps that are not real."""
    return torch.where(real.unsqueeze(1), x, 0.0)


def strided(real: Tensor, stride: int, length: int) -> Tensor:
    """Which of `length` steps are real, (N, length), where each stands for `stride` of those before, the last for less.

    Of `real[:, ::stride]` torch.export could not tell that it is as long as what a convolution gives.
    """
    count = (real.sum(1, keepdim=True) + stride - 1) // stride
    return torch.arange(length, device=real.device) < count


def mean_of_real(x: Tensor, real: Tensor) -> Tensor:
    """The mean over the real steps of (N, C, L), (N, C)."""
    return masked(x, real).sum(2) / real.sum(1, keepdim=True)


def last_real(x: Tensor, real: Tensor) -> Tensor:
    """The last real step of (N, C, L), (N, C)."""
    last = (real.sum(1) - 1)[:, None, None].expand(-1, x.shape[1], 1)
    return x.gather(2, last).squeeze(2)


def reversed_real(x: Tensor, real: Tensor) -> Tensor:
    """(N, L, C) with the real steps of each sequence in the opposite order; what follows them has no meaning."""
    steps = torch.arange(x.shape[1], device=x.device)
    index = (real.sum(1, keepdim=True) - 1 - steps).clamp(min=0)
    return x.gather(1, index.unsqueeze(2).expand(-1, -1, x.shape[2]))


def norm_of_real(norm: nn.Module, x: Tensor, real: Tensor) -> Tensor:
    """A normalisation of (N, C, L), whose statistics over a batch are those of the real steps alone."""
    if not (norm.training and isinstance(norm, nn.BatchNorm1d)):
        return norm(x)
    steps = x.transpose(1, 2)
    normed = norm(steps[real])
    return torch.zeros_like(steps, dtype=normed.dtype).masked_scatter(real.unsqueeze(2), normed).transpose(1, 2)
