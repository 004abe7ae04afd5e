"""Standardisation, with statistics from the training split alone."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation, shaped to broadcast against one sample."""

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> "Scale":
        """Statistics per feature of (N, F), per channel of (N, C, ...); a constant feature keeps its spread."""
        dims = [0, *range(2, values.ndim)]
        mean = values.double().mean(dims, keepdim=True)[0]
        std = values.double().std(dims, unbiased=False, keepdim=True)[0]
        return cls(mean.float(), torch.where(std > 0, std, 1.0).float())

    @classmethod
    def fit_parts(cls, parts: Iterable[Tensor]) -> "Scale":
        """As `fit`, from parts (n, ...) of what need not be in memory at once (Chan et al. 1983)."""
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for part in parts:
            values = part.double().movedim(1, 0).flatten(1)  # (C, n · ...)
            more = values.shape[1]
            shift = values.mean(1) - mean
            squares = squares + (values - values.mean(1, keepdim=True)).square().sum(1)
            squares = squares + shift.square() * count * more / (count + more)
            mean = mean + shift * more / (count + more)
            count += more
        std = (squares / count).sqrt()
        shape = (-1, *[1] * (part.ndim - 2))
        return cls(mean.float().reshape(shape), torch.where(std > 0, std, 1.0).float().reshape(shape))

    def apply(self, values: Tensor) -> Tensor:
        """Raw values to standardised ones."""
        return (values - self.mean) / self.std

    def invert(self, values: Tensor) -> Tensor:
        """Standardised values to raw ones."""
        return values * self.std + self.mean
