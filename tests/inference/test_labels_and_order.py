"""Models of labels, of ordered classes, and with a threshold: every way to predict says what the test measured."""

import asyncio
import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_data import draw
from sklearn.metrics import cohen_kappa_score, f1_score

import lab
from lab.cli import main
from lab.config.experiment import load
from lab.inference import export, serving
from lab.modules.tasks.thresholds import best
from lab.tracking import models, store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.writing.outbox import Outbox
from lab.training import reproduce
from lab.training import run as training
from lab.training.run import Result

ROWS = 240
EXPERIMENTS = {
    "tags": "data: {kind: table, path: rows.csv, target: tags, task: multilabel, drop: [grade, bought]}\nthreshold: f1",
    "grades": "data: {kind: table, path: rows.csv, target: grade, task: ordinal, order: [low, mid, high], "
    "drop: [tags, bought]}",
    "bought": "data: {kind: table, path: rows.csv, target: bought, drop: [tags, grade]}\nthreshold: balanced_accuracy",
}
OF_ARRAYS = {
    "points": "data: {kind: arrays, path: points.npz}\nthreshold: 0.9",
    "steps": "data: {kind: arrays, path: steps.npz}\nthreshold: balanced_accuracy",
    "pictures": "data: {kind: images, path: pictures, batch_size: 8}\nthreshold: 0.1",
}
MODELS = {"steps": "{kind: conv1d, channels: 4, layers: 1}", "pictures": "{kind: conv2d, channels: 4}"}
LABELS = ("blue", "green", "red")


