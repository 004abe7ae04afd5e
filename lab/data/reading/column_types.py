"""Infer the types of the columns of a table, and fit their encoding on the training rows."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.table import Category, Column, Date, Number, TableEncoding, dates, numbers, texts
from lab.data.reading import date_formats
from lab.data.reading.dates import ISO
from lab.errors import LabError, did_you_mean

Kind = Literal["number", "category", "date", "identifier", "text", "constant"]
CategoryChoice = Literal["auto", "one_hot", "embedding"]

MAX_ONE_HOT = 10  # categories of a one-hot column; more are embedded
MAX_CATEGORIES = 1_000  # of one column; rarer ones count as unknown
MIN_ROWS = 5  # of an embedded category; rarer ones count as unknown
FEW_VALUES = 20  # a text column with at most so many distinct values is categorical
CELL_TYPES = (str, bool, int, float, np.generic, pd.Timestamp)
FORMATTED_NUMBER = r"[^\w\s.,-]?\s?-?\d[\d.,' ]*\s?[%€$£]?"  # with a currency, thousands separators, a percent sign
IDENTIFIER = re.compile(r"(^|.*[_\s.-])(id|ids|index|idx|uuid|guid|key|nr|no|row|rownum|unnamed \d+)$|.*[a-z]I[dD]$")


@dataclass(frozen=True)
class Finding:
    """The inferred type of a column, and the reason if it is dropped."""

    name: str
    kind: Kind
    why: str = ""
    format: str | None = None

    @property
    def dropped(self) -> bool:
        """Whether the column is not an input of the network."""
        return self.kind in ("identifier", "text", "constant")


def infer(frame: pd.DataFrame, categorical: Collection[str] = (), keep: Collection[str] = ()) -> list[Finding]:
    """The type of each column; raises LabError for cells that are not numbers, text or dates."""
    return [_inferred(frame[name], str(name) in categorical, str(name) in keep) for name in frame.columns]


def fit(
    frame: pd.DataFrame, findings: list[Finding], train: NDArray[np.int64], categories: CategoryChoice = "auto"
) -> TableEncoding:
    """The encoding of the columns that are not dropped, with the medians and categories of the rows in `train`."""
    columns = [
        _fitted(frame[finding.name].iloc[train], finding, categories) for finding in findings if not finding.dropped
    ]
    if not columns:
        reasons = "; ".join(f"{finding.name} {finding.why}" for finding in findings)
        raise LabError(f"no input columns are left: {reasons}")
    return TableEncoding(tuple(columns))


def _inferred(column: pd.Series, categorical: bool, keep: bool) -> Finding:
    name = str(column.name)
    known = column.dropna()
    if not all(isinstance(value, CELL_TYPES) for value in known.head(1000)):
        raise LabError(
            f"column '{name}' holds {type(known.iloc[0]).__name__}; only numbers, text and dates are supported"
        )
    if not len(known) or ((known == known.iloc[0]).all() and (len(known) == len(column) or not keep)):
        return Finding(name, "constant", f"is always {known.iloc[0]}" if len(known) else "is empty")
    if categorical:
        return Finding(name, "category")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Finding(name, "date")
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _inferred_from_numbers(column, keep)
    return _inferred_from_text(column, known, keep)


def _inferred_from_numbers(column: pd.Series, keep: bool) -> Finding:
    name = str(column.name)
    numbers(column)  # raises for infinite ones
    if not keep and pd.api.types.is_integer_dtype(column.dtype) and column.is_unique and len(column) > FEW_VALUES:
        if (column.diff().iloc[1:] == 1).all():
            return Finding(name, "identifier", "is a row number")
        if IDENTIFIER.match(name) or IDENTIFIER.match(name.lower()):
            return Finding(name, "identifier", "has a different number in every row")
    format = date_format(column.dropna())  # 20240131, Unix time
    return Finding(name, "number") if format == "none" else Finding(name, "date", format=format)


def _inferred_from_text(column: pd.Series, known: pd.Series, keep: bool) -> Finding:
    name = str(column.name)
    numeric = pd.to_numeric(known, errors="coerce").notna()
    different = known.nunique()
    if numeric.all():
        return _inferred_from_numbers(pd.to_numeric(column), keep)
    if numeric.mean() > 0.5 and different > FEW_VALUES:
        row = int(known.index[~numeric][0])
        raise LabError(
            f"column '{name}', row {row + 1}: {known[row]!r} is text among {int(numeric.sum()):,} numbers; "
            f"correct it, leave it empty, or list {name} in data.categorical or data.drop"
        )
    format = date_format(known)
    if format != "none":
        return Finding(name, "date", format=format)
    if different > FEW_VALUES and known.astype(str).str.fullmatch(FORMATTED_NUMBER).mean() > 0.9:
        raise LabError(
            f"column '{name}', row {known.index[0] + 1}: {known.iloc[0]!r} is a formatted number; "
            "write plain numbers, such as 1234.5"
        )
    if not keep and len(known) > FEW_VALUES:
        if different == len(known):
            return Finding(name, "identifier", "has a different text in every row")
        if different > len(known) / 2:
            return Finding(name, "text", f"has {different:,} different texts")
    return Finding(name, "category")


def date_format(known: pd.Series) -> str | None:
    """The date format that all texts have, None for ISO 8601; "none" if there is no such format."""
    found = date_formats.infer(known)
    if found is None:
        return "none"
    return None if found.text == ISO else found.text


def _fitted(column: pd.Series, finding: Finding, categories: CategoryChoice) -> Column:
    if finding.kind == "number":
        values = numbers(column)
        missing = np.isnan(values)
        fill = 0.0 if missing.all() else float(np.nanmedian(values))
        return Number(finding.name, fill, bool(missing.any()))
    if finding.kind == "date":
        times = dates(column, finding.format)
        origin = times.min()
        days = (times - origin) / np.timedelta64(1, "D")
        hours = bool((times.dropna() != times.dropna().dt.normalize()).any())
        return Date(finding.name, finding.format, str(origin), float(days.median()), bool(times.isna().any()), hours)
    return _fitted_category(column, finding.name, categories)


def _fitted_category(column: pd.Series, name: str, categories: CategoryChoice) -> Category:
    names = texts(column)
    counts = names.value_counts(dropna=False).sort_index()
    embedded = categories == "embedding" or (categories == "auto" and len(counts) > MAX_ONE_HOT)
    if embedded and (counts >= MIN_ROWS).sum() > 1:
        counts = counts[counts >= MIN_ROWS]
    counts = counts[counts.rank(method="first", ascending=False) <= MAX_CATEGORIES]
    values = tuple(None if pd.isna(value) else str(value) for value in counts.index)
    shares = tuple(float(share) for share in counts / len(column))
    return Category(name, values, shares, embedded)


def check_names(wanted: Collection[str], frame: pd.DataFrame, setting: str) -> None:
    """Raise LabError for names that are not columns of the table."""
    known = [str(name) for name in frame.columns]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise LabError(*[f"{setting}: no column '{name}'; {did_you_mean(name, known)}" for name in unknown])
