"""The lab against what a person would reach with scikit-learn in ten lines, on the same split of public data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from public_data import affairs, carbon_dioxide
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lab.config.experiment import from_sections
from lab.training import run as training
from lab.training.building import Built, build

pytestmark = pytest.mark.usefixtures("workplace")


def trained(sections: dict[str, Any]) -> tuple[Built, dict[str, float]]:
    experiment = from_sections("mine", "Is it as good?", sections)
    return build(experiment), training.run(experiment).metrics


def test_a_table_of_numbers_and_names_with_cells_missing(workplace: Path) -> None:
    affairs(workplace / "affairs.csv")
    built, metrics = trained(
        {
            "data": {"kind": "table", "path": "affairs.csv", "target": "affairs", "batch_size": 128},
            "model": {"kind": "mlp", "hidden": 32, "layers": 1, "dropout": 0.2},
            "optimizer": {"kind": "adamw", "lr": 0.005},
            "trainer": {"max_epochs": 12},
        }
    )
    rows = pd.read_csv("affairs.csv").drop(columns="respondent_id")
    fitted, tested = (rows.iloc[built.data.split_indices[split]] for split in ("train", "test"))
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    logistic = make_pipeline(
        make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        ),
        LogisticRegression(max_iter=1000),
    ).fit(fitted.drop(columns="affairs"), fitted["affairs"])
    probability = logistic.predict_proba(tested.drop(columns="affairs"))
    assert metrics["test/loss"] <= log_loss(tested["affairs"], probability) + 0.002
    assert metrics["test/auroc"] >= roc_auc_score(tested["affairs"] == "yes", probability[:, 1]) - 0.005


def test_a_monthly_series_with_trend_and_season(workplace: Path) -> None:
    carbon_dioxide(workplace / "co2.csv")
    built, metrics = trained(
        {
            "data": {"kind": "series", "path": "co2.csv", "window": 24, "horizon": 12},
            "model": {"kind": "linear"},
            "optimizer": {"kind": "adamw", "lr": 0.01},
            "scheduler": {"kind": "cosine"},
            "trainer": {"max_epochs": 60},
        }
    )
    (x, y), (test_x, test_y) = (windows(built, split) for split in ("train", "test"))
    seasonal_naive = test_x[:, -12:]
    ridge = Ridge(alpha=1.0, solver="svd").fit(x, y).predict(test_x)
    reached = metrics["test/rmse"]
    assert reached < 0.5 * rmse(seasonal_naive, test_y)
    assert reached < rmse(ridge, test_y)


def windows(built: Built, split: str) -> tuple[np.ndarray, np.ndarray]:
    dataset: Any = built.data.splits[split]
    x, y = dataset.batch(torch.arange(len(dataset)))
    assert built.data.target_scale is not None
    return built.data.input_scale.invert(x).flatten(1).numpy(), built.data.target_scale.invert(y).numpy()


def rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.sqrt(np.square(predicted - true).mean()))
