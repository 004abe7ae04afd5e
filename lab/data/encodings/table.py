"""Rows of a table as numbers: fitted once on training rows, the same for every later row."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError, did_you_mean

Matrix = NDArray[np.float32]
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Number:
    """A column of numbers or truth values: where one is missing, `fill`, and with `indicator` a column of its own."""

    name: str
    fill: float
    indicator: bool
    kind: ClassVar[str] = "number"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        return [self.name, f"{self.name} missing"] if self.indicator else [self.name]

    def write(self, column: pd.Series, out: Matrix) -> None:
        """Fill in the encoded columns (N, width)."""
        values = numbers(column)
        missing = np.isnan(values)
        out[:, 0] = np.where(missing, np.float32(self.fill), values)
        if self.indicator:
            out[:, 1] = missing


@dataclass(frozen=True)
class Category:
    """A column of names. `values` are those known, None stands for a missing one; `shares` is how frequent they are.

    One column a value, 1 where it is. An unknown value is written as `shares`, which says nothing once it is
    standardised. With `embedded` one column holds the number of the value, the unknown ones being the last.
    """

    name: str
    values: tuple[str | None, ...]
    shares: tuple[float, ...]
    embedded: bool
    kind: ClassVar[str] = "category"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        return [self.name] if self.embedded else [f"{self.name} = {value}" for value in self.values]

    def write(self, column: pd.Series, out: Matrix) -> None:
        """Fill in the encoded columns (N, width)."""
        codes = self._codes(column)
        if self.embedded:
            out[:, 0] = codes
        else:
            table = np.vstack([np.eye(len(self.values)), self.shares]).astype(np.float32)
            out[:] = table[codes]

    def _codes(self, column: pd.Series) -> NDArray[np.int64]:
        known = [value for value in self.values if value is not None]
        if pd.api.types.is_numeric_dtype(column) and len(column) and known and not any(map(_is_number, known)):
            raise LabError(f"column '{self.name}' holds numbers; names such as '{known[0]}' are needed")
        names = texts(column)
        codes = pd.Categorical(names, categories=known).codes.astype(np.int64)
        position = np.array([self.values.index(value) for value in known] + [len(self.values)])
        codes = position[codes]  # −1 is the last
        if None in self.values:
            codes[names.isna().to_numpy()] = self.values.index(None)
        return codes


@dataclass(frozen=True)
class Date:
    """A column of dates, written as `format` where it is text: days since `origin`, the season, the day of the week.

    Seasons and weeks are circles, so each is a sine and a cosine; with `hours` the time of day too.
    """

    name: str
    format: str | None
    origin: str
    fill: float
    indicator: bool
    hours: bool
    kind: ClassVar[str] = "date"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        circles = ["season", "weekday"] + ["hour"] * self.hours
        parts = ["days", *(f"{circle} {part}" for circle in circles for part in ("sine", "cosine"))]
        return [f"{self.name} {part}" for part in parts + ["missing"] * self.indicator]

    def write(self, column: pd.Series, out: Matrix) -> None:
        """Fill in the encoded columns (N, width)."""
        moments = dates(column, self.format)
        missing = moments.isna().to_numpy()
        days = ((moments - pd.Timestamp(self.origin)) / DAY).to_numpy()
        day = moments.dt
        circles = [day.dayofyear / 365.25, day.dayofweek / 7]
        if self.hours:
            circles.append((day.hour + day.minute / 60) / 24)
        waves = [wave(2 * np.pi * circle.to_numpy(dtype=float)) for circle in circles for wave in (np.sin, np.cos)]
        out[:, 0] = np.where(missing, self.fill, days)
        for place, values in enumerate(waves, start=1):
            out[:, place] = np.where(missing, 0.0, values)
        if self.indicator:
            out[:, -1] = missing


Column = Number | Category | Date
COLUMNS: dict[str, type[Column]] = {"number": Number, "category": Category, "date": Date}


@dataclass(frozen=True)
class TableEncoding:
    """The columns that a network was trained on, in their order. Other columns of a table are not looked at."""

    columns: tuple[Column, ...]
    kind: ClassVar[str] = "table"

    def encode(self, raw: pd.DataFrame) -> Matrix:
        """Rows of a table to (N, width); raises LabError, with column and row, where they are unfit."""
        lacking = [column.name for column in self.columns if column.name not in raw.columns]
        if lacking:
            given = [str(name) for name in raw.columns]
            raise LabError(*[f"no column '{name}' in the data; {did_you_mean(name, given)}" for name in lacking])
        out = np.empty((len(raw), len(self.names())), dtype=np.float32)
        place = 0
        for column in self.columns:
            width = len(column.names())
            column.write(raw[column.name], out[:, place : place + width])
            place += width
        return out

    def names(self) -> list[str]:
        """The names of the encoded columns, (width,)."""
        return [name for column in self.columns for name in column.names()]

    def embedded(self) -> dict[int, int]:
        """The encoded columns that hold the number of a value: their place, and how many values are known."""
        found, place = {}, 0
        for column in self.columns:
            if isinstance(column, Category) and column.embedded:
                found[place] = len(column.values)
            place += len(column.names())
        return found

    def as_json(self) -> dict[str, Any]:
        """Every column with its medians and values."""
        return {"kind": self.kind, "columns": [{"kind": column.kind} | asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TableEncoding":
        """The encoding that `as_json` described."""
        columns = []
        for described in content["columns"]:
            settings: dict[str, Any] = {
                name: tuple(v) if isinstance(v, list) else v for name, v in described.items() if name != "kind"
            }
            columns.append(COLUMNS[described["kind"]](**settings))
        return cls(tuple(columns))


def numbers(column: pd.Series) -> Matrix:
    """A column as numbers (N,), NaN where one is missing; raises LabError for text and for infinite values."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float32, na_value=np.nan)
    else:
        cells = blanks_as_missing(column)
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            raise LabError(f"column '{column.name}' holds dates; numbers are needed")
        found = pd.to_numeric(cells, errors="coerce")
        refuse(cells.notna() & found.isna(), cells, "is no number")
        values = found.to_numpy(dtype=np.float32, na_value=np.nan)
    refuse(pd.Series(np.isinf(values)), column, "is not finite", "leave the cell empty where the value is unknown")
    return values


