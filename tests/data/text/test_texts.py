"""Texts of a table or of folders as a data module."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_texts import reviews, write_folders

from lab.config.sections import part
from lab.data.encodings.text import PAD, Words, words_of
from lab.data.text.docstrings import LIBRARIES, Docstrings
from lab.data.text.texts import Text
from lab.errors import LabError

pytestmark = pytest.mark.usefixtures("in_folder")


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reviews(200).to_csv("reviews.csv", index=False)


def prepared(**settings: Any) -> Text:
    whole = {"kind": "text", "path": "reviews.csv", "text": "review", "target": "label", "batch_size": 16} | settings
    data: Text = part("data", {name: value for name, value in whole.items() if value is not None}).build(seed=0)
    data.prepare()
    return data


def notes(data: Text) -> dict[str, str]:
    return dict(data.notes)


def test_a_table_of_texts_is_a_classification() -> None:
    data = prepared()
    assert (data.task, data.class_names) == ("classification", ("bad", "good"))
    assert data.sizes.padded
    assert data.sizes.input_shape == (64, data.encoding.length)
    assert notes(data)["not used"] == "the columns stars"
    assert "no text is cut" in notes(data)["length"]


def test_the_vocabulary_is_that_of_the_training_split_alone() -> None:
    rows = reviews(200)
    rows["split"] = ["train"] * 150 + ["test"] * 50
    rows.loc[rows["split"] == "test", "review"] += " unheard unheard"
    rows.to_csv("reviews.csv", index=False)
    data = prepared(split="split")
    assert isinstance(data.encoding.tokenizer, Words)
    assert set(data.encoding.tokenizer.vocabulary) <= {word for text in rows["review"][:150] for word in words_of(text)}
    assert notes(data)["split"].startswith("as given by the values of 'split': train 150, test 50")


def test_a_batch_ends_with_its_longest_text_and_holds_each_text_once() -> None:
    data = prepared()
    batches = list(data.loader("train", shuffle=True))
    assert all((x != PAD).any(0).all() for x, _ in batches)
    assert len({x.shape[1] for x, _ in batches}) > 1
    served = sorted(tuple(row[row != PAD].tolist()) for x, _ in batches for row in x)
    every = data.splits["train"].x  # type: ignore[attr-defined]
    assert served == sorted(tuple(row[row != PAD].tolist()) for row in every)


def test_values_are_a_regression() -> None:
    data = prepared(target="stars")
    assert (data.task, data.target_names) == ("regression", ("stars",))


def test_texts_have_labels_or_classes_with_an_order() -> None:
    rows = reviews(200)
    rows["labels"] = np.where(rows["label"] == "good", "kind;short", "short")
    rows.loc[::3, "labels"] = ""
    rows.to_csv("reviews.csv", index=False)
    several = prepared(target="labels", task="multilabel")
    assert (several.task, several.class_names, several.sizes.out_features) == ("multilabel", ("kind", "short"), 2)
    rows["grade"] = np.resize(["poor", "fair", "good"], 200)
    rows.to_csv("reviews.csv", index=False)
    ordered = prepared(target="grade", task="ordinal", order=["poor", "fair", "good"])
    assert (ordered.task, ordered.class_names, ordered.sizes.out_features) == ("ordinal", ("poor", "fair", "good"), 1)


def test_a_column_weighs_the_texts_and_is_said() -> None:
    data = prepared(weight="stars")
    _, _, weight = data.splits["train"].batch(torch.arange(3))
    assert weight.tolist() == pytest.approx(reviews(200)["stars"].to_numpy()[data.split_indices["train"][:3]].tolist())
    assert "column 'stars'" in notes(data)["weight"]
    assert "not used" not in notes(data)


def test_the_same_texts_in_folders_are_the_same_samples() -> None:
    rows = reviews(60)
    write_folders(rows, Path("folders"))
    data = prepared(path="folders", text=None, target=None)
    assert data.class_names == ("bad", "good")
    assert sorted(data.texts) == sorted(rows["review"])
    Path("folders", "good", "scan.pdf").touch()
    again = prepared(path="folders", text=None, target=None)
    assert notes(again)["not used"] == "1 file (.pdf 1); convert those that are texts to .txt"
    assert again.fingerprint == data.fingerprint


def test_folders_give_splits() -> None:
    write_folders(reviews(60), Path("folders/train"))
    write_folders(reviews(20, seed=1), Path("folders/test"))
    data = prepared(path="folders", text=None, target=None)
    assert len(data.split_indices["test"]) == 20


def test_longer_texts_are_cut_and_said() -> None:
    data = prepared(length=5)
    assert data.encoding.length == 5
    assert " are longer and are cut there" in notes(data)["length"]


def test_by_default_most_long_texts_are_kept_whole() -> None:
    rows = reviews(200)
    rows["review"] = [" ".join(["word"] * count) for count in range(301, 501)]
    rows.to_parquet("long.parquet")
    data = prepared(path="long.parquet")
    assert 480 <= data.encoding.length <= 500
    assert notes(data)["length"].endswith("are longer and are cut there")


def test_empty_texts_are_counted_and_kept() -> None:
    rows = reviews(200)
    rows.loc[[3, 5], "review"] = [None, "  "]
    rows.to_csv("gaps.csv", index=False)
    assert notes(prepared(path="gaps.csv"))["empty"] == "2 texts of 200 are empty"


def test_a_text_may_have_several_lines_anywhere_in_the_file() -> None:
    rows = pd.concat([reviews(5_000)] * 2, ignore_index=True)  # beyond the part by which a file's format is inferred
    rows.loc[9_000, "review"] = "first line\nsecond line, in the same text"
    rows.to_csv("lines.csv", index=False)
    assert rows.loc[9_000, "review"] in prepared(path="lines.csv").texts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": "reviw"}, "data.text: no column 'reviw'; did you mean review"),
        ({"text": None}, "data.text: is required: the column of reviews.csv with the text"),
        ({"text": "stars"}, r"data.text: column 'stars' holds numbers such as [\d.]+, not texts"),
        ({"text": "label", "target": "label"}, "data.text: 'label' is the target"),
        ({"target": "labels"}, "data.target: no column 'labels'; did you mean label"),
        ({"path": "empty.csv"}, "data.text: column 'review' has no text in any row"),
        ({"tokenizer": "bpe", "vocabulary": 90_000}, "data.vocabulary: 90,000 byte pairs cannot be learned"),
        ({"path": "folders"}, "data.text: is for a table; folders is a folder"),
        (
            {"path": "folders", "text": None, "target": None, "task": "regression"},
            "data.task: the targets are the folders",
        ),
        (
            {"path": "folders", "text": None, "target": None, "order": ["bad", "good"]},
            "data.order: is for classes with an order",
        ),
        (
            {"path": "folders", "text": None, "target": None, "label_separator": ";"},
            "data.label_separator: is for lists of labels",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(settings: dict[str, Any], message: str) -> None:
    reviews(40).assign(review="").to_csv("empty.csv", index=False)
    write_folders(reviews(20), Path("folders"))
    with pytest.raises(LabError, match=message) as error:
        prepared(**settings)
    assert len(error.value.lines) == 1


def test_docstrings_are_in_every_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Docstrings()
    data.prepare()
    assert data.class_names == tuple(LIBRARIES)
    assert np.bincount(torch.cat([data.splits[s].y for s in data.splits])).min() >= 800  # type: ignore[attr-defined]
    assert len(set(data.texts)) == len(data.texts)
    assert not any(name in text.lower().split() for text in data.texts for name in ("numpy", "pandas", "matplotlib"))
