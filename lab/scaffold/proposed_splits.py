"""Which split a table calls for: by a column that says so, a file beside it, repeated identifiers, or time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab.data.reading import column_types, number_formats
from lab.data.reading.column_types import FEW_VALUES, IDENTIFIER
from lab.data.reading.table_files import read_table
from lab.data.splitting import given_splits
from lab.errors import LabError

SETTINGS = ("group", "order_by", "split", "test_path", "val_path")
# Whose rows are alike: a column of such a name that repeats its values is proposed as data.group.
WHO = re.compile(
    r"(patient|subject|individual|person|user|customer|client|member|participant|animal|mouse|speaker|writer|author"
    r"|player|team|household|family|session|visit|device|machine|sensor|plant|site|school|student|store|shop)s?"
    r"([_\s.-]?(id|no|nr))?$",
    re.IGNORECASE,
)
LEAST_GROUPS = 10
LEAST_REPEATS = 1.5  # rows for each value
LEAST_TIMES = 10
TRAIN = re.compile(r"(^|[_.-])train(ing)?(?=$|[_.-])", re.IGNORECASE)
BESIDE = {"test_path": ("test", "holdout"), "val_path": ("val", "valid", "validation", "dev")}


@dataclass(frozen=True)
class Proposal:
    """Settings of the data section that split a table as it calls for, and the reason."""

    settings: Mapping[str, str]
    reason: str


def proposal(path: str, inputs: pd.DataFrame, target: str | Sequence[str]) -> Proposal | None:
    """The split that a table calls for; None where nothing in it does. `inputs` are the columns but the target."""
    return next(_proposals(path, inputs, target), None)


def _proposals(path: str, inputs: pd.DataFrame, target: str | Sequence[str]) -> Iterator[Proposal]:
    yield from _files_beside(path, target)
    for name in inputs.columns:
        if given_splits.is_column(inputs[name]):
            yield Proposal({"split": name}, f"column '{name}' says for each row whether it is for train, val or test")
    for name in inputs.columns:
        if repeats_identifiers(inputs[name]):
            count = inputs[name].nunique()
            yield Proposal(
                {"group": name},
                f"'{name}' has {count:,} values in {len(inputs):,} rows: no value is on two sides, so that the test "
                "is on new ones; remove data.group if you will predict for the same ones",
            )
    for name in inputs.columns:
        if _rows_are_in_order_of(inputs[name]):
            yield Proposal(
                {"order_by": name},
                f"the rows are in order of '{name}': the test is on the last ones; remove data.order_by if you will "
                "not predict for later rows",
            )


def _files_beside(path: str, target: str | Sequence[str]) -> Iterator[Proposal]:
    """For a file train.csv, the files test.csv and val.csv beside it that have the target."""
    file = Path(path).expanduser()
    found: dict[str, str] = {}
    for setting, words in BESIDE.items() if TRAIN.search(file.stem) else ():
        for word in words:
            other = file.with_name(TRAIN.sub(rf"\1{word}", file.stem) + file.suffix)
            if other.is_file() and _has_target(other, target):
                found[setting] = str(other)
    if found:
        yield Proposal(found, f"{' and '.join(Path(other).name for other in found.values())} lie beside {file.name}")


def _has_target(file: Path, target: str | Sequence[str]) -> bool:
    try:
        return ({target} if isinstance(target, str) else set(target)) <= set(read_table(file).columns)
    except LabError:
        return False


def repeats_identifiers(column: pd.Series) -> bool:
    """Whether a column is called like an identifier or a person, and has codes that repeat."""
    name = str(column.name)
    if not (IDENTIFIER.match(name) or IDENTIFIER.match(name.lower()) or WHO.search(name)):
        return False
    if column.isna().any() or not LEAST_GROUPS <= column.nunique() <= len(column) / LEAST_REPEATS:
        return False
    return not _has_decimals(column)


def _has_decimals(column: pd.Series) -> bool:
    """Whether a column without missing cells has measured numbers, as such or as texts."""
    if not column_types.is_text(column):
        return pd.api.types.is_float_dtype(column.dtype)
    formats = number_formats.possible(column, number_formats.Choice())
    return bool(formats) and bool((formats[0].parse(column) % 1 > 0).any())


def _rows_are_in_order_of(column: pd.Series) -> bool:
    """Whether a column has dates, and the rows are in their order."""
    known = column.dropna()
    if len(known) < len(column) or known.nunique() < LEAST_TIMES:
        return False
    times = times_of(column)
    return times is not None and bool(times.is_monotonic_increasing or times.is_monotonic_decreasing)


def times_of(column: pd.Series) -> pd.Series | None:
    """A column as timestamps, None where it has no dates."""
    found = column_types.infer_date(column.dropna())
    return None if found is None else column_types.dates(column, found.format)


def near_copies(train: np.ndarray, test: np.ndarray) -> int:
    """How many test samples (N, F) have the same inputs as a training sample, to a thousandth of a deviation.

    0 where every input has few values, so that samples are alike without being copies.
    """
    if all(len(np.unique(column)) <= FEW_VALUES for column in train.T):
        return 0
    return int(np.isin(_keys(test), _keys(train)).sum())


def _keys(rows: np.ndarray) -> np.ndarray:
    """A number for each row that is the same for rows that are the same to three decimals."""
    rounded = np.ascontiguousarray(np.round(rows, 3) + 0.0, dtype=np.float32)
    return pd.util.hash_pandas_object(pd.DataFrame(rounded), index=False).to_numpy()


def overrides_split(given: Mapping[str, Any]) -> bool:
    """Whether the user has set how the rows are split."""
    return any(name in given for name in SETTINGS)
