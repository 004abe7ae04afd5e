"""A store written by version 0.1 (v0.1.tar.xz) stays usable: test, predict, resume, reproduce, compare, study."""

import sqlite3
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import lab
from lab.comparisons import comparison
from lab.comparisons import run as comparing
from lab.config import experiment
from lab.studies import study
from lab.studies.study import Options
from lab.tracking.reading import stored_runs
from lab.tracking.reading.tables import open_tables
from lab.training import provenance, reproduce, resume
from lab.training.building import build
from lab.training.checkpoints.callback import load_weights

WRITTEN_IN = "/tmp/oldstore"  # the folder that the store was written in
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("tags", "value"),
)


@pytest.fixture
def old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of version 0.1 with its experiments, moved to the folder in which the test works."""
    with tarfile.open(Path(__file__).parent / "v0.1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as connection:
        for table, column in ADDRESSES:
            moved = f"UPDATE {table} SET {column} = replace({column}, '{WRITTEN_IN}', ?)"
            connection.execute(moved, (str(tmp_path),))
    connection.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def run_ids() -> set[str]:
    return set(open_tables().runs().ids)


@pytest.mark.parametrize("name", ["rows", "tiny", "series"])
def test_a_run_gives_the_same_test_metrics_again(old_store: Path, name: str) -> None:
    run = next(run for run in stored_runs.best(name) if run.tags["lab.kind"] == "run")
    again, logged = reproduce.test_again(run.id)
    assert again == pytest.approx(logged, rel=1e-6)


def test_a_table_model_predicts_as_the_network_of_its_checkpoint(old_store: Path) -> None:
    model = lab.load("latest:rows")
    rows = pd.read_csv("rows.csv")
    predicted = model.predict(rows)
    built = build(provenance.recorded_experiment(model.run))
    load_weights(built.module, model.run.artifact("checkpoints/best.ckpt"))
    with torch.no_grad():
        expected = built.predictor()(torch.from_numpy(model.encoding.encode(rows))).numpy()
    probabilities = [f"probability of {name}" for name in built.data.class_names]
    np.testing.assert_allclose(predicted[probabilities].to_numpy(), expected, atol=1e-6)


def test_a_series_model_forecasts(old_store: Path) -> None:
    series = pd.DataFrame({"sunspots": np.linspace(0, 50, 40)})
    assert len(lab.load("latest:series").predict(series)) == 3


def test_a_stopped_run_is_resumed_in_its_own_record(old_store: Path) -> None:
    stopped = next(run for run in open_tables().runs().info.itertuples() if run.status == "KILLED")
    said: list[str] = []
    result = resume.resume(stopped.Index, [], [], said.append)
    assert result.run_id == stopped.Index
    assert f"run {stopped.Index} resumes from epoch" in said[-1] or "resumes from the end of epoch" in said[-1]
    assert stored_runs.find(stopped.Index).status == "FINISHED"
    assert result.epochs == 200


def test_a_run_is_reproduced_to_the_last_bit_on_the_same_processor(old_store: Path) -> None:
    run = next(run for run in stored_runs.best("tiny", top=20) if run.tags["lab.kind"] == "run")
    found = reproduce.reproduce(run.id, [], lambda line: None)
    same_processor = run.tags["machine.cpu"] == provenance.tags()["machine.cpu"]
    assert found.verdict == "BIT-EXACT" if same_processor else found.verdict != "DIFFERS"


def test_a_comparison_continues_from_its_scores_though_a_class_was_moved(old_store: Path) -> None:
    before = run_ids()
    found = comparing.run(comparison.load("forget"), 1, lambda findings: None)
    assert run_ids() == before  # nothing was trained again
    assert [len(found.findings.scores.of(arm)) for arm in ("right", "forgotten")] == [3, 3]


def test_a_study_continues_with_its_trials(old_store: Path) -> None:
    class Silence:
        def searching(self, *_: object) -> None: ...
        def confirming(self, *_: object) -> None: ...
        def testing(self) -> None: ...

    def trials() -> int:
        return int((open_tables().runs().tags["lab.kind"] == "trial").sum())

    before = trials()
    tiny = experiment.load("tiny")
    found = study.run(tiny, Options(trials=3, top=1, seeds=2), Silence())
    assert found.counts.done == 3
    assert trials() == before == 3
