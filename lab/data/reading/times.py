"""The time column of a series: find it, parse it, check that its steps are regular."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import numbers
from lab.data.encodings.table import dates
from lab.data.reading.column_types import date_format
from lab.errors import LabError

TIME_NAME = re.compile(r"(date|time|timestamp|datetime|year|month|quarter|week|day|hour|period|step|t|ds)$")


def find(frame: pd.DataFrame) -> str:
    """The name of the time column; raises LabError if there is none."""
    for name in frame.columns:
        if _has_dates(frame[name]):
            return str(name)
    for name in frame.columns:
        if TIME_NAME.search(str(name).lower()) and pd.api.types.is_numeric_dtype(frame[name].dtype):
            return str(name)
    columns = ", ".join(map(str, frame.columns))
    raise LabError(f"no column has dates or is called time, year, ...; set data.time to one of {columns}")


def to_timestamps(column: pd.Series) -> pd.Series:
    """Times as timestamps, or as numbers if they are numeric."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers(column)
        return column
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return dates(column, None)
    format = date_format(column.dropna())
    if format == "none":
        raise LabError(
            f"column '{column.name}' has no dates in one format throughout; the first cell is {column.iloc[0]!r}"
        )
    return dates(column, format)


def check_regular(times: pd.Series, name: str, gaps_allowed: bool = False) -> None:
    """Raise LabError, with the row, for times that are missing, out of order, duplicated, or with gaps between them."""
    missing = np.flatnonzero(times.isna().to_numpy())
    if len(missing):
        raise LabError(f"column '{name}', row {missing[0] + 1}: the time is missing; fill it in")
    steps = _steps(times)
    if (steps < 0).all():
        raise LabError(f"column '{name}': the newest row comes first; sort the rows by it, oldest first")
    _check(times, name, steps < 0, "comes before", "sort the rows by it")
    _check(times, name, steps == 0, "is the same time as", "keep one row for each time")
    if not gaps_allowed and not _are_business_days(times, steps):
        usual = float(np.median(steps))
        remedy = "add the missing rows, or set data.gaps=ignore"
        _check(times, name, steps > 1.5 * usual, "follows a gap after", remedy)
        _check(times, name, steps < 0.5 * usual, "follows too closely on", remedy)


def _steps(times: pd.Series) -> NDArray[np.float64]:
    """The time from each row to the next, in days or in its own unit."""
    differences = times.diff().iloc[1:]
    if pd.api.types.is_timedelta64_dtype(differences.dtype):
        differences = differences / np.timedelta64(1, "D")
    return differences.to_numpy(dtype=np.float64)


def _are_business_days(times: pd.Series, steps: NDArray[np.float64]) -> bool:
    """Whether every gap is a weekend."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return False
    over_weekend = (steps == 3) & (times.dt.day_of_week.to_numpy()[:-1] == 4)
    return bool(((steps == 1) | over_weekend).all())


def _check(times: pd.Series, name: str, invalid: NDArray[np.bool_], relation: str, remedy: str) -> None:
    steps = np.flatnonzero(invalid)
    if len(steps):
        row = int(steps[0]) + 1
        time, previous = formatted(times.iloc[row]), formatted(times.iloc[row - 1])
        more = f" (and {len(steps) - 1} more)" if len(steps) > 1 else ""
        raise LabError(f"column '{name}', row {row + 1}: {time} {relation} row {row}, {previous}{more}; {remedy}")


def formatted(time: object) -> str:
    """A time as text; without the time of day if that is midnight."""
    if isinstance(time, pd.Timestamp):
        return str(time.date() if time == time.normalize() else time)
    return str(time)


def _has_dates(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    known = column.dropna()
    return not pd.api.types.is_numeric_dtype(column.dtype) and len(known) > 0 and date_format(known) != "none"