def texts(column: pd.Series) -> pd.Series:
    """A column as names without spaces around them, whole numbers without a decimal point; missing ones stay so."""
    if pd.api.types.is_float_dtype(column.dtype):
        whole = column.dropna() % 1 == 0
        column = column.astype("Int64") if whole.all() else column
    missing = column.isna()
    return blanks_as_missing(column.astype(object).map(str).str.strip().mask(missing, None))


def dates(column: pd.Series, format: str | None) -> pd.Series:
    """A column as moments, NaT where one is missing; raises LabError for what is no date of that format."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.tz_convert(None) if column.dt.tz is not None else column
    cells = blanks_as_missing(column)
    moments = pd.to_datetime(cells.astype(object), format=format or "ISO8601", errors="coerce")
    wanted = f"is no date such as {pd.Timestamp(2024, 12, 31).strftime(format or '%Y-%m-%d')}"
    refuse(cells.notna() & moments.isna(), cells, wanted)
    return moments


def blanks_as_missing(column: pd.Series) -> pd.Series:
    """Cells that only say that nothing is known, such as "" and "?", as missing ones."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    return column.mask(column.isin(BLANKS))


BLANKS = ("", " ", "?", "-", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")


def refuse(unfit: pd.Series, column: pd.Series, why: str, remedy: str = "mend it or leave the cell empty") -> None:
    """Raise LabError with the first of the unfit cells of a column, if there is one."""
    rows = np.flatnonzero(unfit.to_numpy())
    if len(rows):
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        value = column.iloc[rows[0]]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise LabError(f"column '{column.name}', row {rows[0] + 1}: {shown} {why}{more}; {remedy}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
