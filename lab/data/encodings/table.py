"""Encoding of tables: fitted on the training rows, applied to all rows."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.reading.dates import parse
from lab.errors import LabError, did_you_mean

Matrix = NDArray[np.float32]
DAY = np.timedelta64(1, "D")
BLANKS = ("", " ", "?", "-", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")  # missing values


@dataclass(frozen=True)
class Number:
    """A column of numbers or booleans. Missing values become `fill`; with `indicator`, a second column marks them."""

    name: str
    fill: float
    indicator: bool
    kind: ClassVar[str] = "number"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        return [self.name, f"{self.name} missing"] if self.indicator else [self.name]

    def write(self, column: pd.Series, out: Matrix) -> None:
        """Write the encoded columns into `out` (N, width)."""
        values = numbers(column)
        missing = np.isnan(values)
        out[:, 0] = np.where(missing, np.float32(self.fill), values)
        if self.indicator:
            out[:, 1] = missing


@dataclass(frozen=True)
class Category:
    """A categorical column. `values` are the known categories, None for a missing one; `shares` their frequencies.

    One-hot encoded; an unknown category is written as `shares`, which are 0 once standardised. With `embedded`, one
    column holds the index of the category, and unknown ones share the index after the last.
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
        """Write the encoded columns into `out` (N, width)."""
        codes = self._codes(column)
        if self.embedded:
            out[:, 0] = codes
        else:
            table = np.vstack([np.eye(len(self.values)), self.shares]).astype(np.float32)
            out[:] = table[codes]

    def _codes(self, column: pd.Series) -> NDArray[np.int64]:
        known = [value for value in self.values if value is not None]
        if pd.api.types.is_numeric_dtype(column) and len(column) and known and not any(map(_is_number, known)):
            raise LabError(f"column '{self.name}' holds numbers, but categories such as '{known[0]}' are expected")
        names = texts(column)
        codes = pd.Index(known, dtype=object).get_indexer(names)
        position = np.array([self.values.index(value) for value in known] + [len(self.values)])
        codes = position[codes]  # −1, an unknown category, is the last
        if None in self.values:
            codes[names.isna().to_numpy()] = self.values.index(None)
        return codes


@dataclass(frozen=True)
class Date:
    """A column of dates, in `format` if it is text: days since `origin`, day of the year, day of the week.

    The day of the year and of the week are cyclic, so each is encoded as sine and cosine; with `hours`, the time of
    day too.
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
        cycles = ["season", "weekday"] + ["hour"] * self.hours
        parts = ["days", *(f"{cycle} {part}" for cycle in cycles for part in ("sine", "cosine"))]
        return [f"{self.name} {part}" for part in parts + ["missing"] * self.indicator]

    def write(self, column: pd.Series, out: Matrix) -> None:
        """Write the encoded columns into `out` (N, width)."""
        times = dates(column, self.format)
        missing = times.isna().to_numpy()
        days = ((times - pd.Timestamp(self.origin)) / DAY).to_numpy()
        day = times.dt
        cycles = [day.day_of_year / 365.25, day.day_of_week / 7]
        if self.hours:
            cycles.append((day.hour + day.minute / 60) / 24)
        waves = [wave(2 * np.pi * cycle.to_numpy(dtype=float)) for cycle in cycles for wave in (np.sin, np.cos)]
        out[:, 0] = np.where(missing, self.fill, days)
        for index, values in enumerate(waves, start=1):
            out[:, index] = np.where(missing, 0.0, values)
        if self.indicator:
            out[:, -1] = missing


Column = Number | Category | Date
COLUMNS: dict[str, type[Column]] = {"number": Number, "category": Category, "date": Date}


@dataclass(frozen=True)
class TableEncoding:
    """The columns that a network was trained on, in order. Other columns of a table are ignored."""

    columns: tuple[Column, ...]
    kind: ClassVar[str] = "table"

    def encode(self, raw: pd.DataFrame) -> Matrix:
        """Rows of a table to (N, width); raises LabError, with column and row, for invalid values."""
        missing = [column.name for column in self.columns if column.name not in raw.columns]
        if missing:
            given = [str(name) for name in raw.columns]
            raise LabError(*[f"no column '{name}' in the data; {did_you_mean(name, given)}" for name in missing])
        out = np.empty((len(raw), len(self.names())), dtype=np.float32)
        start = 0
        for column in self.columns:
            width = len(column.names())
            column.write(raw[column.name], out[:, start : start + width])
            start += width
        return out

    def names(self) -> list[str]:
        """The names of the encoded columns, (width,)."""
        return [name for column in self.columns for name in column.names()]

    def embedded(self) -> dict[int, int]:
        """The encoded columns that hold category codes: index to number of known categories."""
        found, index = {}, 0
        for column in self.columns:
            if isinstance(column, Category) and column.embedded:
                found[index] = len(column.values)
            index += len(column.names())
        return found

    def as_json(self) -> dict[str, Any]:
        """Every column with its fitted values, as JSON types."""
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
    """A column as numbers (N,), NaN for missing ones; raises LabError for text and infinite values."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float32, na_value=np.nan)
    else:
        cells = blanks_as_missing(column)
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            raise LabError(f"column '{column.name}' holds dates, but numbers are expected")
        found = pd.to_numeric(cells, errors="coerce")
        refuse(cells.notna() & found.isna(), cells, "is not a number")
        values = found.to_numpy(dtype=np.float32, na_value=np.nan)
    refuse(pd.Series(np.isinf(values)), column, "is not finite", "leave the cell empty if the value is unknown")
    return values


def texts(column: pd.Series) -> pd.Series:
    """A column as text, stripped, integers without a decimal point; missing values stay missing."""
    if pd.api.types.is_float_dtype(column.dtype):
        whole = column.dropna() % 1 == 0
        column = column.astype("Int64") if whole.all() else column
    missing = column.isna()
    return blanks_as_missing(column.astype(object).map(str).str.strip().mask(missing, None))


def dates(column: pd.Series, format: str | None) -> pd.Series:
    """A column as timestamps, NaT for missing ones; raises LabError for a cell that is not a date in that format."""
    return parse(blanks_as_missing(column), format)


def blanks_as_missing(column: pd.Series) -> pd.Series:
    """The column with placeholders such as "" and "?" as missing values."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    return column.mask(column.isin(BLANKS))


def refuse(invalid: pd.Series, column: pd.Series, why: str, remedy: str = "correct it or leave the cell empty") -> None:
    """Raise LabError, with column and row, for the first invalid cell, if any."""
    rows = np.flatnonzero(invalid.to_numpy())
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
