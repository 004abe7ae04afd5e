"""A series of one's own: CSV or Parquet with a column of times."""

from typing import Literal

import pandas as pd

from lab.bounds import Count, Fraction, PositiveInt
from lab.data import columns, table_files, times
from lab.data.encodings.series import series_values
from lab.data.series_module import SeriesDataModule, Steps
from lab.errors import LabError


class Series(SeriesDataModule):
    """Windows (N, C, window) of past steps, to the next `horizon` of each target (N, targets · horizon).

    `time` is the column of times, found by itself where there is a likely one; `targets` the columns to forecast,
    all that hold numbers unless some are named; `covariates` are columns that only help. Rows must be in order,
    one for each step; with `gaps: ignore` each row is taken for the next step.
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
        """All rows; raises LabError where times or values are unfit for a series."""
        frame = table_files.read_table(self.path, self.separator, self.text_encoding)
        columns.check_names([self.time] if self.time else [], frame, "data.time")
        columns.check_names(self.chosen_targets or [], frame, "data.targets")
        columns.check_names(self.covariates, frame, "data.covariates")
        time = self.time or times.find(frame)
        times.check_regular(times.moments(frame[time]), time, self.gaps == "ignore")
        targets = self.chosen_targets or self._found_targets(frame, time)
        self.notes.append(("task", f"forecasting {', '.join(targets)}: {self.horizon} steps, by '{time}'"))
        names = (*targets, *self.covariates)
        return Steps(series_values(frame, names), names, len(targets), time, self.gaps == "ignore")

    def _found_targets(self, frame: pd.DataFrame, time: str) -> list[str]:
        """All columns of numbers that are nothing else."""
        taken = {time, *self.covariates}
        found = [
            str(name)
            for name in frame.columns
            if str(name) not in taken and pd.api.types.is_numeric_dtype(frame[name].dtype) and frame[name].nunique() > 1
        ]
        if not found:
            raise LabError(f"{self.path}: no column of numbers to forecast; set data.targets")
        return found
