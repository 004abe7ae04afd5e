"""Whether the rows of a file are a time series, and the settings with which it can be forecast."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lab.data.reading import column_types
from lab.data.reading.times import columns as times
from lab.data.reading.times.regular_steps import Arranged, arrange, by_series, series_column
from lab.data.reading.times.steps import TimeStep
from lab.errors import LabError

MIN_WINDOWS = 40  # in the training split
TRAINING_SHARE = 0.6
MOST_MISSING = 0.5  # share of the steps without a value up to which gaps are filled and rows of dates are a series
LEAST_ROWS = 10  # of a series
MOST_TEXTS = 3  # columns that are no numbers: a date, a time of day, and the name of the series


@dataclass(frozen=True)
class Rows:
    """The rows of a table by time: of each series in order, and the share of all steps that have no row.

    In `frame` the time is in one column, `time`; `columns` are those of the file, several such as a year and a quarter.
    """

    frame: pd.DataFrame
    time: str
    columns: list[str]
    series: str | None
    arranged: Mapping[str, Arranged]

    @property
    def missing(self) -> float:
        """The share of the steps without a row."""
        steps = sum(len(each.positions) + each.missing for each in self.arranged.values())
        return sum(each.missing for each in self.arranged.values()) / steps

    @property
    def dated(self) -> bool:
        """Whether the times are dates, not numbers."""
        return pd.api.types.is_datetime64_any_dtype(self.longest.times.dtype)

    @property
    def longest(self) -> Arranged:
        """The series with the most rows."""
        return max(self.arranged.values(), key=lambda each: len(each.times))


def is_series(frame: pd.DataFrame, target: str | None) -> bool:
    """Whether rows have times, and else only numbers: dates of which at most half are missing, or numbers in order."""
    rows = _with_times(frame, target)
    if rows is None or rows.missing > (MOST_MISSING if rows.dated else 0):
        return False
    return rows.dated or not rows.longest.was_sorted


def irregular(frame: pd.DataFrame, target: str | None) -> Iterator[str]:
    """What is said where rows have dates, and else only numbers, but too few to be a series."""
    rows = _with_times(frame, target)
    if rows is not None and rows.dated and rows.missing > MOST_MISSING:
        yield (
            f"'{rows.time}' has dates, but {100 * rows.missing:.0f} % of the steps between them have no row; to "
            "forecast from row to row, whatever the time between them: --kind series"
        )


def _with_times(frame: pd.DataFrame, target: str | None) -> Rows | None:
    """The rows by time, if they have times, and else only numbers."""
    if sum(not pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes) > MOST_TEXTS:
        return None
    try:
        rows = by_time(frame, {})
    except LabError:
        return None
    others = rows.frame.drop(columns=[rows.time, *([rows.series] if rows.series else [])])
    numeric = all(pd.api.types.is_numeric_dtype(others[name].dtype) for name in others)
    return rows if numeric and target not in rows.columns and len(rows.longest.times) >= LEAST_ROWS else None


def by_time(frame: pd.DataFrame, given: Mapping[str, Any]) -> Rows:
    """The rows by the time column and series that are `given` or found; raises LabError."""
    column_types.check_names(times.named(given.get("time")), frame, "data.time")
    column_types.check_names([given["series"]] if given.get("series") else [], frame, "data.series")
    frame, time, parts = times.with_one(frame, given.get("time"), given.get("series"), given.get("date_format"))
    format = times.format_of(frame[time], None if parts else given.get("date_format"))
    moments = times.to_timestamps(frame[time], format.text if format else None)
    series = given.get("series")
    if series is None and moments.duplicated().any():
        series = series_column(frame, time)
    arranged: dict[str, Arranged] = {}
    for name, rows in by_series(frame, series):
        own = moments.loc[rows.index]
        step = TimeStep.of(own.sort_values()) if own.nunique() > 1 and own.notna().all() else None
        arranged[name] = arrange(own, "interpolate", step)
    return Rows(frame, time, parts.columns if parts else [time], series, arranged)


def settings(frame: pd.DataFrame, target: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `data:` that the rows suggest; raises LabError if they are no series."""
    rows = by_time(frame, given)
    chosen = target.split(",") if target else None
    column_types.check_names(chosen or [], frame, "--target")
    window, horizon = window_and_horizon(len(rows.longest.times), given.get("season") or rows.longest.season)
    found: dict[str, Any] = {"time": rows.columns if len(rows.columns) > 1 else rows.time}
    if rows.series:
        found["series"] = rows.series
    if chosen:
        found["targets"] = chosen
    if gaps := _gaps(chosen, rows):
        found["gaps"] = gaps
    return found | {"window": window, "horizon": horizon}


def _gaps(chosen: list[str] | None, rows: Rows) -> str | None:
    """How steps without a value are treated; None if there are none."""
    frame = rows.frame
    if rows.missing > MOST_MISSING:
        return "ignore"
    names = chosen or [str(name) for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    values = frame[[name for name in names if name != rows.time]].apply(pd.to_numeric, errors="coerce")
    for (_, own), arranged in zip(by_series(frame, rows.series), rows.arranged.values(), strict=True):
        if arranged.missing or values.loc[own.index].isna().any(axis=None):
            return "interpolate"
    return None


def facts(frame: pd.DataFrame, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The number of rows, their times and their season."""
    rows = by_time(frame, given)
    first = min(each.times.iloc[0] for each in rows.arranged.values())
    last = max(each.times.iloc[-1] for each in rows.arranged.values())
    season = given.get("season") or rows.longest.season
    return [
        ("rows", f"{len(frame):,}, from {times.formatted(first)} to {times.formatted(last)}"),
        ("season", f"{season} steps" if season else "unknown; data.season sets it"),
    ]


def window_and_horizon(rows: int, season: int | None) -> tuple[int, int]:
    """Up to three seasons back and one ahead, as far as the rows allow; without a season, a few steps."""
    training = int(rows * TRAINING_SHARE)
    if season:
        for seasons in (3, 2, 1):
            if training - (seasons + 1) * season >= MIN_WINDOWS:
                return seasons * season, season
    horizon = max(1, min(12, rows // 25))
    return max(2, min(3 * horizon, training // 3)), horizon
