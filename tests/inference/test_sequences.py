"""Models of sequences of unequal length, from `lab new` to predictions, exports and requests."""

import shutil
from pathlib import Path

import made_once
import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from made_sequences import IN_A_ROW, LENGTHS, NAN, PARTS, X, Y

import lab
from lab.cli.main import main
from lab.errors import LabError
from lab.inference import export, files
from lab.inference.model import Model
from lab.scaffold.writing import new
from lab.tracking import models

KINDS = {
    "gru": "model={kind: gru, hidden: 4, layers: 1, bidirectional: true}",
    "conv1d": "model={kind: conv1d, channels: 4, layers: 2}",
    "transformer": "model={kind: transformer, hidden: 8, heads: 2, layers: 1, patch: 2}",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """A folder with a run of each kind on the same sequences."""
    return made_once.with_store(tmp_path_factory, "sequences", prepared_store, _train)


def _train() -> None:
    np.savez("data.npz", x=X, y=Y, lengths=LENGTHS)
    scaffold = new("seq", "data.npz", overrides=("data.batch_size=16",))
    facts = dict(scaffold.inspection.facts)
    assert facts["samples"] == "60 of (2, 19) at most, of unequal length"
    assert facts["lengths"] == "3 to 19 steps, median 12"
    for kind in KINDS:
        shutil.copy("experiments/seq.yaml", f"experiments/my_{kind}.yaml")
    made_once.train({}, *((f"my_{kind}", (model, "trainer.max_epochs=1")) for kind, model in KINDS.items()))


@pytest.fixture(params=list(KINDS))
def model(request: pytest.FixtureRequest, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(trained)
    return lab.load(f"latest:my_{request.param}")


def test_each_sequence_alone_is_predicted_as_in_a_batch_in_every_form(model: Model, tmp_path: Path) -> None:
    together = model.predict(PARTS)
    np.savez(tmp_path / "rows.npz", x=X, lengths=LENGTHS)
    np.savez(tmp_path / "flat.npz", x=IN_A_ROW, lengths=LENGTHS)
    np.save(tmp_path / "nan.npy", NAN)
    read = [files.read([str(tmp_path / name)], model.encoding, print) for name in ("rows.npz", "flat.npz", "nan.npy")]
    rows = pd.DataFrame({"x": [part.tolist() for part in PARTS]})
    for raw in (NAN, *read, rows):
        pd.testing.assert_frame_equal(model.predict(raw), together, atol=1e-6, rtol=0)
    alone = pd.concat([model.predict([part]) for part in PARTS[:5]], ignore_index=True)
    pd.testing.assert_frame_equal(alone, together[:5], atol=1e-6, rtol=0)


def test_longer_sequences_than_in_training_are_predicted_or_refused_in_one_line(model: Model) -> None:
    longer = [np.tile(X[0], (1, 4))]
    if model.run.experiment == "my_transformer":
        with pytest.raises(LabError, match=r"x\[0\] has 100 steps; this network takes at most 19"):
            model.predict(longer)
    else:
        assert len(model.predict(longer)) == 1


def test_onnx_runs_in_onnxruntime_with_sequences_of_any_length(model: Model, tmp_path: Path) -> None:
    path, difference = export.export(model, "onnx", tmp_path / "model.onnx")
    assert difference < 1e-4
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for raw in ([PARTS[0]], PARTS, [X[0, :, :1]]):
        encoded = model.encoding.encode(raw)
        (predicted,) = session.run(None, {"input": encoded})
        np.testing.assert_allclose(predicted, model.outputs(encoded), atol=1e-5)


def test_the_program_and_the_weights_are_exported(model: Model, tmp_path: Path) -> None:
    assert export.export(model, "torch", tmp_path / "model.pt2")[1] < 1e-6
    assert export.export(model, "safetensors", tmp_path / "model.safetensors")[1] < 1e-6


def test_the_network_alone_is_refused_in_one_line(model: Model) -> None:
    with pytest.raises(LabError, match="a network of sequences of unequal length cannot be taken out of its model"):
        model.network()


def test_mlflow_predicts_rows_of_lists_without_the_lab(model: Model) -> None:
    loaded = mlflow.pyfunc.load_model(str(models.download(model.run)))
    rows = pd.DataFrame({"x": [part.tolist() for part in PARTS]})
    pd.testing.assert_frame_equal(loaded.predict(rows), model.predict(PARTS), atol=1e-6, rtol=0, check_dtype=False)
    with pytest.raises(Exception, match=r"x\[0\] has no steps"):
        loaded.predict(pd.DataFrame({"x": [[[], []]]}))


def test_the_command_line_prints_a_row_for_each_sequence(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    np.savez("new.npz", x=X[:3], lengths=LENGTHS[:3])
    with pytest.raises(SystemExit, match="0"):
        main(["predict", "latest:my_conv1d", "new.npz"])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "prediction,probability of 0,probability of 1,probability of 2"
    assert len(rows) == 3
