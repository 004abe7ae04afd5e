"""What the columns of a table are, and the encoding that is fitted to them on the training rows."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.table import Category, Column, Date, Number, TableEncoding, dates, numbers, texts
from lab.errors import LabError, did_you_mean

Kind = Literal["number", "category", "date", "identifier", "text", "constant"]
CategoryChoice = Literal["auto", "one_hot", "embedding"]

MOST_ONE_HOT = 10  # values that get a column each; more are embedded
MOST_VALUES = 1_000  # values of one column that are told apart
FEWEST_ROWS = 5  # of an embedded value; rarer ones share the place of the unknown
PLAIN = (str, bool, int, float, np.generic, pd.Timestamp)
DECORATED = r"[^\w\s.,-]?\s?-?\d[\d.,' ]*\s?[%€$£]?"  # a number with a currency, a thousands mark, a percent sign
FEW_VALUES = 20  # a column with no more, some of them text, is one of names
DATE_FORMATS = (None, "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y-%m", "%b %Y", "%d %b %Y", "%d-%b-%Y")
LIKE_A_DATE = re.compile(r"(\d|[^\W\d]{3}).*[-/. ].*\d")  # digits or the name of a month, and digits again
IDENTIFIER = re.compile(r"(^|.*[_\s.-])(id|ids|index|idx|uuid|guid|key|nr|no|row|rownum|unnamed \d+)$|.*[a-z]I[dD]$")


@dataclass(frozen=True)
class Finding:
    """What a column is, and why it is dropped, if it is."""

    name: str
    kind: Kind
    why: str = ""
    format: str | None = None

    @property
    def dropped(self) -> bool:
        """Whether a network gets to see it."""
        return self.kind in ("identifier", "text", "constant")


def look(frame: pd.DataFrame, categorical: Collection[str] = (), keep: Collection[str] = ()) -> list[Finding]:
    """What each column is; raises LabError for one that is neither numbers nor names."""
    return [_look(frame[name], str(name) in categorical, str(name) in keep) for name in frame.columns]


def fit(
    frame: pd.DataFrame, findings: list[Finding], train: NDArray[np.int64], categories: CategoryChoice = "auto"
) -> TableEncoding:
    """The encoding of the columns that are not dropped, with medians and values of the rows in `train`."""
    columns = [
        _fitted(frame[finding.name].iloc[train], finding, categories) for finding in findings if not finding.dropped
    ]
    if not columns:
        reasons = "; ".join(f"{finding.name} {finding.why}" for finding in findings)
        raise LabError(f"no column is left to learn from: {reasons}")
    return TableEncoding(tuple(columns))


def _look(column: pd.Series, as_names: bool, keep: bool) -> Finding:
    name = str(column.name)
    known = column.dropna()
    if not all(isinstance(value, PLAIN) for value in known.head(1000)):
        raise LabError(f"column '{name}' holds {type(known.iloc[0]).__name__}; numbers, names and dates are needed")
    if not len(known) or ((known == known.iloc[0]).all() and (len(known) == len(column) or not keep)):
        return Finding(name, "constant", f"is always {known.iloc[0]}" if len(known) else "is empty")
    if as_names:
        return Finding(name, "category")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Finding(name, "date")
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _look_at_numbers(column, keep)
    return _look_at_text(column, known, keep)


def _look_at_numbers(column: pd.Series, keep: bool) -> Finding:
    name = str(column.name)
    numbers(column)  # refuses infinite ones
    if not keep and pd.api.types.is_integer_dtype(column.dtype) and column.is_unique and len(column) > FEW_VALUES:
        if (column.diff().iloc[1:] == 1).all():
            return Finding(name, "identifier", "counts the rows")
        if IDENTIFIER.match(name) or IDENTIFIER.match(name.lower()):
            return Finding(name, "identifier", "is a different number in every row")
    return Finding(name, "number")


def _look_at_text(column: pd.Series, known: pd.Series, keep: bool) -> Finding:
    name = str(column.name)
    numeric = pd.to_numeric(known, errors="coerce").notna()
    different = known.nunique()
    if numeric.all():
        return _look_at_numbers(pd.to_numeric(column), keep)
    if numeric.mean() > 0.5 and different > FEW_VALUES:
        row = int(known.index[~numeric][0])
        raise LabError(
            f"column '{name}', row {row + 1}: {known[row]!r} is text among {int(numeric.sum()):,} numbers; "
            f"mend it, leave it empty, or list {name} in data.categorical or data.drop"
        )
    format = date_format(known)
    if format != "none":
        return Finding(name, "date", format=format)
    if different > FEW_VALUES and known.astype(str).str.fullmatch(DECORATED).mean() > 0.9:
        raise LabError(
            f"column '{name}', row {known.index[0] + 1}: {known.iloc[0]!r} is a number with other marks; "
            "write plain numbers, such as 1234.5"
        )
    if not keep and len(known) > FEW_VALUES:
        if different == len(known):
            return Finding(name, "identifier", "is a different text in every row")
        if different > len(known) / 2:
            return Finding(name, "text", f"holds {different:,} different texts")
    return Finding(name, "category")


def date_format(known: pd.Series) -> str | None:
    """The format that all texts are dates of, None being ISO 8601; "none" where there is no such."""
    start = known.head(50).astype(object)
    if not start.map(lambda value: isinstance(value, str) and bool(LIKE_A_DATE.search(value))).all():
        return "none"
    for format in DATE_FORMATS:
        for cells in (start, known.astype(object)):
            found = pd.to_datetime(cells, format=format or "ISO8601", errors="coerce")
            if found.isna().any():
                break
        else:
            return format
    return "none"


def _fitted(column: pd.Series, finding: Finding, categories: CategoryChoice) -> Column:
    if finding.kind == "number":
        values = numbers(column)
        missing = np.isnan(values)
        fill = 0.0 if missing.all() else float(np.nanmedian(values))
        return Number(finding.name, fill, bool(missing.any()))
    if finding.kind == "date":
        moments = dates(column, finding.format)
        origin = moments.min()
        days = (moments - origin) / np.timedelta64(1, "D")
        hours = bool((moments.dropna() != moments.dropna().dt.normalize()).any())
        return Date(finding.name, finding.format, str(origin), float(days.median()), bool(moments.isna().any()), hours)
    return _fitted_category(column, finding.name, categories)


def _fitted_category(column: pd.Series, name: str, categories: CategoryChoice) -> Category:
    names = texts(column)
    counts = names.value_counts(dropna=False).sort_index()
    embedded = categories == "embedding" or (categories == "auto" and len(counts) > MOST_ONE_HOT)
    if embedded and (counts >= FEWEST_ROWS).sum() > 1:
        counts = counts[counts >= FEWEST_ROWS]
    counts = counts[counts.rank(method="first", ascending=False) <= MOST_VALUES]
    values = tuple(None if pd.isna(value) else str(value) for value in counts.index)
    shares = tuple(float(share) for share in counts / len(column))
    return Category(name, values, shares, embedded)


def check_names(wanted: Collection[str], frame: pd.DataFrame, setting: str) -> None:
    """Raise LabError for names that are no columns."""
    known = [str(name) for name in frame.columns]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise LabError(*[f"{setting}: no column '{name}'; {did_you_mean(name, known)}" for name in unknown])
