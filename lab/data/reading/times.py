"""The column of a series that says when: which one it is, and whether its steps are regular."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.table import dates, numbers
from lab.data.reading.columns import date_format
from lab.errors import LabError

NAMED_LIKE_TIME = re.compile(r"(date|time|timestamp|datetime|year|month|quarter|week|day|hour|period|step|t|ds)$")


def find(frame: pd.DataFrame) -> str:
    """The column that holds times; raises LabError where there is none."""
    for name in frame.columns:
        if _holds_dates(frame[name]):
            return str(name)
    for name in frame.columns:
        if NAMED_LIKE_TIME.search(str(name).lower()) and pd.api.types.is_numeric_dtype(frame[name].dtype):
            return str(name)
    raise LabError(f"no column holds dates or is called time, year, ...; set data.time to one of {_listed(frame)}")


def moments(column: pd.Series) -> pd.Series:
    """Times as moments, or as the numbers that they are."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers(column)
        return column
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return dates(column, None)
    format = date_format(column.dropna())
    if format == "none":
        raise LabError(f"column '{column.name}' holds no dates that all have one format, such as {column.iloc[0]!r}")
    return dates(column, format)


def check_regular(times: pd.Series, name: str, gaps_allowed: bool = False) -> None:
    """Raise LabError, with the row, for times that are missing, not in order, twice there, or have gaps."""
    missing = np.flatnonzero(times.isna().to_numpy())
    if len(missing):
        raise LabError(f"column '{name}', row {missing[0] + 1}: the time is missing; fill it in")
    steps = _steps(times)
    if (steps < 0).all():
        raise LabError(f"column '{name}': the newest row comes first; sort the rows by it, oldest first")
    _refuse(times, name, steps < 0, "comes before", "sort the rows by it")
    _refuse(times, name, steps == 0, "is the same time as", "keep one row for each time")
    if not gaps_allowed and not _are_business_days(times, steps):
        usual = float(np.median(steps))
        remedy = "fill in the rows between, or set data.gaps=ignore"
        _refuse(times, name, steps > 1.5 * usual, "leaves a gap after", remedy)
        _refuse(times, name, steps < 0.5 * usual, "follows too closely on", remedy)


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


def _refuse(times: pd.Series, name: str, unfit: NDArray[np.bool_], relation: str, remedy: str) -> None:
    places = np.flatnonzero(unfit)
    if len(places):
        row = int(places[0]) + 1
        now, before = (written(times.iloc[place]) for place in (row, row - 1))
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        raise LabError(f"column '{name}', row {row + 1}: {now} {relation} row {row}, {before}{more}; {remedy}")


def written(moment: object) -> str:
    """A moment as a person writes it: without the time of day where that is midnight."""
    if isinstance(moment, pd.Timestamp):
        return str(moment.date() if moment == moment.normalize() else moment)
    return str(moment)


def _holds_dates(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    known = column.dropna()
    return not pd.api.types.is_numeric_dtype(column.dtype) and len(known) > 0 and date_format(known) != "none"


def _listed(frame: pd.DataFrame) -> str:
    return ", ".join(str(name) for name in frame.columns)
