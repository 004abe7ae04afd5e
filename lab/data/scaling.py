"""Standardisation, with statistics from the training split alone."""

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

    def apply(self, values: Tensor) -> Tensor:
        """Raw values to standardised ones."""
        return (values - self.mean) / self.std

    def invert(self, values: Tensor) -> Tensor:
        """Standardised values to raw ones."""
        return values * self.std + self.mean
