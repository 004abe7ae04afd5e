"""Training batches whose samples are mixed in pairs, `data.mix`: mixup and cutmix."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Beta

from lab.data.base import DataModule
from lab.data.loaders import Batch
from lab.data.sizes import EmbeddedColumns, EmbeddedTokens
from lab.errors import LabError

Kind = Literal["mixup", "cutmix"]
TASKS = ("classification", "regression", "forecasting")


@dataclass(frozen=True)
class Mixed:
    """Mixed samples x (B, ...), with `share` of each from the sample whose target is y (B, ...), at least a half.

    The rest is from the sample whose target is `other` (B, ...).
    """

    x: Tensor
    y: Tensor
    other: Tensor
    share: float

    @property
    def values(self) -> Tensor:
        """The targets, mixed like the samples: for values, not for class numbers."""
        return self.share * self.y + (1 - self.share) * self.other


class Mixing:
    """Mixes a batch with itself in another order; draws from torch's generator on the CPU.

    The share of a sample is drawn from Beta(alpha, alpha); it and the rest change places where it is below a half,
    which gives the same pairs. `mixup` adds the samples so weighted (Zhang et al. 2018, arXiv 1710.09412); `cutmix`
    replaces a rectangle of an image, or a span of a sequence, by that of the other (Yun et al. 2019, arXiv 1905.04899).
    """

    def __init__(self, kind: Kind, alpha: float):
        self.kind = kind
        self.alpha = alpha

    def __call__(self, batch: Batch) -> Mixed:
        """The mixture of a batch x (B, ...), y (B, ...)."""
        x, y = batch
        drawn = float(Beta(self.alpha, self.alpha).sample())
        share, order = max(drawn, 1 - drawn), torch.randperm(len(x)).to(x.device)
        if self.kind == "mixup":
            return Mixed(share * x + (1 - share) * x[order], y, y[order], share)
        mixed, share = _cut(x, x[order], share)
        return Mixed(mixed, y, y[order], share)


def _cut(x: Tensor, other: Tensor, share: float) -> tuple[Tensor, float]:
    """`x` (B, C, ...) with one box from `other`, and the share of `x` that is left, at least a half.

    The box has the rest of the area and a centre anywhere; what lies beyond the edge is cut off.
    """
    sides = x.shape[2:]
    box = x
    mixed = x.clone()
    inside, source = mixed, other
    for dim, size in enumerate(sides, start=2):
        length = int(size * (1 - share) ** (1 / len(sides)))
        first = int(torch.randint(0, size, ())) - length // 2
        begin, end = max(first, 0), min(first + length, size)
        inside, source, box = (part.narrow(dim, begin, end - begin) for part in (inside, source, box))
    inside.copy_(source)
    return mixed, 1 - box[0, 0].numel() / x[0, 0].numel()


def mixing_for(kind: Kind | None, alpha: float, data: DataModule) -> Mixing | None:
    """The mixing that `data.mix` asks for, if any; raises LabError where the data cannot be mixed."""
    if kind is None:
        return None
    if data.task not in TASKS:
        raise LabError(f"data.mix: is for classification and regression, not for {data.task}")
    if data.weighted:
        raise LabError("data.mix: a mixture of two samples has no weight; remove data.weight")
    if isinstance(data.input_adapter, EmbeddedTokens):
        raise LabError("data.mix: samples of whole numbers, such as tokens, have no mixture")
    if data.sizes.padded:
        raise LabError("data.mix: sequences of unequal lengths have no mixture")
    if isinstance(data.input_adapter, EmbeddedColumns):
        raise LabError("data.mix: some columns hold categories or texts, and half of one and half of another is none")
    if kind == "cutmix" and data.task != "classification":
        raise LabError(f"data.mix: cutmix is for classes; use mixup for {data.task}")
    if kind == "cutmix" and len(data.sizes.input_shape) < 2:
        raise LabError("data.mix: cutmix cuts sequences and images; use mixup for a table")
    return Mixing(kind, alpha)
