"""scikit-learn's and LightGBM's models at their defaults, for classes and values."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.quality.scores import Score
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

LINEAR, FOREST, BOOSTING, LIGHTGBM = "linear", "random forest", "HistGradientBoosting", "LightGBM"
NEIGHBOURS, VECTORS = "k-NN", "SVC"


@dataclass(frozen=True)
class Split:
    """What a method learns from, and what it is tested on: x is a table (N, F) or an array (N, ...)."""

    x: Any
    y: np.ndarray
    x_test: Any
    y_test: np.ndarray
    classes: bool


Make = Callable[[bool, int], Any]  # from whether there are classes, and a seed, to an estimator


def _linear(classes: bool, seed: int) -> Any:
    model = LogisticRegression(max_iter=2_000) if classes else RidgeCV(np.logspace(-3, 3, 13))
    return make_pipeline(_columns(), model)


def _forest(classes: bool, seed: int) -> Any:
    return make_pipeline(_columns(), (RandomForestClassifier if classes else RandomForestRegressor)(random_state=seed))


def _boosting(classes: bool, seed: int) -> Any:
    return (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(random_state=seed)


def _lightgbm(classes: bool, seed: int) -> Any:
    import lightgbm

    return (lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor)(random_state=seed, verbosity=-1, n_jobs=1)


def _columns() -> Any:
    """Numbers standardised, their gaps filled with the median; categories one-hot."""
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )


TABLE_METHODS: Mapping[str, Make] = {LINEAR: _linear, FOREST: _forest, BOOSTING: _boosting, LIGHTGBM: _lightgbm}
IMAGE_METHODS: Mapping[str, Make] = {
    LINEAR: _linear,
    FOREST: _forest,
    NEIGHBOURS: lambda classes, seed: make_pipeline(_columns(), KNeighborsClassifier()),
    VECTORS: lambda classes, seed: make_pipeline(_columns(), SVC(random_state=seed)),
}


def scores(name: str, split: Split, seed: int, methods: Mapping[str, Make]) -> Iterator[Score]:
    """Fit each method and test it: accuracy for classes, R² for values."""
    for method, make in methods.items():
        began = time.perf_counter()
        try:
            model = make(split.classes, seed)
        except ImportError:
            yield Score(name, method, seed, None, 0.0)
            continue
        found = model.fit(split.x, split.y).predict(split.x_test)
        value = (accuracy_score if split.classes else r2_score)(split.y_test, found)
        yield Score(name, method, seed, float(value), time.perf_counter() - began)


def as_columns(x: Any) -> pd.DataFrame:
    """A table with its texts as categories, or an array (N, ...) with a column for each number."""
    if not isinstance(x, pd.DataFrame):
        return pd.DataFrame(np.asarray(x).reshape(len(x), -1)).rename(columns=str)
    texts = [name for name in x if not pd.api.types.is_numeric_dtype(x[name].dtype)]
    return x.astype(dict.fromkeys(texts, "category"))
