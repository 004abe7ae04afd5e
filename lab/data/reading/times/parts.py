"""Times in several columns, such as a year and a quarter: found by their values, joined to one, and taken apart.

A part is a column with one unit of the time. Weeks are those of ISO 8601; of hours from 1 to 24, the first one begins
at midnight.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import permutations
from typing import Any, Literal

import numpy as np
import pandas as pd

from lab.data.encodings.cells import numbers, refuse
from lab.data.encodings.table import dates
from lab.data.reading.times import date_formats
from lab.data.reading.times.dates import MONTHS, month_number, write
from lab.errors import LabError

Unit = Literal["year", "quarter", "month", "week", "day", "date", "hour", "hour of 24", "clock"]
RANGES: dict[Unit, tuple[int, int]] = {
    "year": (1500, 2200),
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day": (1, 31),
    "hour": (0, 23),
    "hour of 24": (1, 24),
}
# Names of columns, the last word counts; a column is a part only if its values agree.
NAMES: dict[Unit, str] = {
    "year": "years?|yr|yyyy|jahr|ann[ée]e",
    "quarter": "quarters?|qtr|q|quartal|trimestre",
    "month": "months?|mon|mo|mm|monat|mois",
    "week": "weeks?|wk|kw|woche|semaine",
    "day": "days?|dd|dom|tag|jour",
    "hour": "hours?|hr|hh|stunde|heure",
    "hour of 24": "hours?|hr|hh|stunde|heure",
}
# Of combinations that fit alike, the first is taken; finer ones are looked for first.
COMBINATIONS: tuple[tuple[Unit, ...], ...] = (
    ("year", "month", "day", "hour"),
    ("year", "month", "day", "hour of 24"),
    ("year", "month", "day"),
    ("date", "clock"),
    ("date", "hour"),
    ("date", "hour of 24"),
    ("year", "quarter"),
    ("year", "month"),
    ("year", "week"),
)
CLOCK = re.compile(r"(\d{1,2})([:.])(\d\d)(?:[:.](\d\d))?")
QUARTER = re.compile(r"[QqTt] ?([1-4])")
UNNAMED = ("date", "clock")  # units that are known by their values alone
FIRST_CELLS = 100
LEAST = 2  # different values of a part that is no year


@dataclass(frozen=True)
class Part:
    """A column with one unit of the time; a date has a `format`.

    `labels` are the names of the months or quarters, in order, where they are no numbers.
    """

    column: str
    unit: Unit
    format: str | None = None
    labels: tuple[str, ...] = ()

    def read(self, cells: pd.Series) -> pd.Series:
        """The cells as numbers, dates, or durations since midnight, missing ones as such; raises LabError, with row."""
        if self.unit == "date":
            return dates(cells, self.format)
        if self.unit == "clock":
            return _since_midnight(cells)
        if not pd.api.types.is_numeric_dtype(cells.dtype) and self.labels:
            values = cells.map(_number_of_label)
            refuse(cells.notna() & values.isna(), cells, f"is no {self.unit}")
        else:
            values = pd.Series(numbers(cells), cells.index)
        first, last = RANGES[self.unit]
        outside = values.notna() & ~(values.between(first, last) & (values % 1 == 0))
        refuse(outside, cells, f"is no {self.unit.split()[0]} from {first} to {last}")
        return values

    def write(self, times: pd.DatetimeIndex, cells: pd.Series, iso_year: bool) -> list[Any]:
        """The same part of other times, as the cells write it."""
        match self.unit:
            case "date" if pd.api.types.is_datetime64_any_dtype(cells.dtype):
                return list(times.normalize())
            case "date":
                return list(write(times, self.format, str(cells.iloc[-1])))
            case "clock":
                found = CLOCK.fullmatch(str(cells.iloc[-1]).strip())
                mark, seconds = (found[2], found[4]) if found else (":", None)
                return list(times.strftime(f"%H{mark}%M" + (f"{mark}%S" if seconds else "")))
            case "week":
                return times.isocalendar().week.tolist()
            case "year" if iso_year:
                return times.isocalendar().year.tolist()
            case "hour of 24":
                return (times.hour + 1).tolist()
        values = getattr(times, self.unit).tolist()
        return [self.labels[value - 1] for value in values] if self.labels else values


@dataclass(frozen=True)
class JoinedTime:
    """A time in several columns."""

    parts: tuple[Part, ...]

    @property
    def columns(self) -> list[str]:
        """The columns of the parts."""
        return [part.column for part in self.parts]

    @property
    def name(self) -> str:
        """What the joined column is called."""
        return ", ".join(self.columns)

    def joined(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with one more column, of timestamps, as its first.

        Raises LabError, with column and row, for cells that are no such part, and parts that are no date together.
        """
        values = {part.unit: part.read(frame[part.column]) for part in self.parts}
        times = _timestamps(values).rename(self.name)
        known = pd.concat(list(values.values()), axis=1).notna().all(axis=1)
        together = frame[self.columns].astype(str).agg("-".join, axis=1).rename(self.name)
        refuse(known & times.isna(), together, "is no date", "correct it")
        return pd.concat([times, frame], axis=1)

    def taken_apart(self, times: pd.DatetimeIndex, rows: pd.DataFrame) -> dict[str, list[Any]]:
        """The parts of times, as those of the last rows are written."""
        iso_year = any(part.unit == "week" for part in self.parts)
        return {part.column: part.write(times, rows[part.column], iso_year) for part in self.parts}

    def as_json(self) -> list[dict[str, Any]]:
        """The parts, as JSON types."""
        return [asdict(part) | {"labels": list(part.labels)} for part in self.parts]

    @classmethod
    def from_json(cls, parts: list[dict[str, Any]]) -> "JoinedTime":
        """The time that `as_json` described."""
        return cls(tuple(Part(**part | {"labels": tuple(part["labels"])}) for part in parts))


