"""Encoding of tables: fitted on the training rows, applied to all rows."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import (
    PLAIN,
    USUAL,
    Marks,
    NumberFormat,
    are_plain_numbers,
    known,
    may_be_numbers,
    names,
    numbers,
    refuse,
)
from lab.data.encodings.text import FreeText, Words
from lab.data.reading.times.dates import parse
from lab.errors import LabError, did_you_mean

Matrix = NDArray[np.float32]
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Number:
    """A column of numbers or booleans. Missing values become `fill`; with `indicator`, a second column marks them.

    `format` is how the file of the training data writes numbers.
    """

    name: str
    fill: float
    indicator: bool
    format: NumberFormat = PLAIN
    kind: ClassVar[str] = "number"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        return [self.name, f"{self.name} missing"] if self.indicator else [self.name]

    def write(self, column: pd.Series, marks: Marks, out: Matrix) -> None:
        """Write the encoded columns into `out` (N, width)."""
        values = numbers(column, self.format, marks)
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
        if self.embedded:
            return [self.name]
        return [f"{self.name} missing" if value is None else f"{self.name} = {value}" for value in self.values]

    def write(self, column: pd.Series, marks: Marks, out: Matrix) -> None:
        """Write the encoded columns into `out` (N, width)."""
        codes = self._codes(column, marks)
        if self.embedded:
            out[:, 0] = codes
        else:
            table = np.vstack([np.eye(len(self.values)), self.shares]).astype(np.float32)
            out[:] = table[codes]

    def _codes(self, column: pd.Series, marks: Marks) -> NDArray[np.int64]:
        """The index of each cell's category, that after the last for an unknown one."""
        known = [value for value in self.values if value is not None]
        keys = names(pd.Series(known, dtype=object), are_plain_numbers(known), marks)
        numeric = are_plain_numbers(known) and keys.is_unique
        if known and not may_be_numbers(known):
            self._refuse_numbers(column, known)
        found = names(column, numeric, marks)
        codes = pd.Index(keys if numeric else known, dtype=object).get_indexer(found)
        position = np.array([self.values.index(value) for value in known] + [len(self.values)])
        codes = position[codes]  # −1, an unknown category, is the last
        if None in self.values:
            codes[found.isna().to_numpy()] = self.values.index(None)
        return codes

    def _refuse_numbers(self, column: pd.Series, known: list[str]) -> None:
        """Raise LabError for a column of numbers, which cannot be names, nor codes such as 001."""
        dtype = column.dtype
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) and column.notna().any():
            raise LabError(
                f"column '{self.name}' holds numbers, but names such as '{known[0]}' are expected; give it as text"
            )


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

    def write(self, column: pd.Series, marks: Marks, out: Matrix) -> None:
        """Write the encoded columns into `out` (N, width)."""
        times = dates(column, self.format, marks)
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


Column = Number | Category | Date | FreeText
COLUMNS: dict[str, type[Column]] = {"number": Number, "category": Category, "date": Date, "text": FreeText}


@dataclass(frozen=True)
class TableEncoding:
    """The columns that a network was trained on, in order. Other columns of a table are ignored.

    `missing` are the texts that stand for a missing value, None for the usual ones; `text_encoding` is that which was
    set for the file, "auto" if none was.
    """

    columns: tuple[Column, ...]
    missing: tuple[str, ...] | None = None
    text_encoding: str = "auto"
    kind: ClassVar[str] = "table"

    def encode(self, raw: pd.DataFrame) -> Matrix:
        """Rows of a table to (N, width); raises LabError, with column and row, for invalid values."""
        if not isinstance(raw, pd.DataFrame):
            raise LabError(f"a DataFrame of rows is expected, not {type(raw).__name__}; read a file with pandas first")
        given = [str(name) for name in raw.columns]
        raw = raw.set_axis(given, axis=1)  # numbers in a DataFrame that was made of an array
        missing = [column.name for column in self.columns if column.name not in given]
        if missing:
            raise LabError(*[f"no column '{name}' in the data; {self._meant(name, given)}" for name in missing])
        if twice := [column.name for column in self.columns if given.count(column.name) > 1]:
            raise LabError(f"several columns are called '{twice[0]}'; rename all but one")
        out = np.empty((len(raw), len(self.names())), dtype=np.float32)
        marks, start = Marks.of(self.missing), 0
        for column in self.columns:
            width = len(column.names())
            _write(column, raw[column.name], marks, out[:, start : start + width])
            start += width
        return out

    def _meant(self, name: str, given: list[str]) -> str:
        """A similar name in the data, else what the model takes: MLflow hands over no column that it does not know."""
        hint = did_you_mean(name, given)
        return hint if hint.startswith("did") else f"it takes {', '.join(column.name for column in self.columns)}"

    def names(self) -> list[str]:
        """The names of the encoded columns, (width,)."""
        return [name for column in self.columns for name in column.names()]

    def numbers(self) -> list[int]:
        """The encoded columns that hold numbers, or the days of dates."""
        found, index = [], 0
        for column in self.columns:
            if isinstance(column, Number | Date):
                found.append(index)
            index += len(column.names())
        return found

    def embedded(self) -> dict[int, int]:
        """The encoded columns that hold category codes: index to number of known categories."""
        found, index = {}, 0
        for column in self.columns:
            if isinstance(column, Category) and column.embedded:
                found[index] = len(column.values)
            index += len(column.names())
        return found

    def texts(self) -> dict[tuple[int, int], int]:
        """The encoded columns that hold the tokens of a text: first and after the last, to number of tokens."""
        found, index = {}, 0
        for column in self.columns:
            width = len(column.names())
            if isinstance(column, FreeText):
                found[index, index + width] = column.tokenizer.tokens
            index += width
        return found

    def as_texts(self) -> list[str]:
        """The columns that have to be read from a file as they are written: all but plain numbers."""
        return [column.name for column in self.columns if not (isinstance(column, Number) and column.format.plain)]

    def as_json(self) -> dict[str, Any]:
        """Every column with its fitted values, as JSON types."""
        columns = [{"kind": column.kind} | asdict(column) for column in self.columns]
        return {"kind": self.kind, "columns": columns, "missing": self.missing, "text_encoding": self.text_encoding}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TableEncoding":
        """The encoding that `as_json` described."""
        columns = []
        for described in content["columns"]:
            settings: dict[str, Any] = _with_tuples(described)
            kind = COLUMNS[settings.pop("kind")]
            if isinstance(settings.get("format"), dict):
                settings["format"] = NumberFormat(**_with_tuples(settings["format"]))
            if isinstance(settings.get("tokenizer"), dict):
                settings["tokenizer"] = Words(**_with_tuples(settings["tokenizer"]))
            columns.append(kind(**settings))
        missing = content.get("missing")
        marks = None if missing is None else tuple(missing)
        return cls(tuple(columns), marks, content.get("text_encoding", "auto"))


def _write(column: Column, cells: pd.Series, marks: Marks, out: Matrix) -> None:
    """Write the encoded columns; raises LabError, with the row, for a cell that holds several values."""
    try:
        column.write(cells, marks, out)
    except TypeError:
        several = cells.map(lambda cell: isinstance(cell, (list, dict, set, np.ndarray)))
        refuse(several, cells, "is not a single value", "a cell holds one number or text")
        raise


def _with_tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}


def dates(column: pd.Series, format: str | None, marks: Marks = USUAL) -> pd.Series:
    """A column as timestamps, NaT for missing ones; raises LabError for a cell that is not a date in that format."""
    return parse(known(column, marks.among_numbers()), format)
