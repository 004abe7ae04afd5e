"""Classes that have an order: numbers have their own, names that of `data.order`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError

MOST_CLASSES = 50  # of different numbers, more are values to regress
SHOWN = 8


def classes(
    cells: pd.Series, order: Sequence[str | int | float] | None, name: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers (N,), 0 for the lowest, and the names of the classes in their order; raises LabError.

    `order` lists them, lowest first; it may name classes that do not occur, and is needed unless all are numbers.
    """
    named = cells.map(_name)
    numeric = pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype)
    if order is None:
        if not numeric:
            found = ", ".join(sorted(named.unique())[:SHOWN])
            raise LabError(
                f"{name} has names, whose order is not known; write data.order, the lowest first, such as [{found}]"
            )
        order = sorted(cells.unique().tolist())
        if len(order) > MOST_CLASSES:
            raise LabError(f"{name} has {len(order):,} different numbers; set data.task: regression")
    names = _checked(order)
    codes = pd.Index(names).get_indexer(named)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise LabError(f"data.order: misses '{named.iloc[row]}', which {name} has in row {row + 1}; name every class")
    _check_counts(codes, names, name)
    return codes.astype(np.int64), names


def described(names: Sequence[str]) -> str:
    """The classes in their order, such as `low < mid < high`."""
    return " < ".join(names) if len(names) <= SHOWN else f"{names[0]} < ... < {names[-1]}"


def _checked(order: Sequence[str | int | float]) -> tuple[str, ...]:
    names = tuple(_name(each) for each in order)
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise LabError(f"data.order: names '{twice}' twice")
    return names


def _check_counts(codes: NDArray[np.integer], names: Sequence[str], name: str) -> None:
    counts = np.bincount(codes, minlength=len(names))
    if (counts > 0).sum() < 2:
        raise LabError(f"{name} is '{names[codes[0]]}' in all rows; at least two classes are needed")
    if len(names) < 3:
        raise LabError(f"{name} has two classes, and two have no order to learn from; set data.task: classification")
    if (counts == 1).sum() > len(names) / 2:
        raise LabError(f"{name} is different in nearly every row; is it the right target?")


def _name(value: object) -> str:
    """A class as it is named: 2 for 2.0."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | float | np.number):
        return f"{float(value):.9g}"
    return str(value).strip()
