"""Leaks in a table, which make test results too good: duplicate rows, and columns that give away the target."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

MAX_ROWS = 5_000  # sampled to find columns that give away the target
MAX_ROWS_COMPARED = 100_000  # with each other
TOO_GOOD = 0.99  # balanced accuracy, or R², of a tree that sees one column


def duplicate_rows(frame: pd.DataFrame) -> list[str]:
    """A warning if rows occur more than once."""
    count = int(frame.head(MAX_ROWS_COMPARED).duplicated().sum())
    if not count:
        return []
    rows = f"{count:,} rows are copies of others" if count > 1 else "one row is a copy of another"
    return [f"{rows}: copies in both training and test split inflate the test score; remove them unless they are real"]


def leaking_columns(inputs: pd.DataFrame, y: np.ndarray, target: str, task: str) -> Iterator[str]:
    """A warning for each column that alone predicts the target y (N,) or (N, 1), by a cross-validated decision tree."""
    rows = np.sort(np.random.default_rng(0).permutation(len(inputs))[:MAX_ROWS])
    sample, y = inputs.iloc[rows], y[rows].reshape(len(rows))
    for name in sample.columns:
        score = _score(_as_numbers(sample[name]), y, task)
        if score > TOO_GOOD:
            yield (
                f"column '{name}' alone predicts {target} (a decision tree scores {score:.3f}): is it known when you "
                f"predict? if not, set data.drop: [{name}]"
            )


def _as_numbers(column: pd.Series) -> np.ndarray:
    """A column as (N, 1): numbers unchanged, names by their sorted index, missing values below all others."""
    if not pd.api.types.is_numeric_dtype(column.dtype):
        column = pd.Series(pd.factorize(column.astype(str), sort=True)[0])
    values = column.to_numpy(dtype=float, na_value=np.nan)
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    return np.where(np.isfinite(values), values, lowest - 1)[:, None]


def _score(x: np.ndarray, y: np.ndarray, task: str) -> float:
    """The cross-validated score of a tree that predicts y from one column: balanced accuracy, or R²."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    folds = KFold(3, shuffle=True, random_state=0)
    if task != "regression":  # classes, or one label
        predicted = cross_val_predict(DecisionTreeClassifier(min_samples_leaf=2), x, y, cv=folds)
        return float(balanced_accuracy_score(y, predicted))
    predicted = cross_val_predict(DecisionTreeRegressor(min_samples_leaf=2), x, y, cv=folds)
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum())
