"""Targets of a table: labels, ordered classes, several values; and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.data.table import Table
from lab.errors import LabError

RANDOM = np.random.default_rng(0)
ROWS = 60


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows() -> pd.DataFrame:
    """A row of numbers each, with targets of every kind."""
    age, truth = RANDOM.normal(50, 10, ROWS), RANDOM.integers(2, size=(ROWS, 3))
    return pd.DataFrame(
        {
            "age": age,
            "size": 2 * age + RANDOM.normal(size=ROWS),
            "price": age**2,
            "red": truth[:, 0],
            "blue": np.where(truth[:, 1], "yes", "no"),
            "green": truth[:, 2].astype(bool),
            "tags": [";".join(np.array(["b", "a", "c"])[row.astype(bool)]) for row in truth],
            "grade": np.array(["low", "mid", "high"])[np.digitize(age, [45, 55])],
            "stars": np.digitize(age, [45, 55]) + 1,
        }
    )


def prepared(frame: pd.DataFrame, **settings: Any) -> Table:
    frame.to_csv("rows.csv", index=False)
    data = Table("rows.csv", batch_size=8, **settings)
    data.prepare()
    return data


def notes(data: Table, about: str) -> str:
    return "; ".join(text for subject, text in data.notes if subject == about)


def test_columns_of_yes_and_no_are_labels() -> None:
    frame = rows()
    data = prepared(frame, target=["red", "blue", "green"], task="multilabel", drop=["tags", "grade", "stars"])
    assert (data.task, data.class_names) == ("multilabel", ("red", "blue", "green"))
    assert (data.sizes.out_features, data.sizes.classes, data.sizes.labels) == (3, 0, 3)
    truth = np.stack([frame["red"], frame["blue"] == "yes", frame["green"]], axis=1)
    for split in ("train", "val", "test"):
        assert data.splits[split].y.tolist() == truth[data.split_indices[split]].tolist()  # type: ignore[attr-defined]
    assert data.label_counts == tuple(truth[data.split_indices["train"]].sum(0))
    assert data.encoding.names() == ["age", "size", "price"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_of_lists_is_labels(ending: str) -> None:
    frame = rows()[["age", "tags", "red", "blue", "green"]]
    if ending == "parquet":
        frame.assign(tags=[text.split(";") if text else [] for text in frame["tags"]]).to_parquet("rows.parquet")
    frame.to_csv("rows.csv", index=False)
    data = Table(f"rows.{ending}", "tags", "multilabel", drop=["red", "blue", "green"], batch_size=8)
    data.prepare()
    assert data.class_names == ("a", "b", "c")
    expected = np.stack([frame["blue"] == "yes", frame["red"], frame["green"]], axis=1)
    assert data.read().y.tolist() == expected.tolist()
    assert ("separated by ';'" if ending == "csv" else "lists") in notes(data, "task")


def test_labels_that_are_numbers_stay_what_is_written() -> None:
    frame = pd.DataFrame(
        {"x": RANDOM.normal(size=18), "tags": ["1,2", "2", "", "01,2", "1", "2", "1,2", "01", "2"] * 2}
    )
    data = prepared(frame, target="tags", task="multilabel")
    assert data.class_names == ("01", "1", "2")


@pytest.mark.parametrize(
    ("target", "order", "names"),
    [("grade", ["low", "mid", "high"], ("low", "mid", "high")), ("stars", None, ("1", "2", "3"))],
)
def test_ordered_classes_are_numbered_in_their_order(target: str, order: Any, names: tuple[str, ...]) -> None:
    frame = rows()
    others = [name for name in frame.columns if name not in ("age", target)]
    data = prepared(frame, target=target, task="ordinal", order=order, drop=others)
    assert (data.task, data.class_names) == ("ordinal", names)
    assert (data.sizes.out_features, data.sizes.classes, data.sizes.raw_outputs) == (1, 3, 2)
    assert data.read().y.tolist() == (frame["stars"] - 1).tolist()
    assert notes(data, "task").startswith(f"ordinal, 3 classes: {' < '.join(names)}")


def test_several_numbers_are_values_each_in_its_own_units() -> None:
    frame = rows()[["age", "size", "price"]]
    data = prepared(frame, target=["size", "price"])
    assert (data.task, data.target_names) == ("regression", ("size", "price"))
    assert data.target_scale is not None
    y = data.target_scale.invert(data.splits["test"].y)  # type: ignore[attr-defined]
    np.testing.assert_allclose(y, frame[["size", "price"]].to_numpy()[data.split_indices["test"]], rtol=1e-5)
    assert list(data.target_columns()) == ["size", "price"]


def test_columns_of_0_and_1_are_pointed_out() -> None:
    frame = rows().assign(blue=lambda frame: (frame["blue"] == "yes").astype(int))[["age", "red", "blue"]]
    data = prepared(frame, target=["red", "blue"])
    assert data.task == "regression"
    assert "all are 0 or 1: data.task: multilabel makes them labels" in notes(data, "task")


def test_rows_without_one_of_the_targets_are_skipped_where_that_is_asked_for() -> None:
    frame = rows()[["age", "size", "price"]].mask(lambda frame: frame.index.to_numpy()[:, None] == [-1, 3, 5])
    with pytest.raises(LabError, match="column 'size' is missing in 1 row, first in row 4"):
        prepared(frame, target=["size", "price"])
    data = prepared(frame, target=["size", "price"], missing_target="skip")
    assert sum(map(len, data.split_indices.values())) == ROWS - 2
    assert notes(data, "skipped") == "2 rows without size, or without price"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "red", "task": "multilabel"}, "column 'red' has one label in every row: that is data.task: class"),
        (
            {"target": ["red", "stars"], "task": "multilabel"},
            r"column 'stars', row \d+: [23] is no label; it must be 0",
        ),
        ({"target": ["red", "nothing"], "task": "multilabel"}, "column 'nothing' is 0 in all rows: no sample has this"),
        ({"target": ["red", "gap"], "task": "multilabel"}, "column 'gap' is missing in 59 rows, first in row 2"),
        ({"target": ["red", "blue"], "task": "classification"}, "data.target: classification has one target, not 2"),
        ({"target": ["size", "blue"]}, "column 'blue' has text such as '(yes|no)'; several targets are numbers"),
        ({"target": ["red", "reed"]}, "data.target: no column 'reed'; did you mean red"),
        ({"target": "tags", "task": "multilabel", "missing_target": "skip"}, "an empty list of labels is a sample"),
        ({"target": []}, "data.target: names no column"),
        ({"target": ["red", "green"], "drop": ["green"]}, "data.drop: 'green' is the target; leave it out"),
        (
            {"target": "grade", "task": "ordinal"},
            "column 'grade' has names, whose order is not known; write data.order",
        ),
        (
            {"target": "grade", "task": "ordinal", "order": ["low", "mid"]},
            "data.order: misses 'high', which column 'gr",
        ),
        ({"target": "red", "order": [0, 1]}, "data.order: is for classes with an order; set data.task: ordinal"),
        (
            {"target": "tags", "label_separator": ";"},
            "data.label_separator: is for lists of labels; set data.task: mul",
        ),
    ],
)
def test_targets_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        prepared(rows().assign(nothing=0, gap=[1] + [None] * (ROWS - 1)), **settings)