def find(frame: pd.DataFrame) -> list[str] | None:
    """The columns that are a time together, by their names and their values; None if there are none."""
    first_column = cache(lambda unit: _first_column(frame, unit))
    for combination in COMBINATIONS:
        found = [first_column(unit) for unit in combination]
        columns = [name for name in found if name is not None]
        if len(set(columns)) == len(combination):
            return columns
    return None


def of_columns(frame: pd.DataFrame, columns: Sequence[str], date_format: str | None = None) -> JoinedTime:
    """The time in the given columns, by their values, and by their names where these fit several units.

    Raises LabError where they are none.
    """
    best, best_score = None, -1
    for combination in COMBINATIONS:
        for units in permutations(combination) if len(combination) == len(columns) else ():
            named = list(zip(columns, units, strict=True))
            score = sum(_is_called(name, unit) for name, unit in named)
            if score > best_score and all(_fits(frame[name], unit) for name, unit in named):
                best, best_score = named, score
    if best is None:
        raise LabError(
            f"data.time: {', '.join(columns)} are no time together; name one column, or those of a year and a quarter, "
            "month or week; a year, month and day; a date and an hour or time of day"
        )
    return JoinedTime(tuple(_part(frame[name], unit, date_format) for name, unit in best))


def _part(column: pd.Series, unit: Unit, date_format: str | None) -> Part:
    if unit == "date":
        format = date_format or getattr(date_formats.infer(column), "text", None)
        return Part(str(column.name), unit, format)
    if unit not in ("month", "quarter") or pd.api.types.is_numeric_dtype(column.dtype):
        return Part(str(column.name), unit)
    seen = {int(_number_of_label(cell)): str(cell).strip() for cell in column.dropna().unique()}
    usual = MONTHS["English"][0] if unit == "month" else ("Q1", "Q2", "Q3", "Q4")
    return Part(str(column.name), unit, None, tuple(seen.get(n, name) for n, name in enumerate(usual, start=1)))


