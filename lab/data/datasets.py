"""Datasets: in memory, read when asked for, windows of a series."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.data.scaling import Scale


class ArrayDataset(Dataset[tuple[Tensor, Tensor]]):
    """Samples x (N, ...) with targets y (N, ...)."""

    def __init__(self, x: Tensor, y: Tensor):
        self.x = x
        self.y = y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.x[indices], self.y[indices]


class LazyDataset(Dataset[tuple[Tensor, Tensor]]):
    """Samples that are read when asked for: `x` gives an array (B, ...) for an array of indices.

    `y` (N, ...) has the targets of all samples, `chosen` those that belong to this data set.
    """

    def __init__(self, x: Any, y: Tensor, chosen: NDArray[np.int64], scale: Scale):
        self.x = x
        self.y = y[torch.from_numpy(chosen)]
        self.chosen = chosen
        self.scale = scale

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.scale.apply(torch.from_numpy(self.x[self.chosen[indices.numpy()]])), self.y[indices]


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Windows of a series (C, T): `window` past steps (C, window), and the `horizon` next of the first channels.

    Targets lie within [first, last); the past of the first ones may lie before it, as it does when one
    forecasts. Windows are cut when asked for, never copied out.
    """

    def __init__(self, series: Tensor, window: int, horizon: int, first: int, last: int, targets: int = 1):
        self.series = series
        self.window = window
        self.horizon = horizon
        self.targets = targets
        self.starts = torch.arange(max(first - window, 0), last - window - horizon + 1)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The windows of these indices: x (B, C, window), y (B, targets · horizon)."""
        starts = self.starts[indices].unsqueeze(1)
        past = self.series[:, starts + torch.arange(self.window)].transpose(0, 1)
        future = self.series[: self.targets, starts + self.window + torch.arange(self.horizon)].transpose(0, 1)
        return past, future.flatten(1)
