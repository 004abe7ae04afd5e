"""Standardisation, and fingerprints of data."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NORMAL_RANGE = 1.3489795  # between the quartiles of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation, or median and spread, shaped to broadcast over one sample."""

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, values: Tensor, weight: Tensor | None = None) -> "Scale":
        """Statistics of each feature of (N, F) or channel of (N, C, ...); the std of a constant one is set to 1.

        Rows of (N, F) may have a `weight` (N,).
        """
        if weight is not None:
            shares = (weight.double() / weight.double().sum())[:, None]
            mean = (shares * values.double()).sum(0)
            std = (shares * (values.double() - mean).square()).sum(0).sqrt()
            varies = std > 1e-9 * mean.abs()  # float32 has 7 digits: less is rounding
            return cls(mean.float(), torch.where(varies, std, 1.0).float())
        dims = [0, *range(2, values.ndim)]
        mean = values.double().mean(dims, keepdim=True)[0]
        std = values.double().std(dims, unbiased=False, keepdim=True)[0]
        return cls(mean.float(), torch.where(std > 0, std, 1.0).float())

    @classmethod
    def fit_robust(cls, values: Tensor) -> "Scale":
        """Median and spread of each feature of (N, F), which outliers hardly move.

        The spread is the interquartile range / 1.349, which is the standard deviation of a normal distribution; that
        itself where the quartiles are equal, and 1 for a constant feature.
        """
        low, median, high = np.quantile(values.double().numpy(), (0.25, 0.5, 0.75), axis=0)
        spread = torch.from_numpy((high - low) / NORMAL_RANGE)
        return cls(torch.from_numpy(median).float(), torch.where(spread > 0, spread, cls.fit(values).std).float())

    @classmethod
    def fit_real(cls, values: Tensor) -> "Scale":
        """As `fit`, of sequences (N, C, L) that have NaN after their end, from the steps before it."""
        return cls.fit(values.movedim(1, 2)[~values[:, 0].isnan()].T[None])

    @classmethod
    def fit_parts(cls, parts: Iterable[Tensor]) -> "Scale":
        """As `fit`, from parts (n, ...) that need not be in memory together (Chan et al. 1983, pairwise update)."""
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for part in parts:
            values = part.double().movedim(1, 0).flatten(1)  # (C, n · ...)
            added = values.shape[1]
            shift = values.mean(1) - mean
            squares = squares + (values - values.mean(1, keepdim=True)).square().sum(1)
            squares = squares + shift.square() * count * added / (count + added)
            mean = mean + shift * added / (count + added)
            count += added
        std = (squares / count).sqrt()
        shape = (-1, *[1] * (part.ndim - 2))
        return cls(mean.float().reshape(shape), torch.where(std > 0, std, 1.0).float().reshape(shape))

    def apply(self, values: Tensor) -> Tensor:
        """Standardise raw values."""
        return (values - self.mean) / self.std

    def invert(self, values: Tensor) -> Tensor:
        """Undo `apply`: standardised values to raw ones."""
        return values * self.std + self.mean


def fingerprint(*arrays: NDArray[Any]) -> str:
    """A hash of the content, types and shapes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def file_fingerprint(*paths: str | Path, names: Sequence[str] = ()) -> str:
    """A hash of the content of files, and of `names` where the file names matter too."""
    digest = hashlib.sha256("\n".join(names).encode())
    for path in paths:
        with Path(path).expanduser().open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