def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 3))
    truth = x + random.normal(size=(ROWS, 3)) / 3 > [0.8, 0.4, 0.0]
    return pd.DataFrame(
        {
            **dict(zip("abc", x.T, strict=True)),
            "tags": [";".join(np.array(LABELS)[row]) for row in truth],
            "grade": np.array(["low", "mid", "high"])[np.digitize(x[:, 0] + random.normal(size=ROWS) / 3, [-0.5, 0.5])],
            "bought": np.where(truth[:, 0], "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> dict[str, Result]:
    """The results of the runs, whose folder is the working directory while the tests of the module run."""
    folder = tmp_path_factory.mktemp("labels")
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.root().mkdir()
        shutil.copy(prepared_store, store.database())
        Path("experiments").mkdir()
        rows().to_csv("rows.csv", index=False)
        x = rows()[["a", "b", "c"]].to_numpy(dtype=np.float32)
        np.savez("points.npz", x=x, y=np.where(x[:, 0] > 0, "yes", "no"))
        np.savez("steps.npz", x=x.repeat(4, 1).reshape(-1, 3, 4), y=np.where(x[:, 0] > 1, "yes", "no"))
        draw(Path("pictures"), 20)
        for name, text in (EXPERIMENTS | OF_ARRAYS).items():
            model = MODELS.get(name, "{kind: mlp, hidden: 8, layers: 1}")
            rest = f"model: {model}\noptimizer: {{kind: adamw, lr: 0.03}}"
            Path("experiments", f"{name}.yaml").write_text(f"# {name}?\n{text}\n{rest}\ntrainer: {{max_epochs: 4}}\n")
        outbox = Outbox()
        found = {name: training.train(load(name), outbox.tracker()) for name in EXPERIMENTS | OF_ARRAYS}
        assert not outbox.close().pending
    Where.folder = folder
    return found


class Where:
    folder: Path


@pytest.fixture(autouse=True)
def in_its_folder(results: dict[str, Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(Where.folder)


def stored(name: str) -> StoredRun:
    return stored_runs.find(f"latest:{name}")


def of_split(name: str, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the model predicts for the rows of a split, and these rows."""
    chosen = rows().iloc[np.load(stored(name).artifact("split.npz"))[split]]
    return lab.load(f"latest:{name}").predict(chosen), chosen


def output_of(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(stored(name).artifact("encoding.json").read_text())["output"]
    return content


def truth_of(chosen: pd.DataFrame) -> np.ndarray:
    return np.array([[label in text.split(";") for label in LABELS] for text in chosen["tags"]], int)


def test_labels_are_predicted_one_by_one_and_as_a_list(results: dict[str, Result]) -> None:
    predicted, chosen = of_split("tags", "test")
    said = predicted[[f"prediction of {label}" for label in LABELS]].to_numpy()
    assert predicted["prediction"].tolist() == [";".join(np.array(LABELS)[row == 1]) for row in said]
    expected = f1_score(truth_of(chosen), said, average="macro", zero_division=0)
    assert results["tags"].metrics["test/f1_macro"] == pytest.approx(expected)
    single = f1_score(truth_of(chosen), said, average=None, zero_division=0)
    assert [results["tags"].metrics[f"test/f1_{label}"] for label in LABELS] == pytest.approx(list(single))
    limits = output_of("tags")["thresholds"]
    probabilities = predicted[[f"probability of {label}" for label in LABELS]].to_numpy()
    assert (said == (probabilities > np.float32(limits))).all()


def test_the_thresholds_of_labels_are_those_that_suit_the_validation_split() -> None:
    predicted, chosen = of_split("tags", "val")
    truth = truth_of(chosen)
    found = [
        best(predicted[f"probability of {label}"].to_numpy(), truth[:, number], "f1", of_both=False)
        for number, label in enumerate(LABELS)
    ]
    assert output_of("tags")["thresholds"] == pytest.approx(found, abs=1e-6)
    assert "best f1 on the validation split" in stored("tags").tags["lab.threshold"]


def test_ordered_classes_are_predicted_by_their_median(results: dict[str, Result]) -> None:
    predicted, chosen = of_split("grades", "test")
    order = ["low", "mid", "high"]
    assert list(predicted) == ["prediction", *(f"probability of {name}" for name in order)]
    above = predicted[["probability of low", "probability of mid"]].cumsum(axis=1).to_numpy()
    assert predicted["prediction"].tolist() == [order[int((row < 0.5).sum())] for row in above]
    numbers = [list(map(order.index, names)) for names in (chosen["grade"], predicted["prediction"])]
    assert results["grades"].metrics["test/kappa"] == pytest.approx(cohen_kappa_score(*numbers, weights="quadratic"))
    counts = np.array(json.loads(stored("grades").artifact("confusion_matrix.json").read_text())["counts"])
    assert counts.trace() == (numbers[0] == np.array(numbers[1])).sum()


def test_the_second_class_is_said_above_the_threshold(results: dict[str, Result]) -> None:
    predicted, chosen = of_split("bought", "test")
    (limit,) = output_of("bought")["thresholds"]
    yes = predicted["probability of yes"] > np.float32(limit)
    assert (predicted["prediction"] == np.where(yes, "yes", "no")).all()
    assert results["bought"].metrics["test/accuracy"] == pytest.approx(
        (predicted["prediction"] == chosen["bought"]).mean()
    )
    assert results["bought"].main_metric == "balanced_accuracy"
    assert dict(results["bought"].notes)["threshold"] == stored("bought").tags["lab.threshold"]
    val, of_val = of_split("bought", "val")
    truth = (of_val["bought"] == "yes").to_numpy()
    assert limit == pytest.approx(best(val["probability of yes"].to_numpy(), truth, "balanced_accuracy", of_both=True))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_logged_model_predicts_the_same(name: str) -> None:
    import mlflow

    predicted = lab.load(f"latest:{name}").predict(rows())
    logged = mlflow.pyfunc.load_model(f"runs:/{stored(name).id}/model").predict(rows()[["a", "b", "c"]])
    pd.testing.assert_frame_equal(predicted, logged, check_dtype=False, atol=1e-6)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_a_served_model_of_arrays_or_images_says_the_same_by_its_threshold(name: str) -> None:
    import mlflow

    model = lab.load(f"latest:{name}")
    raw, x = samples_of(name)
    predicted = model.predict(raw)
    (limit,) = output_of(name)["thresholds"]
    probability = predicted.iloc[:, 2].to_numpy()
    assert (np.asarray(predicted["prediction"] == predicted.columns[2][15:]) == (probability > np.float32(limit))).all()
    assert ((probability > 0.5) != (probability > limit)).any()  # the threshold changes what is said
    logged = mlflow.pyfunc.load_model(f"runs:/{stored(name).id}/model").predict(x)
    pd.testing.assert_frame_equal(predicted, logged, check_dtype=False, atol=1e-6)
    answer = asyncio.run(answered(models.download(stored(name)), {"inputs": x.tolist()}))
    assert [row["prediction"] for row in answer["predictions"]] == predicted["prediction"].tolist()
    assert models.undecided(stored(name)) == ""


async def answered(folder: Path, body: dict[str, Any]) -> Any:
    """What the scoring server of a model answers."""
    headers = [(b"host", b"here"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/invocations", "query_string": b"", "headers": headers}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    await serving.app(folder, ("here",))(scope, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in sent))


def samples_of(name: str) -> tuple[Any, np.ndarray]:
    """New samples as a person has them, and as the served model takes them."""
    if name == "pictures":
        paths = sorted(Path("pictures").rglob("*.png"))
        return paths, lab.load(f"latest:{name}").encoding.encode(paths)
    x = np.load(f"{name}.npz")["x"]
    return x, x


def test_an_exported_model_gives_probabilities_alone_and_says_the_threshold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "it gives probabilities, on which you decide: yes above 0.9 (set by threshold)"
    for arguments, printed in (
        (["promote", "latest:points", "--as", "points"], False),
        (["export", "latest:points", "--to", "torch", "-o", str(tmp_path / "points.pt2")], True),
    ):
        with pytest.raises(SystemExit):
            main.main(arguments)
        assert (said in capsys.readouterr().out.splitlines()) == printed


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_test_repeated_chooses_the_same_thresholds(name: str) -> None:
    again, logged = reproduce.test_again(f"latest:{name}")
    assert again == logged


@pytest.mark.parametrize("name", ["tags", "grades"])
def test_the_network_is_exported_with_its_probabilities(name: str, tmp_path: Path) -> None:
    model = lab.load(f"latest:{name}")
    _, difference = export.export(model, "onnx", tmp_path / "model.onnx")
    assert difference < 1e-5
    outputs = model.outputs(model.encoding.encode(rows()))
    predicted = model.predict(rows()).filter(like="probability of").to_numpy()
    np.testing.assert_array_equal(outputs, predicted)
    if name == "grades":
        torch.testing.assert_close(torch.from_numpy(outputs).sum(1), torch.ones(ROWS))


def test_both_have_their_figure() -> None:
    scores = json.loads(stored("tags").artifact("labels.json").read_text())
    assert scores["labels"] == list(LABELS)
    assert scores["f1"] == pytest.approx([stored("tags").metrics[f"test/f1_{label}"] for label in LABELS])
    for name, figure in (("tags", "labels"), ("grades", "confusion_matrix"), ("bought", "confusion_matrix")):
        assert stored(name).artifact(f"figures/{figure}.png").stat().st_size > 1_000