def _first_column(frame: pd.DataFrame, unit: Unit) -> str | None:
    for name in frame.columns:
        fits = _is_called(str(name), unit) and _may_fit(frame[name], unit) and _fits(frame[name], unit)
        if fits and (unit == "year" or frame[name].nunique() >= LEAST):
            return str(name)
    return None


def _may_fit(column: pd.Series, unit: Unit) -> bool:
    """Whether the first cells may be of a unit: of one that has no name, all columns are asked."""
    return unit not in UNNAMED or _fits(column.dropna().iloc[:FIRST_CELLS], unit)


def _is_called(name: str, unit: Unit) -> bool:
    """Whether a name says the unit; dates and times of day are known by their values."""
    return unit in UNNAMED or bool(re.search(rf"(^|[\W_])({NAMES[unit]})$", name.strip().casefold()))


def _fits(column: pd.Series, unit: Unit) -> bool:
    """Whether all values of a column, missing ones aside, are of a unit."""
    known = column.dropna()
    if not len(known) or pd.api.types.is_bool_dtype(known.dtype) or not isinstance(known.iloc[0], Hashable):
        return False  # lists are no times
    if unit == "date":
        found = date_formats.infer(known)
        return found is not None and bool((moments := dates(known, found.text)).eq(moments.dt.normalize()).all())
    if unit == "clock":
        return not pd.api.types.is_numeric_dtype(known.dtype) and _clocks(known).notna().all()
    values = known if pd.api.types.is_numeric_dtype(known.dtype) else known.map(_number_of_label)
    if not pd.api.types.is_numeric_dtype(known.dtype) and unit != _unit_of_labels(known):
        return False
    first, last = RANGES[unit]
    return bool((values.between(first, last) & (values % 1 == 0)).all()) and (
        unit != "hour of 24" or values.max() == last
    )


def _unit_of_labels(known: pd.Series) -> Unit:
    return "quarter" if QUARTER.fullmatch(str(known.iloc[0]).strip()) else "month"


def _number_of_label(cell: object) -> float:
    """The number of a quarter such as Q1, or of a month by its name; NaN for another text."""
    text = str(cell).strip()
    if found := QUARTER.fullmatch(text):
        return float(found[1])
    return float(month_number(text) or np.nan)


def _since_midnight(cells: pd.Series) -> pd.Series:
    found = _clocks(cells)
    refuse(cells.notna() & found.isna(), cells, "is no time of day such as 12:30")
    return found


def _clocks(cells: pd.Series) -> pd.Series:
    """Times of day as durations, missing where a cell is none."""
    parts = cells.astype(str).str.strip().str.extract(f"^{CLOCK.pattern}$").drop(columns=1).astype(float)
    hours, minutes, seconds = parts[0], parts[2], parts[3].fillna(0)
    valid = hours.le(24) & minutes.le(59) & seconds.le(59)
    return pd.to_timedelta((hours * 3_600 + minutes * 60 + seconds).where(valid), unit="s")


def _timestamps(values: dict[Unit, pd.Series]) -> pd.Series:
    """Timestamps (N,) of the parts, NaT where one is missing or there is no such date."""
    hours = values.get("hour", values.get("hour of 24", pd.Series(0.0, next(iter(values.values())).index)))
    since = values.get("clock", pd.to_timedelta(hours - ("hour of 24" in values), unit="h"))
    if "date" in values:
        return values["date"] + since
    year = _texts(values["year"], 4)
    if "week" in values:
        return pd.to_datetime(year + "-" + _texts(values["week"], 2) + "-1", format="%G-%V-%u", errors="coerce")
    month = _texts(values["month"] if "month" in values else 3 * values["quarter"] - 2, 2)
    day = _texts(values["day"], 2) if "day" in values else "01"
    return pd.to_datetime(year + "-" + month + "-" + day, format="%Y-%m-%d", errors="coerce") + since


def _texts(values: pd.Series, digits: int) -> pd.Series:
    return values.astype("Int64").astype("string").str.zfill(digits)
