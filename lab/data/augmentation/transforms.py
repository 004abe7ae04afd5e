"""Transforms of standardised samples, sequences (C, L) or images (C, H, W), that draw from torch's generator.

NaN at the end of a sequence is padding and stays where it is. `of_windows` says whether a transform fits a forecast:
the window changes, the steps that follow it do not.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lab.config.types import PositiveFloat, PositiveInt, Share

Axis = Literal["horizontal", "vertical", "both"]


class Flip(nn.Module):
    """Mirrors a sample with probability `p`, left to right (a sequence: in time), `vertical` upside down, or `both`.

    With `both`, each is drawn for itself.
    """

    of_windows = False

    def __init__(self, axis: Axis = "horizontal", p: Share = 0.5):
        super().__init__()
        self.axis = axis
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(C, ...) to the same shape; raises ValueError for a sequence that is to be turned upside down."""
        if self.axis != "horizontal" and x.ndim < 3:
            raise ValueError(f"axis {self.axis} needs an image")
        known, padding = _parts(x)
        if self.axis != "vertical" and torch.rand(()) < self.p:
            known = known.flip(-1)
        if self.axis != "horizontal" and torch.rand(()) < self.p:
            known = known.flip(-2)
        return _joined(known, padding)


class Shift(nn.Module):
    """Moves a sample by up to `most` positions along each of its axes; the values at the edge are repeated."""

    of_windows = False

    def __init__(self, most: PositiveInt = 2):
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        """(C, ...) to the same shape."""
        known, padding = _parts(x)
        for dim in range(1, known.ndim):
            size = known.shape[dim]
            step = int(torch.randint(-self.most, self.most + 1, ()))
            known = known.index_select(dim, (torch.arange(size) - step).clamp(0, size - 1))
        return _joined(known, padding)


class Jitter(nn.Module):
    """Adds normal noise of `std` standard deviations of the data to each value (Um et al. 2017, arXiv 1706.00527)."""

    of_windows = True

    def __init__(self, std: PositiveFloat = 0.05):
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """(C, ...) to the same shape."""
        return x + self.std * torch.randn(x.shape)


class Scaling(nn.Module):
    """Multiplies each channel by a factor drawn from N(1, `std`²) (Um et al. 2017, arXiv 1706.00527)."""

    of_windows = False

    def __init__(self, std: PositiveFloat = 0.1):
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """(C, ...) to the same shape."""
        return x * (1 + self.std * torch.randn(len(x), *[1] * (x.ndim - 1)))


class Mask(nn.Module):
    """Sets a span of a sequence or a rectangle of an image to 0, the mean of the training samples.

    Its sides are drawn from 0 to `share` of those of the sample (time masks of Park et al. 2019, arXiv 1904.08779;
    cutout of DeVries & Taylor 2017, arXiv 1708.04552).
    """

    of_windows = True

    def __init__(self, share: Share = 0.2):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(C, ...) to the same shape."""
        known, padding = _parts(x.clone())
        inside = known
        for dim in range(1, known.ndim):
            size = known.shape[dim]
            width = int(torch.randint(0, int(self.share * size) + 1, ()))
            inside = inside.narrow(dim, int(torch.randint(0, size - width + 1, ())), width)
        inside.zero_()
        return _joined(known, padding)


def _parts(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """A sequence without its padding, and the padding; an image is not padded."""
    if x.ndim != 2 or not bool(x[0, -1].isnan()):
        return x, None
    length = int((~x[0].isnan()).sum())
    return x[:, :length], x[:, length:]


def _joined(known: Tensor, padding: Tensor | None) -> Tensor:
    return known if padding is None else torch.cat([known, padding], dim=1)
