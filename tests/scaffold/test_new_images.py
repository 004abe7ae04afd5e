"""A list of 16-bit images with turned and damaged files, from `lab new` over a run to predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_images import RANDOM, note, save

import lab
from lab.config import experiment
from lab.data.images import Images
from lab.scaffold.inspection import kind_and_names
from lab.scaffold.writing import new
from lab.tracking.reading import stored_runs
from lab.training import run as training
from lab.training.rehearsal.check import check

COUNT = 60


@pytest.fixture
def frame(workplace: Path) -> pd.DataFrame:
    """Pictures of wide noise, stored sideways; four of them cannot be read."""
    for number in range(COUNT):
        values = RANDOM.integers(300 * number, 300 * number + 900, (12, 16)).astype(np.uint16)
        save(values, f"scans/{number:02}.png", orientation=6)
    for number in range(0, 40, 10):
        Path(f"scans/{number:02}.png").write_text("no image")
    files = [f"{number:02}.png" for number in range(COUNT)]
    frame = pd.DataFrame({"file": files, "dose": np.arange(COUNT) / 7, "part": ["train"] * 40 + ["test"] * 20})
    frame.to_csv("scans/list.csv", index=False)
    return frame


def test_from_a_list_to_predictions(frame: pd.DataFrame) -> None:
    made = new("scans", "scans/list.csv", "dose")
    data = made.inspection.data
    assert isinstance(data, Images)
    assert (data.task, data.sizes.input_shape) == ("regression", (1, 16, 12))
    assert note(data, "skipped").startswith("4 unreadable: scans/00.png: cannot be read")
    assert made.choice.sections["data"] | {"batch_size": 0} == {
        "kind": "images",
        "path": "scans/list.csv",
        "image": "file",
        "target": "dose",
        "split": "part",
        "batch_size": 0,
    }
    assert made.choice.sections["optimizer"]["weight_decay"] == 0.05
    assert "Little weight decay" in Path("experiments/scans.yaml").read_text()
    by_perceptron = new("flat", "scans/list.csv", "dose", model="mlp").choice.sections
    assert by_perceptron["optimizer"]["weight_decay"] == 0.5
    listed = [line.partition(":")[0] for subject, line in check(experiment.load("scans")).notes if subject == "skipped"]
    assert set(listed) > {f"scans/{number:02}.png" for number in (0, 10, 20, 30)}
    result = training.run(experiment.load("scans", ["trainer.max_epochs=40"]))
    skipped = stored_runs.find(result.run_id).artifact("skipped.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in skipped] == [
        f"scans/{number}.png" for number in ("00", "10", "20", "30")
    ]
    predicted = lab.load("latest:scans").predict([Path(f"scans/{number:02}.png") for number in range(41, COUNT)])
    doses = frame["dose"][41:].to_numpy()
    assert np.corrcoef(predicted["prediction"].to_numpy(dtype=float), doses)[0, 1] > 0.9


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ({"file": ["01.png", "02.png", "03.png"], "kind": [1, 2, 1]}, "images"),
        ({"file": ["a.png", "b.png", "c.png"], "kind": [1, 2, 1]}, "table"),
        ({"name": ["Ann", "Bob", "Eve"], "kind": [1, 2, 1]}, "table"),
    ],
)
def test_a_table_is_a_list_of_images_if_they_are_there(frame: pd.DataFrame, cells: dict[str, list], kind: str) -> None:
    pd.DataFrame(cells).to_csv("scans/other.csv", index=False)
    assert kind_and_names("scans/other.csv", None, {}, None)[0] == kind
