"""Rows of a series brought to regular steps: sorted by time, gaps found, and filled from the values around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.reading.times.columns import formatted
from lab.data.reading.times.steps import TimeStep
from lab.errors import LabError

Gaps = Literal["refuse", "ignore", "interpolate", "ffill", "mask"]
REMEDY = "add it, or set data.gaps: interpolate, ffill, mask or ignore"
LEAST_ROWS = 4  # of a series, on average
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Arranged:
    """Rows in order of time: `order` (N,) are their numbers in the table, `times` (N,) their times.

    `positions` (N,) are their steps, from 0; a step without a row is a gap.
    """

    order: NDArray[np.int64]
    times: pd.Series
    positions: NDArray[np.int64]
    step: TimeStep | None

    @property
    def missing(self) -> int:
        """The number of steps without a row."""
        return int(self.positions[-1]) + 1 - len(self.positions)

    @property
    def season(self) -> int | None:
        """The number of steps in a season, by the time between them; None if unknown."""
        step = self.step or (TimeStep.of(self.times) if len(self.times) > 1 else None)
        return step.season() if step else None

    def place(self, step: int) -> str:
        """Where a step without a value is: at the time of its row, or after the row before."""
        row = int(np.searchsorted(self.positions, step, side="right")) - 1
        return f"{'at' if self.positions[row] == step else 'after'} {formatted(self.times.iloc[row])}"

    @property
    def was_sorted(self) -> str:
        """How the rows were sorted, "" if they came in order."""
        steps = np.diff(self.order)
        if (steps > 0).all():
            return ""
        return "the newest row came first" if (steps < 0).all() else "rows were not in order of time"

    def on_grid(self, values: Values, keep_gaps: bool = True) -> Values:
        """Values (C, N) of the rows of the table at their steps, (C, T), NaN in gaps; or rows with all values only."""
        if not keep_gaps:
            return values[:, self.order][:, ~np.isnan(values[:, self.order]).any(axis=0)]
        grid = np.full((len(values), int(self.positions[-1]) + 1), np.nan, dtype=np.float32)
        grid[:, self.positions] = values[:, self.order]
        return grid

    def times_on_grid(self, values: Values, keep_gaps: bool = True) -> NDArray[Any]:
        """The times (T,) of the steps that `on_grid` gives for the same arguments; missing in gaps."""
        if not keep_gaps:
            return self.times[~np.isnan(values[:, self.order]).any(axis=0)].to_numpy()
        return self.times.set_axis(self.positions).reindex(np.arange(self.positions[-1] + 1)).to_numpy()


def arrange(moments: pd.Series, gaps: Gaps, step: TimeStep | None = None, hint: str = "") -> Arranged:
    """Rows in order of time with their steps; raises LabError, with the row, for missing and repeated times.

    And for gaps if they are refused. The index of `moments` counts the rows of the table from 0. `step` None finds the
    step; `hint` ends the message about repeated times.
    """
    name = str(moments.name)
    missing = np.flatnonzero(moments.isna().to_numpy())
    if len(missing):
        raise LabError(f"column '{name}', row {moments.index[missing[0]] + 1}: the time is missing; fill it in")
    order = np.argsort(moments.to_numpy(), kind="stable")
    times = moments.iloc[order].reset_index(drop=True)
    rows = moments.index.to_numpy()[order]
    _refuse(times.duplicated().to_numpy()[1:], rows, times, "is the same time as", hint or "keep one row for each time")
    if gaps == "ignore" or len(times) < 2:
        return Arranged(order, times, np.arange(len(times)), step)
    step = step or TimeStep.of(times)
    counts = step.between(times)
    _refuse(counts == 0, rows, times, "follows too closely on", "remove one of them, or set data.gaps: ignore")
    if gaps == "refuse":
        _refuse(counts > 1, rows, times, "follows a gap after", f"a step is missing: {REMEDY}")
    return Arranged(order, times, np.concatenate([[0], np.cumsum(counts)]), step)


def without_margins(grid: Values) -> slice:
    """The steps from the first to the last at which all values are known; raises LabError if there are none."""
    known = np.flatnonzero(~np.isnan(grid).any(axis=0))
    if not len(known):
        raise LabError("no step of the series has a value in all of its columns; choose others with data.targets")
    return slice(int(known[0]), int(known[-1]) + 1)


def missing_steps(grid: Values, inside: slice) -> NDArray[np.int64]:
    """The steps inside a slice at which some value is missing."""
    return np.flatnonzero(np.isnan(grid[:, inside]).sum(axis=0)) + int(inside.start)


def fill(grid: Values, gaps: Gaps, segments: Sequence[tuple[int, int]]) -> Values:
    """Values (C, T) with each NaN filled from the known ones around or before it; with `mask`, a channel marks them.

    No step takes part in filling a step of an earlier segment (first, last): those before a split boundary are filled
    as if the series ended there.
    """
    filled = grid.copy()
    for channel, values in zip(filled, grid, strict=True):
        for first, last in segments:
            channel[first:last] = _filled(values[:last], gaps)[first:]
    if gaps != "mask":
        return filled
    return np.concatenate([filled, np.isnan(grid).any(axis=0, keepdims=True).astype(np.float32)])


def _filled(values: NDArray[np.float32], gaps: Gaps) -> NDArray[np.float32]:
    """Values (T,), NaN interpolated between neighbours or else the last known one; before the first, the first."""
    known = np.flatnonzero(~np.isnan(values))
    if gaps == "interpolate":
        return np.interp(np.arange(len(values)), known, values[known]).astype(np.float32)
    last = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    return values[known[last]]


def _refuse(invalid: NDArray[np.bool_], rows: NDArray[np.int64], times: pd.Series, relation: str, remedy: str) -> None:
    steps = np.flatnonzero(invalid)
    if len(steps):
        at = int(steps[0])
        time, previous = formatted(times.iloc[at + 1]), formatted(times.iloc[at])
        more = f" (and {len(steps) - 1} more)" if len(steps) > 1 else ""
        raise LabError(
            f"column '{times.name}', row {rows[at + 1] + 1}: {time} {relation} row {rows[at] + 1}, {previous}{more}; "
            f"{remedy}"
        )


def by_series(frame: pd.DataFrame, series: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each series, by the name in the column `series`; all rows if there is no such column."""
    if series is None:
        yield "", frame
        return
    missing = np.flatnonzero(frame[series].isna().to_numpy())
    if len(missing):
        raise LabError(f"column '{series}', row {missing[0] + 1}: the name of the series is missing; fill it in")
    for name, rows in frame.groupby(series, sort=True, observed=True):
        yield str(name), rows


def several_series_hint(frame: pd.DataFrame, time: str) -> str:
    """What to do about repeated times, if a column tells several series apart; else ""."""
    found = series_column(frame, time)
    return f"set data.series: {found} if it names several series" if found else ""


def series_column(frame: pd.DataFrame, time: str) -> str | None:
    """The first column of texts that with the time tells all rows apart and repeats itself over times, if any."""
    for name in frame.columns:
        few = frame[name].nunique() <= len(frame) / LEAST_ROWS
        usable = name != time and few and not pd.api.types.is_float_dtype(frame[name].dtype)
        if usable and not frame.duplicated([name, time]).any():
            return str(name)
    return None
