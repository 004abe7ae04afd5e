"""Data sets that Python packages ship: what `lab new` writes, unedited, against scikit-learn on the same split."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.measuring import FULL, Size, Table
from sklearn import datasets
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from statsmodels.datasets import anes96, ccard, engel, fair, grunfeld, modechoice, randhie, statecrime

from lab.config.experiment import load
from lab.data.base import DataModule
from lab.scaffold.writing import new
from lab.training import run as training
from lab.training.building import build

SEEDS = (0, 1, 2)


def _statsmodels(source: object, **changed: Callable[[pd.DataFrame], pd.Series]) -> Callable[[], pd.DataFrame]:
    return lambda: source.load_pandas().data.assign(**changed)  # type: ignore[attr-defined]


def _scikit_learn(loader: Callable[..., object], named: bool = True) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        source = loader(as_frame=True)
        frame = source.frame  # type: ignore[attr-defined]
        names = getattr(source, "target_names", None)
        return frame.assign(target=np.asarray(names)[frame["target"]]) if named else frame

    return read


# Name: the rows, and the column to predict.
DATA: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "iris": (_scikit_learn(datasets.load_iris), "target"),
    "wine": (_scikit_learn(datasets.load_wine), "target"),
    "breast_cancer": (_scikit_learn(datasets.load_breast_cancer), "target"),
    "digits": (_scikit_learn(datasets.load_digits, named=False), "target"),
    "diabetes": (_scikit_learn(datasets.load_diabetes, named=False), "target"),
    "affairs": (_statsmodels(fair, affairs=lambda rows: np.where(rows["affairs"] > 0, "yes", "no")), "affairs"),
    "anes96": (_statsmodels(anes96, vote=lambda rows: rows["vote"].map({0: "Clinton", 1: "Dole"})), "vote"),
    "modechoice": (_statsmodels(modechoice), "choice"),
    "randhie": (_statsmodels(randhie), "mdvis"),
    "engel": (_statsmodels(engel), "foodexp"),
    "grunfeld": (_statsmodels(grunfeld), "invest"),
    "ccard": (_statsmodels(ccard), "AVGEXP"),
    "statecrime": (_statsmodels(statecrime), "murder"),
}


def measure(size: Size) -> Table:
    """The mean test score of three seeds for each data set: accuracy for classes, R² for values."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            rows = [_row(name, *DATA[name]) for name in list(DATA)[:: 1 if size is FULL else 6]]
        finally:
            os.chdir(before)
    note = "Test scores, mean of three seeds (lowest to highest). Linear is logistic regression or ridge."
    return Table("Real data", ("data", "rows", "score", "lab", "linear", "forest", "boosting", "best"), rows, note)


def _row(name: str, read: Callable[[], pd.DataFrame], target: str) -> tuple[str, ...]:
    rows = read()
    rows.to_csv(f"{name}.csv", index=False)
    new(name, f"{name}.csv", target)
    scores: dict[str, list[float]] = {}
    for seed in SEEDS:
        experiment = load(name, [f"seed={seed}"])
        data = build(experiment).data
        metric = "test/accuracy" if data.task == "classification" else "test/r2"
        scores.setdefault("lab", []).append(training.run(experiment).metrics[metric])
        for kind, score in _others(data, seed).items():
            scores.setdefault(kind, []).append(score)
    means = {kind: float(np.mean(values)) for kind, values in scores.items()}
    cells = [f"{means[kind]:.3f} ({min(values):.3f}-{max(values):.3f})" for kind, values in scores.items()]
    return (name, f"{len(rows):,}", metric.removeprefix("test/"), *cells, max(means, key=lambda kind: means[kind]))


def _others(data: DataModule, seed: int) -> dict[str, float]:
    """The test scores of scikit-learn's models, fitted on the same encoded training rows."""
    (x, y), (x_test, y_test) = (_arrays(data, split) for split in ("train", "test"))
    if data.task == "classification":
        models = {
            "linear": LogisticRegression(max_iter=2_000),
            "forest": RandomForestClassifier(300, random_state=seed, n_jobs=2),
            "boosting": HistGradientBoostingClassifier(random_state=seed),
        }
        score = accuracy_score
    else:
        models = {
            "linear": RidgeCV(np.logspace(-3, 3, 13)),
            "forest": RandomForestRegressor(300, random_state=seed, n_jobs=2),
            "boosting": HistGradientBoostingRegressor(random_state=seed),
        }
        score = r2_score
    return {kind: float(score(y_test, model.fit(x, y).predict(x_test))) for kind, model in models.items()}


def _arrays(data: DataModule, split: str) -> tuple[np.ndarray, np.ndarray]:
    dataset = data.splits[split]
    y = dataset.y.numpy()  # type: ignore[attr-defined]
    return dataset.x.numpy(), y.reshape(len(y))  # type: ignore[attr-defined]
