"""Permutation importance, against scikit-learn and against the columns of the user's file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.inspection import permutation_importance
from sklearn.metrics import cohen_kappa_score, f1_score, r2_score

from lab.data.table import Table
from lab.explanations import importance as importances
from lab.explanations.importance import importance, parts_of
from lab.explanations.trained import Trained, load
from lab.tracking.reading import stored_runs


def trained_run(name: str) -> Trained:
    return load(stored_runs.find(name))


class Fitted:
    """A trained run as scikit-learn takes a model: the user's rows, or arrays, to classes or values."""

    def __init__(self, trained: Trained):
        self.trained = trained

    def fit(self, x: Any, y: Any) -> "Fitted":
        return self

    def predict(self, raw: Any) -> np.ndarray:
        module, data = self.trained.module, self.trained.data
        x = data.input_scale.apply(torch.from_numpy(data.encoding.encode(raw)))
        outputs = self.trained.outputs(x)
        if data.task in ("multilabel", "ordinal"):
            return module.scored(outputs, (x, torch.zeros(len(x), len(data.class_names)).long()))["decided"].numpy()
        found = module.predictions(outputs)
        return found.argmax(1).numpy() if data.class_names else found[:, 0].numpy()


def scikit_learns(trained: Trained, raw: Any, score: Callable[[Any, Any], float], seed: int) -> Any:
    """What scikit-learn finds for the validation split, of which `raw` are the inputs."""
    batch = trained.samples("val", torch.arange(len(raw)))
    target = trained.module.target(batch).numpy().squeeze()
    scoring = lambda model, x, y: score(y, model.predict(x))  # noqa: E731
    return permutation_importance(Fitted(trained), raw, target, scoring=scoring, n_repeats=10, random_state=seed)


def test_equals_scikit_learns_on_an_array(folder: Path) -> None:
    trained = trained_run("cancer")
    samples = trained.data.read()  # type: ignore[attr-defined]
    raw = samples.x[trained.data.split_indices["val"]].astype(np.float32)
    expected = scikit_learns(trained, raw, lambda true, predicted: (true == predicted).mean(), seed=3)
    found = importance(trained, "val", seed=3)
    assert found is not None
    assert found.falls.shape == (30, 10)
    np.testing.assert_allclose(found.falls, expected.importances, atol=1e-7)  # the metric is one of single precision
    best, first = int(expected.importances_mean.argmax()), found.as_json()["parts"][0]
    assert first["name"] == trained.data.feature_names[best]
    assert first["mean"] == pytest.approx(expected.importances_mean[best], abs=1e-7)
    assert first["sd"] == pytest.approx(expected.importances_std[best], abs=1e-7)


def test_equals_scikit_learns_on_the_columns_of_a_file(folder: Path) -> None:
    """One-hot columns, embeddings and the parts of a date move together: as if the file's column were shuffled."""
    trained = trained_run("shop")
    data = trained.data
    assert isinstance(data, Table)
    raw = data.read().x.iloc[data.split_indices["val"]].reset_index(drop=True)
    expected = scikit_learns(trained, raw, r2_score, seed=0)
    found = importance(trained, "val", seed=0)
    assert found is not None
    assert [part.name for part in found.parts] == ["age", "city", "shop", "since"]
    np.testing.assert_allclose(found.falls, expected.importances, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["tags", "grades"])
def test_equals_scikit_learns_of_labels_and_of_ordered_classes(folder: Path, name: str) -> None:
    trained = trained_run(name)
    data = trained.data
    assert isinstance(data, Table)
    raw = data.read().x.iloc[data.split_indices["val"]].reset_index(drop=True)
    scores = {
        "tags": lambda true, said: f1_score(true, said, average="macro", zero_division=0),
        "grades": lambda true, said: cohen_kappa_score(true, said, weights="quadratic"),
    }
    expected = scikit_learns(trained, raw, scores[name], seed=0)
    found = importance(trained, "val", seed=0)
    assert found is not None
    assert found.falls.max() > 0.1
    np.testing.assert_allclose(found.falls, expected.importances, rtol=1e-6, atol=1e-6)


def test_the_channels_and_lags_of_a_series_are_shuffled(folder: Path) -> None:
    found = importance(trained_run("sales"), "val", seed=0)
    assert found is not None
    channels = [part for part in found.parts if part.kind == "channel"]
    assert [part.name for part in channels] == ["sales", "visits"]
    lags = [part for part in found.parts if part.kind == "lags"]
    assert lags[0].name == "lag 1"
    assert lags[-1].name.endswith("to 12")
    covered = np.zeros(12)
    for part in lags:
        covered[part.index[2]] += 1
    assert (covered == 1).all()


def test_images_and_sequences_have_no_parts(folder: Path) -> None:
    assert list(parts_of(trained_run("digits").data)) == []
    assert importance(trained_run("waves"), "val", seed=0) is None


def test_many_samples_are_drawn_at_random(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importances, "MOST_PREDICTIONS", 10)
    monkeypatch.setattr(importances, "LEAST_SAMPLES", 20)
    trained = trained_run("shop")
    first, again, other = (importance(trained, "val", seed) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.samples == 20
    assert (first.falls == again.falls).all()
    assert (first.falls != other.falls).any()
