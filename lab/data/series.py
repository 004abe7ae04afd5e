"""Time series: windows of past steps to the next ones, split by time; from CSV or Parquet files or your own source."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import DataModule, RelativeToLastValue, Sizes, Task
from lab.data.encodings.series import SeriesEncoding, series_values
from lab.data.loaders import WindowDataset
from lab.data.preparation import Scale, fingerprint
from lab.data.reading import column_types, table_files, times
from lab.errors import LabError


@dataclass(frozen=True)
class Steps:
    """A series (C, T) in time order with the names of its channels; the first `targets` channels are forecast.

    `time` is the name of the time column in the file, if any; `gaps` says whether it may have gaps.
    """

    values: NDArray[Any]
    names: tuple[str, ...]
    targets: int = 1
    time: str | None = None
    gaps: bool = False


class SeriesDataModule(DataModule):
    """Windows (N, C, window) of past steps, to the next `horizon` steps of each target (N, targets · horizon).

    The steps are split by time: training, validation, test. With `relative` the architecture sees the targets
    relative to their last values and forecasts the difference from them. A subclass only needs to implement `read`.
    """

    task: Task = "forecasting"

    def __init__(
        self,
        window: int,
        horizon: int,
        relative: bool,
        batch_size: int,
        val_fraction: float,
        test_fraction: float,
        num_workers: int,
        seed: int,
    ):
        super().__init__(batch_size, val_fraction, num_workers, seed)
        self.window = window
        self.horizon = horizon
        self.relative = relative
        self.test_fraction = test_fraction

    @abstractmethod
    def read(self) -> Steps:
        """The whole series."""

    def _prepare(self) -> None:
        steps = self.read()
        self.fingerprint = fingerprint(steps.values)
        self.targets = steps.targets
        self.correlated = self.window + self.horizon
        self.encoding = SeriesEncoding(steps.names, self.window, self.horizon, steps.time, steps.gaps)
        self.target_names = tuple(
            f"{name} +{step}" for name in steps.names[: self.targets] for step in range(1, self.horizon + 1)
        )
        bounds = self._bounds(steps.values.shape[1])
        series = torch.tensor(steps.values, dtype=torch.float32)
        self.input_scale, self.target_scale = self._scales(series[:, : bounds["train"][1]])
        series = self.input_scale.apply(series)
        for split, (first, last) in bounds.items():
            self.split_indices[split] = np.arange(first, last)
            self.splits[split] = WindowDataset(series, self.window, self.horizon, first, last, self.targets)
        self.sizes = Sizes((len(series), self.window), self.targets * self.horizon)
        self.input_adapter = RelativeToLastValue(self.targets, self.horizon) if self.relative else None

    def _scales(self, train: torch.Tensor) -> tuple[Scale, Scale]:
        """Statistics of the channels (C, 1), and the same for each output (targets · horizon,)."""
        scale = Scale.fit(train.T)
        channels = Scale(scale.mean[:, None], scale.std[:, None])
        outputs = (part[: self.targets].repeat_interleave(self.horizon) for part in (scale.mean, scale.std))
        return channels, Scale(*outputs)

    def _bounds(self, steps: int) -> dict[str, tuple[int, int]]:
        """First and last (exclusive) step of each split; raises LabError if a split is too short for a window."""
        test = steps - round(steps * self.test_fraction)
        val = test - round(steps * self.val_fraction)
        bounds = {"train": (0, val), "val": (val, test), "test": (test, steps)}
        available = min(val - self.window, test - val, steps - test)
        if available < self.horizon:
            raise LabError(
                f"data.window, data.horizon: {self.window} past and {self.horizon} next steps do not fit into "
                f"splits of {val}, {test - val} and {steps - test} steps; make them shorter"
            )
        return bounds


class Series(SeriesDataModule):
    """Windows (N, C, window) of past steps, to the next `horizon` steps of each target (N, targets · horizon).

    `time` is the time column, inferred by default; `targets` are the columns to forecast, by default all numeric
    ones; `covariates` are inputs that are not forecast. Rows must be in time order, one per step; with
    `gaps: ignore` every row counts as the next step.
    """

    def __init__(
        self,
        path: str,
        time: str | None = None,
        targets: str | list[str] | None = None,
        covariates: list[str] | tuple[str, ...] = (),
        window: PositiveInt = 24,
        horizon: PositiveInt = 12,
        relative: bool = True,
        gaps: Literal["refuse", "ignore"] = "refuse",
        separator: table_files.Separator = "auto",
        text_encoding: str = "auto",
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(window, horizon, relative, batch_size, val_fraction, test_fraction, num_workers, seed)
        self.path = path
        self.time = time
        self.chosen_targets = [targets] if isinstance(targets, str) else targets
        self.covariates = covariates
        self.gaps = gaps
        self.separator = separator
        self.text_encoding = text_encoding

    def read(self) -> Steps:
        """All rows; raises LabError for invalid times or values."""
        frame = table_files.read_table(self.path, self.separator, self.text_encoding)
        column_types.check_names([self.time] if self.time else [], frame, "data.time")
        column_types.check_names(self.chosen_targets or [], frame, "data.targets")
        column_types.check_names(self.covariates, frame, "data.covariates")
        time = self.time or times.find(frame)
        times.check_regular(times.to_timestamps(frame[time]), time, self.gaps == "ignore")
        targets = self.chosen_targets or self._numeric_columns(frame, time)
        self.notes.append(("task", f"forecasting {', '.join(targets)}: {self.horizon} steps, by '{time}'"))
        names = (*targets, *self.covariates)
        return Steps(series_values(frame, names), names, len(targets), time, self.gaps == "ignore")

    def _numeric_columns(self, frame: pd.DataFrame, time: str) -> list[str]:
        """The numeric columns that vary and are neither the time nor a covariate."""
        taken = {time, *self.covariates}
        found = [
            str(name)
            for name in frame.columns
            if str(name) not in taken and pd.api.types.is_numeric_dtype(frame[name].dtype) and frame[name].nunique() > 1
        ]
        if not found:
            raise LabError(f"{self.path}: no column of numbers to forecast; set data.targets")
        return found
