"""Infer the types of the columns of a table, and fit their encoding on the training rows."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import PLAIN, Marks, NumberFormat, are_plain_numbers, known, names, numbers
from lab.data.encodings.table import Category, Column, Date, Number, TableEncoding, dates
from lab.data.reading import number_formats
from lab.data.reading.number_formats import Choice
from lab.data.reading.times import date_formats
from lab.data.reading.times.dates import ISO, read
from lab.data.text import columns
from lab.errors import LabError, did_you_mean

Kind = Literal["number", "category", "date", "identifier", "text", "constant"]
CategoryChoice = Literal["auto", "one_hot", "embedding"]

MAX_ONE_HOT = 10  # categories of a one-hot column; more are embedded
MAX_CATEGORIES = 1_000  # of one column; rarer ones count as unknown
MIN_ROWS = 5  # of an embedded category; rarer ones count as unknown
FEW_VALUES = 20  # a text column with at most so many distinct values is categorical
CELL_TYPES = (str, bool, int, float, np.generic, pd.Timestamp)
# A number with at most a currency or a percent sign around it.
NUMBER = re.compile(r"[-+(\u2212\s]*[$€£¥]?[-+(\s]*\d[\d.,'\s]*[%$€£¥]?\)?")
IDENTIFIER = re.compile(r"(^|.*[_\s.-])(id|ids|index|idx|uuid|guid|key|nr|no|row|rownum|unnamed \d+)$|.*[a-z]I[dD]$")


@dataclass(frozen=True)
class Finding:
    """The inferred type of a column, how it writes numbers or dates, and the reason if it is dropped."""

    name: str
    kind: Kind
    why: str = ""
    format: str | None = None
    numbers: NumberFormat = PLAIN
    notes: tuple[str, ...] = ()  # what a person has to be told of how it is read

    @property
    def dropped(self) -> bool:
        """Whether the column is not an input of the network."""
        return bool(self.why)


@dataclass(frozen=True)
class Settings:
    """What the user set for the columns: lists of names, the marks of numbers and of missing values."""

    categorical: Collection[str] = ()
    keep: Collection[str] = ()
    texts: Collection[str] = ()
    numbers: Choice = field(default_factory=Choice)
    missing: Collection[str] | None = None
    decimal: str = "."  # of the columns that were read as numbers
    date_format: str | None = None

    @property
    def marks(self) -> Marks:
        """What stands for a missing value."""
        return Marks.of(self.missing)


def number_formats_of(frame: pd.DataFrame, settings: Settings) -> dict[str, NumberFormat]:
    """How the columns of text write numbers, as far as they do; raises LabError where that is ambiguous.

    Also for cells that are neither numbers nor text nor dates.
    """
    for name in frame.columns:
        _check_cells(frame[name])
    others = {*settings.categorical, *settings.texts}
    columns = [frame[name] for name in frame.columns if str(name) not in others and is_text(frame[name])]
    return number_formats.of_columns([_measured(column, settings.marks) for column in columns], settings.numbers)


def infer(frame: pd.DataFrame, formats: Mapping[str, NumberFormat], settings: Settings) -> list[Finding]:
    """The type of each column; `formats` are those of the columns of text that are numbers."""
    return [_inferred(frame[name], formats.get(str(name)), settings) for name in frame.columns]


def fit(
    frame: pd.DataFrame,
    findings: list[Finding],
    train: NDArray[np.int64],
    categories: CategoryChoice = "auto",
    missing: Collection[str] | None = None,
    text_encoding: str = "auto",
) -> TableEncoding:
    """The encoding of the columns that are not dropped, with the medians and categories of the rows in `train`."""
    marks = Marks.of(missing)
    columns = [
        _fitted(frame[finding.name].iloc[train], finding, categories, marks)
        for finding in findings
        if not finding.dropped
    ]
    if not columns:
        reasons = "; ".join(f"{finding.name} {finding.why}" for finding in findings)
        raise LabError("no input columns are left" + (f": {reasons}" if reasons else ""))
    return TableEncoding(tuple(columns), None if missing is None else tuple(missing), text_encoding)


def is_text(column: pd.Series) -> bool:
    """Whether a column holds neither numbers nor dates in memory."""
    return not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype))


def _measured(column: pd.Series, marks: Marks) -> pd.Series:
    """The cells that are not missing in a column of numbers or dates, where None is no name."""
    return known(column, marks.among_numbers()).dropna()


def _check_cells(column: pd.Series) -> None:
    known = column.dropna()
    if not all(isinstance(value, CELL_TYPES) for value in known.head(1000)):
        raise LabError(
            f"column '{column.name}' holds {type(known.iloc[0]).__name__}; only numbers, text and dates are supported; "
            f"convert it, or list {column.name} in data.drop"
        )


def _inferred(column: pd.Series, format: NumberFormat | None, settings: Settings) -> Finding:
    name, present = str(column.name), column.dropna()
    keep = name in settings.keep
    if name in settings.texts:
        return Finding(name, "text")
    if not len(present):
        return Finding(name, "constant", "is empty")
    if (present == present.iloc[0]).all() and (len(present) == len(column) or not keep):
        where = "always" if len(present) == len(column) else "empty or"
        return Finding(name, "constant", f"is {where} {present.iloc[0]}")
    if name in settings.categorical:
        return Finding(name, "category")
    if date := infer_date(_measured(column, settings.marks), settings.date_format):
        return date
    if not is_text(column):
        found = _inferred_from_numbers(column, keep, settings.marks)
        return replace(found, numbers=NumberFormat(settings.decimal))
    if format is not None:
        values = pd.Series(numbers(column, format, settings.marks), name=name).convert_dtypes()
        return replace(_inferred_from_numbers(values, keep, settings.marks), numbers=format)
    return _inferred_from_text(present, keep, settings)


def infer_date(cells: pd.Series, chosen: str | None = None) -> Finding | None:
    """A column of dates, in the chosen format if all its cells are; None if it has other cells."""
    name = str(cells.name)
    if chosen is not None and _is_in(cells, chosen):
        return Finding(name, "date", format=chosen)
    found = date_formats.infer(cells)
    if found is None:
        return None
    return Finding(name, "date", format=None if found.text == ISO else found.text, notes=tuple(found.notes()))


def _is_in(cells: pd.Series, format: str) -> bool:
    """Whether all cells are dates in a format; numbers only in one of digits alone, such as Unix time."""
    if not len(cells) or (not is_text(cells) and format not in date_formats.OF_NUMBERS):
        return False
    return bool(read(pd.Series(cells.unique()), format).notna().all())


def _inferred_from_numbers(column: pd.Series, keep: bool, marks: Marks) -> Finding:
    name = str(column.name)
    numbers(column, marks=marks)  # raises for infinite ones
    if not keep and pd.api.types.is_integer_dtype(column.dtype) and column.is_unique and len(column) > FEW_VALUES:
        if (column.diff().iloc[1:] == 1).all():
            return Finding(name, "identifier", "is a row number")
        if IDENTIFIER.match(name) or IDENTIFIER.match(name.lower()):
            return Finding(name, "identifier", "has a different number in every row")
    return Finding(name, "number")


def _inferred_from_text(cells: pd.Series, keep: bool, settings: Settings) -> Finding:
    name, different = str(cells.name), cells.nunique()
    refuse_mixed(cells, settings)
    if not keep and len(cells) > FEW_VALUES:
        if different == len(cells):
            return Finding(name, "identifier", "has a different text in every row")
        if different > len(cells) / 2:
            return Finding(name, "text", f"has {different:,} different texts")
    return Finding(name, "category")


def refuse_mixed(cells: pd.Series, settings: Settings) -> None:
    """Raise LabError for many different numbers or dates with other text among them, or not all written alike."""
    if cells.nunique() <= FEW_VALUES:
        return
    if (format := date_formats.of_most(cells)) is not None:
        dates(cells.reset_index(drop=True), format, settings.marks)
    texts = cells.astype(str)
    numeric = texts.str.fullmatch(NUMBER) & ~texts.str.match(r"0\d")
    if numeric.mean() <= 0.5 or texts.str.match(r"0\d").any():
        return
    odd, wanted = ~numeric.to_numpy(), f"is text among {int(numeric.sum()):,} numbers"
    if numeric.all():
        odd, wanted = _odd_numbers(texts, settings.numbers), "is written unlike the other numbers"
    if 0 < odd.sum() <= len(odd) / 2:
        row, name = cells.index[odd][0], cells.name
        remedy = f"correct it, leave it empty, or list {name} in data.categorical or data.drop"
        raise LabError(f"column '{name}', row {row + 1}: {cells[row]!r} {wanted}; {remedy}")


def _odd_numbers(texts: pd.Series, choice: Choice) -> NDArray[np.bool_]:
    """Which numbers do not fit the format that most have, or have another sign than most."""
    formats = [NumberFormat(*marks, tuple("$€£¥%")) for marks in number_formats.MARKS if choice.allows(*marks)]
    odd = min((np.isnan(format.parse(texts)) for format in formats), key=np.count_nonzero)
    signs = texts.str.extract("([$€£¥%])", expand=False).fillna("")
    return odd if odd.any() else (signs != signs.mode()[0]).to_numpy()


def _fitted(column: pd.Series, finding: Finding, categories: CategoryChoice, marks: Marks) -> Column:
    if finding.kind == "number":
        values = numbers(column, finding.numbers, marks)
        missing = np.isnan(values)
        fill = 0.0 if missing.all() else float(np.nanmedian(values))
        words = bool(np.isin(values[~missing], (0, 1)).all())
        return Number(finding.name, fill, bool(missing.any()), replace(finding.numbers, words=words))
    if finding.kind == "text":
        return columns.fit(column, marks)
    if finding.kind == "date":
        times = dates(column, finding.format, marks)
        origin = times.min()
        days = (times - origin) / np.timedelta64(1, "D")
        hours = bool((times.dropna() != times.dropna().dt.normalize()).any())
        return Date(finding.name, finding.format, str(origin), float(days.median()), bool(times.isna().any()), hours)
    return _fitted_category(column, finding.name, categories, marks)


def _fitted_category(column: pd.Series, name: str, categories: CategoryChoice, marks: Marks) -> Category:
    found = names(column, numeric=False, marks=marks)
    if are_plain_numbers(found.dropna().unique()):
        found = names(column, numeric=True, marks=marks)
    counts = found.value_counts(dropna=False)
    counts = counts.iloc[np.argsort(counts.index.map(str), kind="stable")]
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
