"""Targets, and the task that they imply: classes, ordered ones, labels, or values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.reading.targets import label_lists, order
from lab.errors import LabError

TaskChoice = Literal["auto", "classification", "regression", "multilabel", "ordinal"]
Order = Sequence[str | int | float]
MAX_INTEGER_CLASSES = 20  # distinct integers that still count as classes
SET = "set by data.task"


@dataclass(frozen=True)
class Choice:
    """What the settings say of the target: the task, the order of ordinal classes, the separator in lists of labels."""

    task: TaskChoice = "auto"
    order: Order | None = None
    separator: str | None = None

    def check(self) -> None:
        """Raise LabError for a setting that the task would not use."""
        if self.order is not None and self.task != "ordinal":
            raise LabError("data.order: is for classes with an order; set data.task: ordinal, or leave it out")
        if self.separator is not None and self.task != "multilabel":
            raise LabError("data.label_separator: is for lists of labels; set data.task: multilabel, or leave it out")


@dataclass(frozen=True)
class Target:
    """Class indices (N,) with their names, `ordered` or not; labels (N, K) of 0 and 1 with theirs; or values (N, T).

    `reason` says how the task was determined.
    """

    values: NDArray[Any]
    class_names: tuple[str, ...]
    reason: str
    ordered: bool = False


def resolve(raw: NDArray[Any] | pd.Series, choice: Choice, name: str) -> Target:
    """The target of a column or an array (N,) or (N, T), called `name` in messages.

    By default text, booleans and up to 20 distinct integers are classes, other numbers are values to regress.
    Raises LabError for missing values and for targets that are constant or unique to each row.
    """
    choice.check()
    task = choice.task
    if raw.ndim > 1:
        return _of_matrix(np.asarray(raw), choice, name)
    if task == "multilabel":
        found = label_lists.read(pd.Series(raw).reset_index(drop=True), name, choice.separator)
        return Target(found.values, found.names, f"{SET}; {found.how}")
    cells = pd.Series(np.asarray(raw) if isinstance(raw, np.ndarray) else raw).reset_index(drop=True)
    _check_complete(cells, name)
    numeric = pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype)
    if task == "auto":
        task, why = _inferred(cells, numeric)
        reason = f"inferred: {name} {why}"
    else:
        reason = SET
    if task == "classification":
        return _classes(cells, numeric, name, reason)
    if task == "ordinal":
        codes, class_names = order.classes(cells, choice.order, name)
        return Target(codes, class_names, reason, ordered=True)
    if not numeric and not pd.api.types.is_bool_dtype(cells.dtype):
        raise LabError(f"{name} has text such as {cells.iloc[0]!r}; regression needs numbers")
    return _values(cells.to_numpy(dtype=np.float64)[:, None], name, reason)


def resolve_columns(columns: Mapping[str, pd.Series], choice: Choice) -> Target:
    """The target of several columns: labels, one a column, if the task says so, else values to regress."""
    choice.check()
    if choice.task in ("classification", "ordinal"):
        raise LabError(
            f"data.target: {choice.task} has one target, not {len(columns)}; name one column, or set data.task: "
            "multilabel (columns of 0 and 1) or regression (numbers)"
        )
    for name, cells in columns.items():
        _check_complete(cells.reset_index(drop=True), f"column '{name}'")
    if choice.task == "multilabel":
        if choice.separator is not None:
            raise LabError("data.label_separator: is for one column of lists; data.target names several columns")
        values = np.stack([label_lists.yes_or_no(cells, f"column '{name}'") for name, cells in columns.items()], axis=1)
        return Target(values, tuple(columns), SET)
    for name, cells in columns.items():
        if not pd.api.types.is_numeric_dtype(cells.dtype):
            raise LabError(
                f"column '{name}' has text such as {str(cells.iloc[0])!r}; several targets are numbers to regress, or "
                "labels with data.task: multilabel"
            )
    found = [_values(cells.to_numpy(np.float64)[:, None], f"column '{name}'", "") for name, cells in columns.items()]
    values = np.concatenate([each.values for each in found], axis=1)
    return Target(values, (), f"{'several columns' if choice.task == 'auto' else SET}{_like_labels(values)}")


def _of_matrix(raw: NDArray[Any], choice: Choice, name: str) -> Target:
    """Labels, or values, (N, T)."""
    if choice.task in ("classification", "ordinal"):
        raise LabError(f"{name} has shape {raw.shape[1:]} per sample; a class is one number or name per sample")
    if choice.task == "multilabel":
        if choice.separator is not None:
            raise LabError(f"data.label_separator: is for one column of lists; {name} has a column for each label")
        if raw.ndim != 2:
            raise LabError(f"{name} has shape {raw.shape[1:]} per sample; labels are (N, K), 0 or 1 each")
        columns = [label_lists.yes_or_no(pd.Series(raw[:, k]), f"{name}[:, {k}]") for k in range(raw.shape[1])]
        names = tuple(f"label {number}" for number in range(1, len(columns) + 1))
        return Target(np.stack(columns, axis=1), names, SET)
    found = _values(raw, name, f"{name} has several values per sample")
    return replace(found, reason=found.reason + _like_labels(found.values))


def _like_labels(values: NDArray[Any]) -> str:
    """A hint where all values are 0 or 1."""
    return "; all are 0 or 1: data.task: multilabel makes them labels" if np.isin(values, (0, 1)).all() else ""


def describe(target: Target) -> str:
    """The task as text, such as 'classification, 3 classes (inferred: ...)'."""
    if target.values.ndim == 2 and target.class_names:
        return f"multilabel, {len(target.class_names)} labels ({target.reason})"
    if target.ordered:
        return f"ordinal, {len(target.class_names)} classes: {order.described(target.class_names)} ({target.reason})"
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
