"""What a run said of its test data: the curves against scikit-learn's, and the page of trained runs."""

import io
from pathlib import Path

import made_once
import numpy as np
import pytest
from made_data import sales_rows
from pages import opened_page, texts
from sklearn import calibration, metrics

from dashboard.outcome import class_curves, reads, values
from dashboard.outcome.reads import ClassOutputs, ValueOutputs
from lab.tracking.reading import stored_runs
from lab.training.results import artifacts

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.integers(0, 2, 300) == 1
SCORES = np.round(np.clip(0.5 + 0.3 * (TRUE - 0.5) + RANDOM.normal(0, 0.2, 300), 0, 1), 2)  # with ties
MODEL = "model: {kind: mlp, hidden: 8, layers: 1}\ntrainer: {max_epochs: 1}\n"
EXPERIMENTS = {
    "numerals": "data: {kind: digits, batch_size: 256}\n" + MODEL,
    "shares": "data: {kind: breast_cancer, batch_size: 64}\n" + MODEL,
    "sales": "data: {kind: series, path: sales.csv, window: 12, horizon: 3}\nloss: {kind: quantile}\nconformal: 0.8\n"
    + MODEL,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    return made_once.with_store(tmp_path_factory, "outcomes", prepared_store, _train)


def _train() -> None:
    sales_rows().to_csv("sales.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "keep_model", lambda *_: None)
        made_once.train(EXPERIMENTS)


@pytest.fixture
def runs(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(trained)


def run_of(name: str) -> str:
    return stored_runs.find(name).id


def test_the_roc_curve_and_its_area_are_those_of_scikit_learn() -> None:
    x, y, area = class_curves.roc_curve(TRUE, SCORES)
    false, found, _ = metrics.roc_curve(TRUE, SCORES, drop_intermediate=False)
    assert np.allclose(x, false)
    assert np.allclose(y, found)
    assert area == pytest.approx(metrics.roc_auc_score(TRUE, SCORES), abs=1e-12)


def test_the_average_precision_is_that_of_scikit_learn() -> None:
    recall, precision, average = class_curves.precision_curve(TRUE, SCORES)
    expected, at, _ = metrics.precision_recall_curve(TRUE, SCORES)
    assert np.allclose(recall, at[:-1][::-1])
    assert np.allclose(precision, expected[:-1][::-1])
    assert average == pytest.approx(metrics.average_precision_score(TRUE, SCORES), abs=1e-12)


def test_the_calibration_is_that_of_scikit_learn() -> None:
    scores = np.clip(SCORES + 0.0037, 0, 1)  # none on the edge of a bin, which belongs to the other side there
    rows = class_curves.calibration(scores, TRUE)
    happened, said = calibration.calibration_curve(TRUE, scores, n_bins=10)
    assert np.allclose(rows["happened"], happened)
    assert np.allclose(rows["said"], said)
    assert rows["samples"].sum() == 300
    assert (rows["low"] <= rows["happened"]).all()
    assert (rows["happened"] <= rows["high"]).all()


def test_a_class_that_the_test_lacks_has_no_curve() -> None:
    true = np.array([0, 0, 1])
    outputs = ClassOutputs(true, np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]), ["a", "b", "c"], 9)
    chart = class_curves.roc_chart(outputs)
    assert chart.table.to_dict("list") == {"class": ["a", "b"], "area": [1.0, 1.0]}
    assert "3 of 9 samples" in chart.notes


def test_the_difference_of_two_confusion_matrices() -> None:
    first, second = np.array([[8.0, 2], [0, 10]]), np.array([[6.0, 4], [1, 9]])
    chart = class_curves.difference_chart(first, second, ["cat", "dog"])
    assert chart.table[["cat", "dog"]].to_numpy().tolist() == [[2, -2], [-1, 1]]
    assert (np.array(chart.figure.data[0].z) > 0).all()  # every change is for the better
    assert "in samples" in chart.notes[0]
    smaller = class_curves.difference_chart(first, second / 2, ["cat", "dog"])
    assert smaller.table["cat"].tolist() == pytest.approx([20, -10])
    assert "percentage points" in smaller.notes[0]


def test_bands_are_paired_from_the_outside_in() -> None:
    ends = {name: np.zeros((2, 1)) for name in ("quantile 0.1", "quantile 0.5", "quantile 0.9", "lower", "upper")}
    assert list(reads.bands(ends)) == ["interval", "quantile 0.1 to 0.9"]


def test_residuals_of_many_values_are_drawn_in_part_and_summed_up_in_full() -> None:
    true = RANDOM.normal(size=(5000, 1))
    chart = values.residuals(ValueOutputs(true, true + 1, {}, {"y": slice(0, 1)}, False), "y")
    assert len(chart.table) == 5000
    assert len(chart.figure.data[0].x) == values.MAX_SAMPLES
    assert (
        chart.notes == ("mean 1, standard deviation 1.11e-16", "2,000 of 5,000 values") or "mean 1," in chart.notes[0]
    )


@pytest.mark.parametrize("name", ["numerals", "shares"])
def test_probabilities_of_the_test_are_kept_and_drawn(runs: None, name: str) -> None:
    run = run_of(name)
    outputs, matrix = reads.class_outputs(run), reads.confusion_matrix(run)
    assert outputs is not None
    assert matrix is not None
    assert outputs.total == len(outputs.true) == matrix[0].sum()
    assert np.allclose(outputs.probabilities.sum(axis=1), 1, atol=1e-6)
    said = artifacts.confusion_counts(outputs.true, outputs.probabilities.argmax(axis=1), len(matrix[1]))
    assert (said == matrix[0]).all()
    if name == "shares":
        area = class_curves.roc_chart(outputs).table["area"][0]
        assert area == pytest.approx(stored_runs.find(run).metrics["test/auroc"], abs=1e-6)
    assert len(opened_page("run", run=run[:8], view="outcome").get("plotly_chart")) == 4


def test_a_forecast_is_drawn_with_its_bands(runs: None) -> None:
    run = run_of("sales")
    outputs = reads.value_outputs(run)
    assert outputs is not None
    assert next(iter(outputs.bands)) == "interval"
    assert all(steps.stop - steps.start == 3 for steps in outputs.targets.values())
    assert sum(steps.stop - steps.start for steps in outputs.targets.values()) == outputs.true.shape[1]
    chart = values.forecasts(outputs, next(iter(outputs.targets)))
    assert len(chart.table) % 3 == 0
    assert len(opened_page("run", run=run[:8], view="outcome").get("plotly_chart")) == 3


def test_of_a_large_test_split_evenly_spread_samples_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Folder:
        def path(self, name: str) -> str:
            return str(tmp_path / name)

        def artifact(self, name: str) -> None:
            assert (tmp_path / name).exists()

    monkeypatch.setattr(artifacts, "MAX_TEST_SAMPLES", 100)
    artifacts._keep_probabilities(Folder(), np.arange(1000) % 2, np.full((1000, 2), 0.5), ["a", "b"])  # type: ignore[arg-type]
    with np.load(tmp_path / "test_outputs.npz") as kept:
        assert len(kept["true"]) == len(kept["probabilities"]) == 100
        assert kept["total"] == 1000


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"])
def test_a_damaged_file_of_probabilities_counts_as_none(runs: None, content: bytes) -> None:
    run = run_of("numerals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dashboard.store_reads.artifact_bytes", lambda *_: content)
        assert reads.class_outputs(run) is None


def test_an_array_of_objects_is_not_unpickled() -> None:
    packed = io.BytesIO()
    np.savez(packed, true=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        reads.arrays(packed.getvalue())


def test_compare_shows_the_difference_of_two_matrices(filled: object) -> None:
    seeds = filled.seeds  # type: ignore[attr-defined]
    app = opened_page("compare", runs=f"{seeds[0]},{seeds[1]}", view="confusion")
    assert len(app.get("plotly_chart")) == 3
    assert "blue\\: better" in texts(app)
