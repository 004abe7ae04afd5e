"""Cells of a table as numbers or names, the same from CSV, Parquet, JSON or a DataFrame.

Part of every logged model of a table, so it imports numpy, pandas and lab.errors alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError

# What stands for a missing value; among numbers and dates NO_NUMBER does too, among names it may be one of them.
MISSING = (
    *("", "?", "-", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "#NA", "#N/A N/A", "-NaN"),
    *("-nan", "1.#QNAN", "N.A.", "NaT", "\\N", "(null)", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?"),
)
NO_NUMBER = ("None", "none", ".", "--", "n.a.", "0000-00-00", "0000-00-00 00:00:00")
CODE = re.compile(r"0\d")
WORDS = {"true": 1.0, "false": 0.0}
PLAIN_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")  # "001" is a code
PLAIN_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2019": "'"})
NEGATIVE = re.compile(r"\D*\(.*\)\D*|\D*-.*|.*\d\s*-")
SPACES = re.compile(r"[\s\u00a0\u202f\u2009]")
DIGITS = 7  # that single precision holds


@dataclass(frozen=True)
class NumberFormat:
    """How a column writes its numbers: the mark before decimals, the mark between thousands ("" for none).

    `affixes` are what stands before or after a number, such as $ or %; `words` says whether true and false are numbers.
    """

    decimal: str = "."
    thousands: str = ""
    affixes: tuple[str, ...] = ()
    words: bool = False

    @property
    def plain(self) -> bool:
        """Whether numbers are written as computers do."""
        return (self.decimal, self.thousands, self.affixes) == (".", "", ())

    def example(self) -> str:
        """A number in this format."""
        return f"1{self.thousands}234{self.decimal}5"

    def parse(self, texts: pd.Series) -> NDArray[np.float64]:
        """Texts as numbers (N,), NaN for those that are not in this format."""
        if self.plain:
            found = pd.to_numeric(texts, errors="coerce")
        else:
            cores = self._cores(texts)
            valid = cores.str.fullmatch(self._pattern())
            digits = cores.str.replace(self.thousands, "") if self.thousands else cores
            found = pd.to_numeric(digits.str.replace(self.decimal, ".").where(valid), errors="coerce")
        values = found.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        if self.words:
            values = np.where(np.isnan(values), texts.str.lower().map(WORDS).to_numpy(dtype=float), values)
        return values

    def _cores(self, texts: pd.Series) -> pd.Series:
        """Digits and marks alone, behind a minus where the number is negative: -5, $-5, 5- or (5)."""
        cores = texts.str.translate(PLAIN_SIGNS)
        negative = cores.str.fullmatch(NEGATIVE)
        for affix in self.affixes:
            cores = cores.str.replace(affix, "", regex=False)
        cores = cores.str.replace(SPACES, " ", regex=True).str.strip("()+- ")
        return cores.where(~negative, "-" + cores)

    def _pattern(self) -> str:
        decimals = rf"(?:{re.escape(self.decimal)}\d*)?"
        plain = rf"\d+{decimals}(?:[eE][+-]?\d+)?|{re.escape(self.decimal)}\d+"
        mark = re.escape(self.thousands)
        grouped = rf"[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}{decimals}|" if mark else ""
        return rf"-?(?:{grouped}{plain})"


@dataclass(frozen=True)
class Marks:
    """What stands for a missing value: the texts, and those of them that are numbers."""

    texts: frozenset[str] = frozenset(MISSING)
    numbers: tuple[float, ...] = field(default=())

    @classmethod
    def of(cls, marks: Collection[str] | None) -> "Marks":
        """The marks that a user chose, or the usual ones."""
        if marks is None:
            return cls()
        return cls(frozenset(marks), tuple(float(mark) for mark in marks if _is_number(mark)))

    def among_numbers(self) -> "Marks":
        """The marks among numbers and dates: with the usual ones, None too."""
        return Marks(self.texts | {*NO_NUMBER}, self.numbers) if self.texts == frozenset(MISSING) else self


USUAL = Marks()
PLAIN = NumberFormat()


def numbers(column: pd.Series, format: NumberFormat = PLAIN, marks: Marks = USUAL) -> NDArray[np.float32]:
    """A column as numbers (N,), NaN for missing ones; raises LabError, with the row, for text and infinite values."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise LabError(f"column '{column.name}' holds dates, but numbers are expected")
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float32, na_value=np.nan)
    else:
        cells = known(column, marks.among_numbers())
        values = _parsed(cells, format)
        wanted = "is not a number" if format.plain else f"is not a number such as {format.example()}"
        refuse(cells.notna() & np.isnan(values), column, wanted)
        values = values.astype(np.float32)
    if marks.numbers:
        values = np.where(np.isin(values, np.array(marks.numbers, np.float32)), np.float32(np.nan), values)
    refuse(pd.Series(np.isinf(values)), column, "is not finite", "leave the cell empty if the value is unknown")
    return values


def _parsed(cells: pd.Series, format: NumberFormat) -> NDArray[np.float64]:
    """Cells without missing marks as numbers (N,), NaN for what is none; texts are read in the format."""
    are_texts = cells.map(lambda cell: isinstance(cell, str)).to_numpy(dtype=bool)
    values = np.full(len(cells), np.nan)
    if are_texts.any():
        values[are_texts] = format.parse(cells[are_texts].astype(object))
    if not are_texts.all():
        values[~are_texts] = pd.to_numeric(cells[~are_texts].astype(object), errors="coerce").astype(float)
    return values


def known(column: pd.Series, marks: Marks = USUAL) -> pd.Series:
    """The column with texts stripped and missing values as None."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    codes, cells = pd.factorize(column.astype(object))
    stripped = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    values = np.array([None if cell in marks.texts else cell for cell in stripped] + [None], dtype=object)
    return pd.Series(values[codes], index=column.index, name=column.name, dtype=object)


def names(column: pd.Series, numeric: bool, marks: Marks = USUAL) -> pd.Series:
    """A column as names, None for missing ones; with `numeric`, 2, "2" and "2.0" are one name."""
    codes, cells = pd.factorize(column)
    found = [_name(cell, numeric, marks) for cell in cells]
    values = np.array([*found, None], dtype=object)
    return pd.Series(values[codes], index=column.index, name=column.name, dtype=object)


def _name(cell: Any, numeric: bool, marks: Marks) -> str | None:
    """The name that a cell holds."""
    if isinstance(cell, str):
        text = cell.strip()
        if text in marks.texts:
            return None
        return _of_number(float(text)) if numeric and PLAIN_NUMBER.fullmatch(text) else text
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, int | float | np.number):
        return None if float(cell) in marks.numbers else _of_number(cell)
    if isinstance(cell, pd.Timestamp):
        return str(cell.date() if cell == cell.normalize() else cell)
    return str(cell).strip()


def _of_number(value: Any) -> str:
    return str(int(value)) if value == np.floor(value) and np.isfinite(value) else f"{float(value):.{DIGITS}g}"


def are_plain_numbers(texts: Collection[str]) -> bool:
    """Whether all texts are numbers as computers write them; codes such as 001 are none."""
    return all(PLAIN_NUMBER.fullmatch(text) for text in texts)


def may_be_numbers(texts: Collection[str]) -> bool:
    """Whether a cell with a number may stand for one of the texts: some are numbers, and none is a code as 001."""
    return any(map(PLAIN_NUMBER.fullmatch, texts)) and not any(map(CODE.match, texts))


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
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
