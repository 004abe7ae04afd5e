"""Windows of a series as samples: the past steps, and the next ones of each target."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lab.data.loaders import Batch


class WindowDataset(Dataset[Batch]):
    """Windows of a series (C, T): `window` past steps (C, window), and the next `horizon` steps of each target.

    The targets are the first `targets` channels. `starts` (N,) are the first steps of the windows, which are sliced on
    access, not stored.
    """

    def __init__(self, series: Tensor, window: int, horizon: int, starts: Tensor, targets: int = 1):
        self.series = series
        self.window = window
        self.horizon = horizon
        self.targets = targets
        self.starts = starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> Batch:
        """The windows of these indices: x (B, C, window), y (B, targets · horizon)."""
        starts = self.starts[indices].unsqueeze(1)
        past = self.series[:, starts + torch.arange(self.window)].transpose(0, 1)
        future = self.series[: self.targets, starts + self.window + torch.arange(self.horizon)].transpose(0, 1)
        return past, future.flatten(1)


def window_starts(first: int, last: int, window: int, horizon: int, begin: int = 0) -> Tensor:
    """The first steps of all windows whose next `horizon` steps lie within [first, last).

    Their past may reach back before `first`, not before `begin`, where the series begins.
    """
    return torch.arange(max(first - window, begin), last - window - horizon + 1)
