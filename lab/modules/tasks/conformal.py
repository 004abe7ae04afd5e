"""Split conformal intervals: from the errors on the validation split, an interval that holds a share of new values.

For n exchangeable samples, of which the network has not seen the targets, the interval holds a new value with a chance
of at least `level` (Vovk, Gammerman & Shafer 2005; Lei et al. 2018). For quantiles: conformalized quantile regression
(Romano, Patterson & Candès 2019, arXiv 1905.03222).
"""

import math

import torch
from torch import Tensor, nn

from lab.data.base import DataModule
from lab.data.preparation import Scale
from lab.errors import LabError


def rank(samples: int, level: float) -> int:
    """Which of the ascending errors is the margin, from 1: ⌈(n + 1) · level⌉."""
    return math.ceil(round((samples + 1) * level, 9))  # 10 · 0.9 is 9, not 9.000000000000002


def check(samples: int, level: float) -> None:
    """Raise LabError where there are too few validation samples for the level."""
    if rank(samples, level) > samples:
        least = math.ceil(round(level / (1 - level), 9))
        raise LabError(
            f"conformal: {level:g} needs at least {least} validation samples, there are {samples}; "
            "raise data.val_fraction, or lower the level"
        )


def check_data(level: float | None, data: DataModule) -> None:
    """Raise LabError where this data can have no intervals of the level; None wants none."""
    if level is None:
        return
    if data.task not in ("regression", "forecasting"):
        raise LabError(f"conformal: intervals are for values, the task is {data.task}; leave it out")
    if data.weighted:
        raise LabError("conformal: its share counts every sample alike; leave it out, or data.weight")
    check(len(data.splits["val"]), level)  # type: ignore[arg-type]


def margins(errors: Tensor, level: float) -> Tensor:
    """The margin of each column of errors (n, T), (T,): the ⌈(n + 1) · level⌉-th smallest."""
    check(len(errors), level)
    return errors.sort(dim=0).values[rank(len(errors), level) - 1]


class UnscaledInterval(nn.Module):
    """Standardised values (N, T) to values (N, 3 · T) in the target's own units: the value, its lower and upper end."""

    mean: Tensor
    std: Tensor
    margins: Tensor

    def __init__(self, scale: Scale, margins: Tensor):
        super().__init__()
        self.register_buffer("mean", scale.mean, persistent=False)
        self.register_buffer("std", scale.std, persistent=False)
        self.register_buffer("margins", margins.float(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, T) to (N, 3 · T)."""
        own = values * self.std + self.mean
        return torch.cat([own, own - self.margins, own + self.margins], dim=1)
