"""What in a table makes a result too good to be true."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

MOST_ROWS = 5_000  # looked at for columns that tell the target
MOST_ROWS_COMPARED = 100_000
TOO_GOOD = 0.99  # balanced accuracy, or R², of a tree that sees one column


def repeated_rows(frame: pd.DataFrame) -> list[str]:
    """A warning where rows stand more than once."""
    count = int(frame.head(MOST_ROWS_COMPARED).duplicated().sum())
    if not count:
        return []
    rows = f"{count:,} rows repeat another one" if count > 1 else "one row repeats another"
    return [f"{rows}: a test row that was trained on is no test; remove copies, unless they are separate cases"]


def telling_columns(frame: pd.DataFrame, target: str, task: str) -> Iterator[str]:
    """A warning for each column that alone tells the target, found by a decision tree in cross-validation."""
    some = frame.sample(min(len(frame), MOST_ROWS), random_state=0)
    y = some[target].astype(str) if task == "classification" else some[target].astype(float)
    for name in some.columns.drop(target):
        score = _score(_as_numbers(some[name]), y, task)
        if score > TOO_GOOD:
            yield (
                f"column '{name}' alone tells {target} (a tree scores {score:.3f}): is it known when you predict? "
                f"if not, set data.drop: [{name}]"
            )


def _as_numbers(column: pd.Series) -> np.ndarray:
    """A column as (N, 1): numbers as they are, names by how they sort, what is missing below all."""
    if not pd.api.types.is_numeric_dtype(column.dtype):
        column = pd.Series(pd.factorize(column.astype(str), sort=True)[0])
    values = column.to_numpy(dtype=float, na_value=np.nan)
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    return np.where(np.isfinite(values), values, lowest - 1)[:, None]


def _score(x: np.ndarray, y: pd.Series, task: str) -> float:
    """How well a tree predicts y from one column, on rows that it was not fitted to."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    folds = KFold(3, shuffle=True, random_state=0)
    if task == "classification":
        predicted = cross_val_predict(DecisionTreeClassifier(min_samples_leaf=2), x, y, cv=folds)
        return float(balanced_accuracy_score(y, predicted))
    predicted = cross_val_predict(DecisionTreeRegressor(min_samples_leaf=2), x, y, cv=folds)
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum())
