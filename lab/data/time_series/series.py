"""Time series from CSV or Parquet files: one, or several below each other (long format)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.encodings.series import rows_until_now, series_values
from lab.data.reading import column_types, table_files
from lab.data.reading.settings import Reading
from lab.data.reading.times import columns as times
from lab.data.reading.times.regular_steps import (
    Arranged,
    Gaps,
    arrange,
    by_series,
    missing_steps,
    several_series_hint,
    without_margins,
)
from lab.data.time_series.series_base import SeriesDataModule, Steps
from lab.display.numbers import counted
from lab.errors import LabError

Values = NDArray[np.float32]
MAX_LISTED = 8  # names in one line


class Series(SeriesDataModule):
    """Windows (N, C, window) of past steps, to the next `horizon` steps of each target (N, targets · horizon).

    `time` is the time column, or several such as [year, quarter], inferred by default, with its `date_format` (such as
    "%d/%m/%Y"); `targets` are the columns to forecast, by default all numeric ones; `covariates` are inputs that are
    not forecast. `series` is the column that names the series, if the file has several below each other. Rows are
    sorted by time. Steps without a row or value are refused, or with `gaps` ignored (each row counts as the next step)
    or filled: `interpolate` between neighbours, `ffill` with the last value, or `mask`: the last value and a channel
    that marks it. `season` is the number of steps after which the series repeats, inferred by default from the time
    between rows.
    """

    def __init__(
        self,
        path: str,
        time: str | list[str] | None = None,
        targets: str | list[str] | None = None,
        covariates: list[str] | tuple[str, ...] = (),
        known_ahead: list[str] | tuple[str, ...] = (),
        window: PositiveInt = 24,
        horizon: PositiveInt = 12,
        relative: bool = True,
        gaps: Gaps = "refuse",
        series: str | None = None,
        season: PositiveInt | None = None,
        date_format: str | None = None,
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
        self.known_ahead = known_ahead
        self.gaps = gaps
        self.series = series
        self.season = season
        self.date_format = date_format
        self.separator = separator
        self.text_encoding = text_encoding

    def read(self) -> Steps:
        """All rows; raises LabError for invalid times or values."""
        file = table_files.read(self.path, Reading(self.separator, self.text_encoding))
        self._check(file.frame)
        frame, time, parts = times.with_one(file.frame, self.time, self.series, self.date_format)
        format = times.format_of(frame[time], None if parts else self.date_format)
        targets = self.chosen_targets or self._numeric_columns(frame, time)
        names = (*targets, *self.covariates, *self.known_ahead)
        moments = times.to_timestamps(frame[time], format.text if format else None)
        if self.known_ahead:
            frame, moments = self._until_now(frame, moments, targets)
        self.notes.append(("task", f"forecasting {', '.join(targets)}: {self.horizon} steps, by '{time}'"))
        self.notes += file.notes
        self.notes += [("time", f"'{time}' {note}") for note in (format.notes() if format else ())]
        self.notes += list(self._unused(frame, {time, self.series, *names}))
        found = self._arranged(frame, moments)
        values, moments = self._values(frame, names, found)
        step = next((each.step for each in found.values() if each.step), None)
        return Steps(
            np.concatenate(list(values.values()), axis=1),
            names,
            len(targets),
            time,
            self.gaps,
            tuple(each.shape[1] for each in values.values()),
            self.series,
            format.text if format else None,
            str(step) if step else None,
            self.season or next(iter(found.values())).season,
            self.text_encoding,
            moments,
            tuple(values),
            parts,
            len(self.known_ahead),
        )

    def _check(self, frame: pd.DataFrame) -> None:
        """Raise LabError for settings that do not fit the columns or each other."""
        column_types.check_names(times.named(self.time), frame, "data.time")
        column_types.check_names([self.series] if self.series else [], frame, "data.series")
        column_types.check_names(self.chosen_targets or [], frame, "data.targets")
        column_types.check_names(self.covariates, frame, "data.covariates")
        column_types.check_names(self.known_ahead, frame, "data.known_ahead")
        others = {"data.targets": self.chosen_targets, "data.covariates": self.covariates, "data.series": [self.series]}
        others["data.time"] = times.named(self.time)
        for setting, names in others.items():
            for name in [name for name in self.known_ahead if name in (names or [])]:
                raise LabError(f"data.known_ahead: '{name}' is in {setting}, too; leave it out of one of them")
        if self.known_ahead and self.window < self.horizon:
            raise LabError(f"data.known_ahead: data.window={self.window} must be at least data.horizon={self.horizon}")
        if self.season and self.season > self.window:
            raise LabError(f"data.season: {self.season} steps are more than data.window={self.window}; enlarge that")

    def _numeric_columns(self, frame: pd.DataFrame, time: str) -> list[str]:
        """The numeric columns that vary and are not the time, the name of the series, or a covariate."""
        taken = {time, self.series, *self.covariates, *self.known_ahead}
        found = [
            str(name)
            for name in frame.columns
            if str(name) not in taken and pd.api.types.is_numeric_dtype(frame[name].dtype) and frame[name].nunique() > 1
        ]
        if not found:
            raise LabError(f"{self.path}: no column of numbers to forecast; set data.targets")
        return found

    def _unused(self, frame: pd.DataFrame, used: set[str | None]) -> Iterator[tuple[str, str]]:
        """What is said of columns that are neither forecast nor inputs."""
        unused = [str(name) for name in frame.columns if str(name) not in used]
        numeric = [name for name in unused if pd.api.types.is_numeric_dtype(frame[name].dtype)]
        if numeric:
            listed = ", ".join(numeric)
            advice = f"data.covariates: [{listed}] makes them inputs; known_ahead, if they are known in advance"
            yield "unused", f"{listed}; {advice}"
        if others := [name for name in unused if name not in numeric]:
            yield "unused", f"{', '.join(others)}: not numbers"

    def _until_now(self, frame: pd.DataFrame, moments: pd.Series, targets: list[str]) -> tuple[pd.DataFrame, pd.Series]:
        """The rows, and their times, of each series up to the last one with a value of a target."""
        kept = []
        for _, rows in by_series(frame, self.series):
            ordered = rows.loc[moments.loc[rows.index].sort_values(kind="stable").index]
            kept.append(ordered.iloc[: rows_until_now(ordered, targets)].index)
        index = frame.index[frame.index.isin(np.concatenate(kept))]
        if count := len(frame) - len(index):
            self.notes.append(
                ("known_ahead", f"{counted(count, 'row')} after the last value of {', '.join(targets)}: unused")
            )
        return frame.loc[index].reset_index(drop=True), moments.loc[index].reset_index(drop=True)

    def _arranged(self, frame: pd.DataFrame, moments: pd.Series) -> dict[str, Arranged]:
        """The rows of each series in order of time."""
        hint = "" if self.series else several_series_hint(frame, str(moments.name))
        found: dict[str, Arranged] = {}
        for name, rows in by_series(frame, self.series):
            step = next((each.step for each in found.values() if each.step), None)
            found[name] = arrange(moments.loc[rows.index], self.gaps, step, hint)
        return found

    def _values(
        self, frame: pd.DataFrame, names: tuple[str, ...], found: dict[str, Arranged]
    ) -> tuple[dict[str, Values], NDArray[Any]]:
        """The values of each series at its steps, NaN in gaps, from the first to the last step with all values.

        And the times of these steps, of all series.
        """
        whole, keep_gaps = series_values(frame, names, self.gaps), self.gaps != "ignore"
        own = {name: whole[:, rows.index] for name, rows in by_series(frame, self.series)}
        grids = {name: found[name].on_grid(values, keep_gaps) for name, values in own.items()}
        margins = {name: without_margins(grid) for name, grid in grids.items()}
        kept = {name: grid[:, margins[name]] for name, grid in grids.items()}
        fitting = {name: values for name, values in kept.items() if not self.series or self.fits(values.shape[1])}
        if not fitting:
            self._bounds(max(values.shape[1] for values in kept.values()))  # raises
        self.notes += self._notes(found, grids, margins)
        if short := [name for name in kept if name not in fitting]:
            self.notes.append(
                ("series", f"{len(short)} too short for a window, left out: {', '.join(short[:MAX_LISTED])}")
            )
        moments = [found[name].times_on_grid(own[name], keep_gaps)[margins[name]] for name in fitting]
        return fitting, np.concatenate(moments)

    def _notes(
        self, found: dict[str, Arranged], grids: dict[str, Values], margins: dict[str, slice]
    ) -> Iterator[tuple[str, str]]:
        """What is said of the order of the rows and of the steps without values."""
        if self.series:
            yield "series", f"{len(found)} by '{self.series}', one model for all"
        if resorted := next((each.was_sorted for each in found.values() if each.was_sorted), ""):
            yield "time", f"rows sorted, {resorted}"
        if self.gaps == "ignore":
            yield "gaps", "ignored: each row counts as the next step, whatever the time between them"
        total = sum(grid.shape[1] for grid in grids.values())
        cut = total - sum(margin.stop - margin.start for margin in margins.values())
        if cut:
            yield "gaps", f"{cut:,} steps before the first or after the last value are left out"
        empty = {name: missing_steps(grid, margins[name]) for name, grid in grids.items()}
        if count := sum(map(len, empty.values())):
            first = next(found[name].place(int(steps[0])) for name, steps in empty.items() if len(steps))
            yield "gaps", f"{count:,} of {total - cut:,} steps have no value, the first {first}; gaps: {self.gaps}"
