"""Yearly sunspot numbers 1700-2008 (SIDC, Royal Observatory of Belgium; shipped with statsmodels)."""

import numpy as np
import torch

from lab.bounds import Count, Fraction, PositiveInt
from lab.data.base import DataModule, Task, fingerprint
from lab.data.datasets import WindowDataset
from lab.data.encodings.array import ArrayEncoding
from lab.data.scaling import Scale
from lab.data.sizes import Sizes
from lab.errors import LabError


class Sunspots(DataModule):
    """Windows (N, 1, window) of past years, to the next `horizon` years (N, horizon).

    The years are split in order: training first, then validation, test last.
    """

    task: Task = "forecasting"

    def __init__(
        self,
        window: PositiveInt = 33,
        horizon: PositiveInt = 6,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers, seed)
        self.window = window
        self.horizon = horizon
        self.test_fraction = test_fraction

    def _prepare(self) -> None:
        from statsmodels.datasets import sunspots

        self.encoding = ArrayEncoding((1, self.window), "NCL")
        self.target_names = tuple(f"year {step + 1}" for step in range(self.horizon))
        years = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(dtype=np.float64)
        self.fingerprint = fingerprint(years)
        bounds = self._bounds(len(years))
        series = torch.tensor(years, dtype=torch.float32).unsqueeze(0)
        self.input_scale = Scale.fit(series[:, : bounds["train"][1]].T)
        self.target_scale = self.input_scale
        series = self.input_scale.apply(series)
        for split, (first, last) in bounds.items():
            self.split_indices[split] = np.arange(first, last)
            self.splits[split] = WindowDataset(series, self.window, self.horizon, first, last)
        self.sizes = Sizes((1, self.window), self.horizon)

    def _bounds(self, years: int) -> dict[str, tuple[int, int]]:
        """First and last (exclusive) year of each split; raises LabError where a split holds no window."""
        test = years - round(years * self.test_fraction)
        val = test - round(years * self.val_fraction)
        bounds = {"train": (0, val), "val": (val, test), "test": (test, years)}
        room = min(val - self.window, test - val, years - test)
        if room < self.horizon:
            raise LabError(
                f"data.window, data.horizon: {self.window} past and {self.horizon} next years do not fit into "
                f"splits of {val}, {test - val} and {years - test} years; make them shorter"
            )
        return bounds
