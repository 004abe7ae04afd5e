"""`logger.experiment`: files, and the calls of TensorBoard's SummaryWriter."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

import lab
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.lightning_logger import open_runs
from lab.tracking.lightning_logger.recorder import Recorder
from lab.tracking.writing import outbox


@pytest.fixture
def recorder(empty_workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The recorder of a run without a sender: its journal says what is recorded."""
    monkeypatch.setattr(outbox, "start_sender", lambda folder: None)
    recorder = lab.Logger("p").experiment
    yield recorder
    recorder.end("FINISHED")
    open_runs._of_processes.clear()


def folder() -> Path:
    return next(store.journals().glob("*/*/records.jsonl")).parent


def last(kind: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in (folder() / "records.jsonl").open()]
    return [line for line in lines if line["kind"] == kind][-1]


def test_files_and_folders_are_copied(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "made" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt"):
        (tmp_path / "made" / name).write_text(name)
    recorder.artifact(tmp_path / "made" / "a.txt")
    assert last("artifact")["path"] == "a.txt"
    recorder.artifact(tmp_path / "made", "kept")
    assert (folder() / "kept" / "deep" / "b.txt").read_text() == "deep/b.txt"
    assert last("artifact")["path"] == "kept/deep/b.txt"
    with pytest.raises(LabError, match="there is no such file to record"):
        recorder.artifact(tmp_path / "nowhere")


def test_what_sums_up_a_run_is_recorded_at_its_last_step(recorder: Recorder) -> None:
    for step in (0, 5):
        recorder.summary({"at_best/x": 1.0})
        assert last("metrics")["step"] == step
        recorder.metrics({"x": 1.0}, 5)


def test_scalars_and_texts(recorder: Recorder) -> None:
    recorder.add_scalar("loss", torch.tensor(0.5), 3)
    assert (last("metrics")["values"], last("metrics")["step"]) == ({"loss": 0.5}, 3)
    recorder.add_scalars("acc", {"a": 1, "b": 2})
    assert (last("metrics")["values"], last("metrics")["step"]) == ({"acc/a": 1.0, "acc/b": 2.0}, 4)
    recorder.add_text("note", "hello")
    assert (folder() / "texts" / "note-000005.md").read_text() == "hello"


@pytest.mark.parametrize(
    ("image", "axes", "shape"),
    [
        (torch.full((3, 4, 5), 1.5), "CHW", (4, 5, 3)),
        (np.full((4, 5, 3), 255, np.uint8), "HWC", (4, 5, 3)),
        (torch.ones(1, 4, 5, requires_grad=True), "CHW", (4, 5)),
        (torch.ones(4, 5), "HW", (4, 5)),
    ],
)
def test_images_of_values_and_bytes(recorder: Recorder, image: Any, axes: str, shape: tuple[int, ...]) -> None:
    recorder.add_image("some/grid", image, 7, dataformats=axes)
    stored = np.asarray(Image.open(folder() / last("artifact")["path"]))
    assert last("artifact")["path"] == "images/some/grid-000007.png"
    assert stored.shape == shape
    assert (stored == 255).all()


def test_values_of_an_image_are_not_rounded_up_or_wrapped(recorder: Recorder) -> None:
    recorder.add_image("grid", torch.tensor([[-1.0, 0.0, 0.5, 2.0, float("nan")]]), dataformats="HW")
    assert np.asarray(Image.open(folder() / last("artifact")["path"])).tolist() == [[0, 0, 127, 255, 0]]


@pytest.mark.parametrize(("shape", "axes"), [((2, 3, 4, 5), "NCHW"), ((4, 5), "CHW"), ((3, 4, 5), "HW")])
def test_other_images_are_refused(recorder: Recorder, shape: tuple[int, ...], axes: str) -> None:
    with pytest.raises(LabError, match=rf"of shape .* is not {axes}"):
        recorder.add_image("grid", torch.ones(*shape), dataformats=axes)
    assert list(store.journals().glob("*/*/images/*")) == []


@pytest.mark.parametrize("close", [True, False])
def test_figures(recorder: Recorder, close: bool) -> None:
    figure, _ = pyplot.subplots()
    recorder.add_figure("curve", figure, 2, close=close)
    assert Image.open(folder() / "figures" / "curve-000002.png").size[0] > 100
    assert pyplot.fignum_exists(figure.number) is not close
    pyplot.close("all")
