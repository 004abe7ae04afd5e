"""`lab new` for texts: recognised by their words, in a table or in files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_data import shop_rows
from made_texts import reviews, write_folders

from lab.data.text.texts import Text
from lab.errors import LabError
from lab.scaffold.inspection import inspect, kind_and_names


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kind_of(frame: pd.DataFrame, target: str | None = None) -> str:
    frame.to_csv("data.csv", index=False)
    return kind_and_names("data.csv", target, {}, None)[0]


def test_free_texts_are_recognised() -> None:
    rows = reviews(200)
    assert kind_of(rows[["review", "label"]]) == "text"
    assert kind_of(rows.drop(columns="stars"), "label") == "text"
    assert kind_of(rows.assign(number=range(200))[["number", "review", "label"]]) == "text"
    assert kind_of(rows, "label") == "table"


def test_names_and_codes_are_no_texts() -> None:
    people = shop_rows(200)
    names = [f"Braund, Mr. Owen {number}" for number in range(200)]
    assert kind_of(people) == "table"
    assert kind_of(people.assign(name=names), "city") == "table"


def test_texts_beside_other_columns_are_proposed_and_said() -> None:
    reviews(200).assign(title=[f"number {row}" for row in range(200)]).to_csv("reviews.csv", index=False)
    found = inspect("reviews.csv", "label", None, {})
    assert (found.settings["kind"], found.settings["text"]) == ("table", ["review"])
    facts = dict(found.facts)
    assert (facts["numbers"], facts["texts"].split(" (")[0]) == ("1: stars", "1: review")
    assert "--kind text" in facts["text"]
    assert facts["dropped"].startswith("title: ")
    for given in ({"drop": ["review"]}, {"categorical": ["review"]}, {"text": []}):
        settings = inspect("reviews.csv", "label", None, given).settings
        assert settings.get("text", []) == []
    assert inspect("reviews.csv", "label", "text", {}).settings["text"] == "review"
    assert inspect("reviews.csv", "label", None, {}, model="gru").settings["kind"] == "text"


def test_the_recipe_of_short_texts_has_ngrams_and_pairs_for_a_bag() -> None:
    reviews(200).drop(columns="stars").to_csv("reviews.csv", index=False)
    found = inspect("reviews.csv", "label", None, {})
    assert isinstance(found.data, Text)
    assert {name: found.settings[name] for name in ("kind", "text", "target", "ngrams", "pairs")} == {
        "kind": "text",
        "text": "review",
        "target": "label",
        "ngrams": "all",
        "pairs": True,
    }
    assert "pairs" not in inspect("reviews.csv", "label", None, {}, model="gru").settings
    assert "pairs" not in inspect("reviews.csv", "label", None, {"tokenizer": "bpe"}).settings


def test_a_column_that_says_the_split_is_used() -> None:
    rows = reviews(200).drop(columns="stars")
    rows["part"] = np.where(np.arange(200) < 150, "train", "test")
    rows.to_csv("reviews.csv", index=False)
    assert inspect("reviews.csv", "label", None, {}).settings["split"] == "part"


def test_copies_between_the_splits_are_warned_of() -> None:
    pd.concat([reviews(100).drop(columns="stars")] * 2).to_csv("reviews.csv", index=False)
    assert "in the training split too" in inspect("reviews.csv", "label", None, {}).warnings[0]


def test_folders_of_texts_are_recognised() -> None:
    write_folders(reviews(60), Path("folders"))
    assert inspect("folders", None, None, {}).settings["kind"] == "text"
    with pytest.raises(LabError, match="--target: the classes of texts are the names of their folders"):
        inspect("folders", "label", None, {})


def test_what_is_to_be_predicted_has_to_be_clear() -> None:
    reviews(60).drop(columns="label").assign(other=range(60)).to_csv("reviews.csv", index=False)
    with pytest.raises(LabError, match="--target: which column is to be predicted"):
        inspect("reviews.csv", None, "text", {})
    with pytest.raises(LabError, match="--target: no column 'star'; did you mean stars"):
        inspect("reviews.csv", "star", "text", {})
