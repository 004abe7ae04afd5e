"""`lab new` proposes labels where the values say so, and says how to ask for an order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.config.experiment import load
from lab.scaffold import writing

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def rows(empty_workplace: Path) -> pd.DataFrame:
    truth = RANDOM.integers(2, size=(90, 2))
    frame = pd.DataFrame(
        {
            "a": RANDOM.normal(size=90),
            "b": RANDOM.normal(size=90),
            "red": truth[:, 0],
            "blue": np.where(truth[:, 1], "yes", "no"),
            "stars": RANDOM.integers(1, 6, size=90),
            "tags": [";".join(np.array(["x", "y"])[row.astype(bool)]) for row in truth],
            "grade": RANDOM.choice(["low", "mid", "high"], size=90),
        }
    )
    frame.to_csv("rows.csv", index=False)
    frame.assign(tags=[text.split(";") if text else [] for text in frame["tags"]]).to_parquet("rows.parquet")
    return frame


@pytest.mark.parametrize(
    ("path", "target", "names"),
    [
        ("rows.csv", "tags", ("x", "y")),
        ("rows.parquet", "tags", ("x", "y")),
        ("rows.csv", "red,blue", ("red", "blue")),
    ],
)
def test_lists_and_columns_of_yes_and_no_are_labels(path: str, target: str, names: tuple[str, ...]) -> None:
    left = [name for name in ("red", "blue", "tags", "grade", "stars") if name not in target.split(",")]
    made = writing.new("mine", path, target, overrides=[f"data.drop=[{', '.join(left)}]"])
    assert load("mine").data.settings["task"] == "multilabel"
    assert made.inspection.data.class_names == names
    assert "multilabel, 2 labels" in dict(made.inspection.facts)["task"]


def test_several_numbers_are_values() -> None:
    made = writing.new("mine", "rows.csv", "a,b")
    assert made.inspection.data.task == "regression"
    assert "Can a, b be predicted" in load("mine").question


@pytest.mark.parametrize(
    ("target", "hint"),
    [("stars", "data.task: ordinal learns their order"), ("grade", "data.order, the lowest first: [high, low, mid]")],
)
def test_grades_are_classes_and_the_way_to_an_order_is_said(target: str, hint: str) -> None:
    made = writing.new("mine", "rows.csv", target)
    assert made.inspection.data.task == "classification"
    assert hint in dict(made.inspection.facts)["order"]


def test_classes_without_an_order_get_no_hint_of_one() -> None:
    rows = pd.DataFrame({"size": RANDOM.normal(size=90), "topic": ["sports", "politics", "tech"] * 30})
    rows.to_csv("topics.csv", index=False)
    assert "order" not in dict(writing.new("topics", "topics.csv", "topic").inspection.facts)
