"""The time column of a series: found by its values, and read as timestamps or numbers."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab.data.encodings.cells import numbers
from lab.data.encodings.table import dates
from lab.data.reading.targets import label_lists
from lab.data.reading.times import date_formats, parts
from lab.data.reading.times.date_formats import Format
from lab.data.reading.times.dates import check
from lab.data.reading.times.parts import JoinedTime
from lab.errors import LabError

TIME_NAME = re.compile(
    r"(^|.*[_\s.-])(date|time|timestamp|datetime|year|month|quarter|week|day|hour|minute|second|period|step|t|ds)$"
)
REGULAR = 0.5  # share of equal steps from which numbers may be times


def with_one(
    frame: pd.DataFrame, time: str | Sequence[str] | None, series: str | None = None, date_format: str | None = None
) -> tuple[pd.DataFrame, str, JoinedTime | None]:
    """The table with its time in one column, the name of that, and how it was joined if it is in several columns.

    `time` None finds it; raises LabError where there is none.
    """
    names = named(time) or named(find(frame, series))
    if len(names) == 1:
        return frame, names[0], None
    joined = parts.of_columns(frame, names, date_format)
    return joined.joined(frame).drop(columns=names), joined.name, joined


def named(time: str | Sequence[str] | None) -> list[str]:
    """The columns that a setting of the time names."""
    return [time] if isinstance(time, str) else list(time or ())


def find(frame: pd.DataFrame, series: str | None = None) -> str | list[str]:
    """The name of the time column: dates, or regular numbers that are called a time; raises LabError if there is none.

    The first that has another time in each row, of each of the `series` named by that column; else several that are a
    time together, such as a year and a quarter; else the first of dates.
    """
    names = [str(name) for name in frame.columns if name != series]
    dated = [name for name in names if _has_dates(frame[name])]
    counted = [name for name in names if TIME_NAME.match(name.lower()) and _is_regular(frame[name])]
    for name in [*dated, *counted]:
        if not frame.duplicated([name] if series is None else [series, name]).any():
            return name
    if together := parts.find(frame[names]):
        return together
    for name in dated:
        return name
    raise LabError(
        "no column has dates, or regular numbers and a name such as time or year; "
        f"set data.time to one of {', '.join(map(str, frame.columns))}"
    )


def format_of(column: pd.Series, chosen: str | None = None) -> Format | None:
    """The format of a column of times, None if it counts in numbers; raises LabError if it has no times.

    `chosen` is a format that a person set.
    """
    if chosen is not None:
        return Format(check(chosen))
    found = date_formats.infer(column)
    if found is None and not pd.api.types.is_numeric_dtype(column.dtype):
        if (format := date_formats.of_most(column)) is not None:
            dates(column, format)  # refuses the cell that is no date
        first = next(iter(column.dropna()), None)
        raise LabError(
            f"column '{column.name}' has no dates in one format throughout; the first cell is {first!r}; "
            "set data.date_format, such as '%d/%m/%Y'"
        )
    return found


def to_timestamps(column: pd.Series, format: str | None = None) -> pd.Series:
    """Times as timestamps, or as numbers if they count; `format` None infers the format."""
    if format is None:
        found = format_of(column)
        if found is None:
            numbers(column)  # refuses infinite ones
            return column
        format = found.text
    return dates(column, format)


def formatted(time: object) -> str:
    """A time as text; without the time of day if that is midnight."""
    if isinstance(time, pd.Timestamp):
        return str(time.date() if time == time.normalize() else time)
    return f"{time:.15g}" if isinstance(time, (float, np.floating)) else str(time)


def _has_dates(column: pd.Series) -> bool:
    """Whether a column has dates, more than one; a wrong cell among ten makes no difference."""
    if label_lists.are_lists(column) or column.nunique() < 2:
        return False
    return date_formats.infer(column) is not None or date_formats.of_most(column) is not None


def _is_regular(column: pd.Series) -> bool:
    """Whether a column has numbers that, in order, are mostly equally far apart."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    steps = np.diff(np.unique(column.dropna().to_numpy(dtype=np.float64)))
    if not len(steps):
        return False
    return bool(np.isclose(steps, np.median(steps), rtol=1e-2).mean() >= REGULAR)
