"""Targets, and the task that they imply: classification or regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError

TaskChoice = Literal["auto", "classification", "regression"]
MAX_INTEGER_CLASSES = 20  # distinct integers that still count as classes


@dataclass(frozen=True)
class Target:
    """Class indices (N,) with their names, or values (N, T) without; and how the task was determined."""

    values: NDArray[Any]
    class_names: tuple[str, ...]
    reason: str


def resolve(raw: NDArray[Any] | pd.Series, task: TaskChoice, name: str) -> Target:
    """The target of a column or an array (N,) or (N, T), called `name` in messages.

    By default text, booleans and up to 20 distinct integers are classes, other numbers are values to regress.
    Raises LabError for missing values and for targets that are constant or unique to each row.
    """
    if raw.ndim > 1:
        if task == "classification":
            raise LabError(f"{name} has shape {raw.shape[1:]} per sample; a class is one number or name per sample")
        return _values(np.asarray(raw), name, f"{name} has several values per sample")
    cells = pd.Series(np.asarray(raw) if isinstance(raw, np.ndarray) else raw).reset_index(drop=True)
    _check_complete(cells, name)
    numeric = pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype)
    if task == "auto":
        task, why = _inferred(cells, numeric)
        reason = f"inferred: {name} {why}"
    else:
        reason = "set by data.task"
    if task == "classification":
        return _classes(cells, numeric, name, reason)
    if not numeric and not pd.api.types.is_bool_dtype(cells.dtype):
        raise LabError(f"{name} has text such as {cells.iloc[0]!r}; regression needs numbers")
    return _values(cells.to_numpy(dtype=np.float64)[:, None], name, reason)


def describe(target: Target) -> str:
    """The task as text, such as 'classification, 3 classes (inferred: ...)'."""
    if target.class_names:
        return f"classification, {len(target.class_names)} classes ({target.reason})"
    count = target.values.shape[1]
    return f"regression, {count} value{'s' if count > 1 else ''} ({target.reason})"


def _inferred(cells: pd.Series, numeric: bool) -> tuple[Literal["classification", "regression"], str]:
    if not numeric:
        return "classification", "has text"
    counts = cells.value_counts()
    whole = bool((cells % 1 == 0).all()) if np.isfinite(cells).all() else False
    if whole and len(counts) <= MAX_INTEGER_CLASSES and (len(counts) <= 2 or counts.min() > 1):
        return "classification", f"has {len(counts)} different integers"
    return "regression", "has numbers"


def _check_complete(cells: pd.Series, name: str) -> None:
    missing = np.flatnonzero(cells.isna().to_numpy())
    if len(missing):
        rows = "row" if len(missing) == 1 else "rows"
        raise LabError(
            f"{name} is missing in {len(missing):,} {rows}, first in row {missing[0] + 1}; "
            "fill it in, remove such rows, or set data.missing_target: skip"
        )


def _values(values: NDArray[Any], name: str, reason: str) -> Target:
    if values.dtype.kind not in "biuf":
        raise LabError(f"{name} has type {values.dtype}, but numbers are expected")
    invalid = np.flatnonzero(~np.isfinite(values.astype(np.float64)).reshape(len(values), -1).all(axis=1))
    if len(invalid):
        raise LabError(f"{name}, row {invalid[0] + 1}: {_shown(values[invalid[0]])} is not finite; remove such rows")
    if (values == values[:1]).all():
        raise LabError(f"{name} is the same in all rows, {_shown(values[0])}; there is nothing to learn")
    return Target(values.astype(np.float32).reshape(len(values), -1), (), reason)


def _shown(row: NDArray[Any]) -> str:
    return str(row.item() if row.size == 1 else row.tolist())


def _classes(cells: pd.Series, numeric: bool, name: str, reason: str) -> Target:
    if numeric and not bool((cells % 1 == 0).all()):
        row = int(np.flatnonzero((cells % 1 != 0).to_numpy())[0])
        raise LabError(f"{name}, row {row + 1}: {cells.iloc[row]} is not a class index; use data.task=regression")
    names = cells.astype("int64") if numeric else cells.astype(object).map(str).str.strip()
    codes, found = pd.factorize(names, sort=True)
    class_names = tuple(str(value) for value in found)
    check_classes(codes, class_names, name)
    return Target(codes.astype(np.int64), class_names, reason)


def check_classes(codes: NDArray[np.int64], class_names: Sequence[str], name: str) -> None:
    """Raise LabError if there is only one class, or a class with a single sample."""
    if len(class_names) == 1:
        raise LabError(f"{name} is '{class_names[0]}' in all rows; at least two classes are needed")
    counts = np.bincount(codes, minlength=len(class_names))
    single = np.flatnonzero(counts == 1)
    if len(single) > len(class_names) / 2:
        raise LabError(f"{name} is different in nearly every row; is it the right target?")
    if len(single):
        row = int(np.flatnonzero(codes == single[0])[0]) + 1
        more = f" (and {len(single) - 1} more such classes)" if len(single) > 1 else ""
        raise LabError(
            f"{name}, row {row}: the only row of class '{class_names[single[0]]}'{more}; "
            "training and testing need one row each: add rows, or remove or merge such classes"
        )
