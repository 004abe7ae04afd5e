"""Labels, of which a sample may have several or none: columns of yes and no, or one column of lists."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError

SEPARATORS = (";", "|", ",")
YES, NO = frozenset(("1", "1.0", "yes", "y", "true")), frozenset(("0", "0.0", "no", "n", "false"))
MOST_LABELS = 1_000


@dataclass(frozen=True)
class LabelLists:
    """Labels (N, K) of 0 and 1, their names, and how the cells were read."""

    values: NDArray[np.int64]
    names: tuple[str, ...]
    how: str


def yes_or_no(cells: pd.Series, name: str) -> NDArray[np.int64]:
    """A column as 0 and 1, (N,); raises LabError, with the row, for another value, and where it is 0 everywhere."""
    texts = cells.reset_index(drop=True).map(lambda cell: str(cell).strip().lower())
    yes = texts.isin(YES)
    odd = ~(yes | texts.isin(NO)).to_numpy()
    if odd.any():
        row = int(odd.argmax())
        raise LabError(
            f"{name}, row {row + 1}: {cells.iloc[row]!s:.40} is no label; it must be 0 or 1, yes or no, true or false"
        )
    if not yes.any():
        raise LabError(f"{name} is {cells.iloc[0]} in all rows: no sample has this label; leave it out")
    return yes.to_numpy(np.int64)


def are_yes_and_no(cells: pd.Series) -> bool:
    """Whether all cells are 0 or 1, yes or no, true or false, and both occur."""
    texts = cells.map(lambda cell: str(cell).strip().lower())
    yes = texts.isin(YES)
    return bool((yes | texts.isin(NO)).all() and yes.any() and not yes.all())


def read(cells: pd.Series, name: str, separator: str | None = None) -> LabelLists:
    """The labels in a column of lists: of Parquet, JSON lists, or texts with a separator, which is found if not given.

    An empty or missing cell has no label. Raises LabError where there are no lists, or a single label.
    """
    if are_lists(cells):
        lists, how = [list(cell) if _is_list(cell) else [] for cell in cells], "lists"
    else:
        texts = cells.map(lambda cell: "" if _missing(cell) else str(cell).strip())
        if separator is None and texts[texts != ""].str.startswith("[").all():
            lists, how = [_of_json(text, row, name) for row, text in enumerate(texts, start=1)], "JSON lists"
        else:
            separator = separator or _separator(texts, cells, name)
            lists, how = [text.split(separator) for text in texts], f"separated by '{separator}'"
    return _as_matrix([[str(label).strip() for label in each] for each in lists], name, how)


def are_lists(cells: pd.Series) -> bool:
    """Whether the cells are lists, as Parquet holds them."""
    return any(_is_list(cell) for cell in cells.head(1_000))


def found_separator(cells: pd.Series) -> str | None:
    """The separator that most cells have, None where no cell has any."""
    counts = {mark: int(cells.astype(str).str.contains(mark, regex=False).sum()) for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _separator(texts: pd.Series, cells: pd.Series, name: str) -> str:
    if pd.api.types.is_numeric_dtype(cells.dtype) or (found := found_separator(texts)) is None:
        raise LabError(
            f"{name} has one label in every row: that is data.task: classification; lists are separated by "
            f"{' '.join(SEPARATORS)}, or by data.label_separator"
        )
    return found


def _as_matrix(lists: list[list[str]], name: str, how: str) -> LabelLists:
    names = tuple(sorted({label for each in lists for label in each if label}))
    if not names:
        raise LabError(f"{name} is empty in all rows: no sample has a label")
    if len(names) == 1:
        raise LabError(
            f"{name} has a single label, '{names[0]}': write it as yes and no, for data.task: classification"
        )
    if len(names) > min(MOST_LABELS, max(len(lists) / 2, 2)):
        raise LabError(f"{name} has {len(names):,} different labels in {len(lists):,} rows; is it the right target?")
    position = {label: number for number, label in enumerate(names)}
    values = np.zeros((len(lists), len(names)), np.int64)
    for row, each in enumerate(lists):
        values[row, [position[label] for label in each if label]] = 1
    return LabelLists(values, names, how)


def _of_json(text: str, row: int, name: str) -> list[Any]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list) or any(isinstance(label, list | dict) for label in found):
        raise LabError(f"{name}, row {row}: {text[:40]!r} is no JSON list of labels; correct it")
    return found


def _is_list(cell: object) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NA
