"""The second baseline: what scikit-learn reaches in ten lines on the same split, measured beside every run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lab.config.experiment import from_sections, load
from lab.training.baselines import quick_baseline
from lab.training.baselines.quick_baseline import NONE, rows_for, training_rows
from lab.training.building import Built, build

pytestmark = pytest.mark.usefixtures("empty_workplace")
RANDOM = np.random.default_rng(0)


def table(frame: pd.DataFrame, **data: Any) -> Built:
    """An experiment on a table with a target y."""
    frame.to_csv("table.csv", index=False)
    sections = {"data": {"kind": "table", "path": "table.csv", "target": "y", **data}, "model": {"kind": "linear"}}
    return build(from_sections("mine", "Is it enough?", sections))


def fitted(built: Built, model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """A scikit-learn pipeline fitted on the training split, and the indices of the test split."""
    train, test = built.data.split_indices["train"], built.data.split_indices["test"]
    return make_pipeline(StandardScaler(), model).fit(x[train], y[train]), test


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_classes_are_predicted_as_by_logistic_regression_with_the_class_weights_of_the_loss(
    weights: str | None,
) -> None:
    loss = "{kind: bce, class_weights: balanced}" if weights else "{kind: bce}"
    built = build(load("breast_cancer", [f"loss={loss}"]))
    x, y = load_breast_cancer(return_X_y=True)
    model, test = fitted(built, LogisticRegression(class_weight=weights), x, y)
    names = load_breast_cancer().target_names.tolist()
    flipped = list(built.data.class_names) != names
    found = quick_baseline.measure(built)
    assert found.name == "logistic regression"
    assert found.metrics["test/accuracy"] == pytest.approx(accuracy_score(y[test], model.predict(x[test])))
    assert found.metrics["test/balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(y[test], model.predict(x[test]))
    )
    probability = model.predict_proba(x[test])[:, 0 if flipped else 1]
    truth = 1 - y[test] if flipped else y[test]
    assert found.metrics["test/auroc"] == pytest.approx(roc_auc_score(truth, probability), abs=1e-4)


def test_values_are_predicted_as_by_ridge_regression() -> None:
    built = build(load("diabetes"))
    x, y = load_diabetes(return_X_y=True, scaled=False)
    model, test = fitted(built, Ridge(alpha=1.0), x, y / y.std())  # as the lab's targets are standardised
    found = quick_baseline.measure(built)
    assert found.name == "ridge regression"
    assert found.metrics["test/r2"] == pytest.approx(r2_score(y[test] / y.std(), model.predict(x[test])), abs=1e-4)


def test_it_has_the_metrics_of_the_run() -> None:
    built = build(load("digits"))
    assert quick_baseline.measure(built).metrics.keys() == {
        f"test/{name}" for name in built.observer.directions() if name != "loss"
    }


def test_embedded_columns_are_of_use_to_it() -> None:
    city = RANDOM.integers(30, size=600)
    frame = pd.DataFrame({"city": [f"city {number}" for number in city], "y": np.where(city % 3 == 0, "yes", "no")})
    built = table(frame)
    assert built.data.input_adapter.categories  # type: ignore[union-attr]
    assert quick_baseline.measure(built).metrics["test/accuracy"] > 0.95


def test_wide_samples_have_none_and_the_reason_is_said() -> None:
    np.savez("wide.npz", x=RANDOM.normal(size=(60, 4_001)).astype(np.float32), y=RANDOM.integers(2, size=60))
    built = build(
        from_sections(
            "wide", "", {"data": {"kind": "arrays", "path": "wide.npz", "batch_size": 8}, "model": {"kind": "linear"}}
        )
    )
    found = quick_baseline.measure(built)
    assert found.metrics == {}
    assert found.note == "no logistic regression: 4,001 inputs and 2 classes take longer than a second or two"


def test_a_training_split_with_a_single_class_has_none() -> None:
    built = build(load("breast_cancer"))
    built.data.splits["train"].y[:] = 1
    assert quick_baseline.measure(built).note == "no logistic regression: the training split has a single class"


@pytest.mark.parametrize("name", ["sunspots", "gan"])
def test_forecasts_and_modules_of_ones_own_have_none(name: str) -> None:
    assert quick_baseline.measure(build(load(name))) is NONE


def test_of_many_rows_some_are_drawn_the_same_each_time_and_no_generator_is_touched() -> None:
    built = build(load("digits"))
    states = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[union-attr]
    x, y = training_rows(built.data, 100)
    again, _ = training_rows(built.data, 100)
    first, second = quick_baseline.measure(built), quick_baseline.measure(built)
    assert (x.shape, y.shape) == ((100, 1, 8, 8), (100,))
    assert torch.equal(x, again)
    assert first == second
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states  # type: ignore[union-attr]


def test_rows_are_as_many_as_a_second_allows() -> None:
    assert rows_for(15, 2) == rows_for(15, 0) == 20_000
    assert rows_for(784, 10) == 3_826
    assert rows_for(3_000, 0) == 2_222


def test_where_it_sees_some_of_the_rows_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_baseline, "MOST_ROWS", 200)
    found = quick_baseline.measure(build(load("diabetes")))
    assert found.note == "ridge regression is fitted on 200 of 283 training samples"
    assert found.metrics["test/r2"] > 0.3


def test_a_dataset_without_batches_is_read_sample_by_sample() -> None:
    built = build(load("diabetes"))
    whole = training_rows(built.data, 1_000)
    built.data.splits["train"] = torch.utils.data.TensorDataset(*whole)
    assert all(torch.equal(a, b) for a, b in zip(whole, training_rows(built.data, 1_000), strict=True))
