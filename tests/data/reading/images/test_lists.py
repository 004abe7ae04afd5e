"""Tables that list images with their targets."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_images import RANDOM, note, prepared, save

from lab.errors import LabError

ROWS = 40


@pytest.fixture(autouse=True)
def frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Photos of plants below `photos/`, and a table of them, `list.csv`."""
    monkeypatch.chdir(tmp_path)
    names = [f"{'nw'[row % 2]}/{row:03}.png" for row in range(ROWS)]
    for name in names:
        save(RANDOM.integers(0, 255, (10, 12), dtype=np.uint8), f"photos/{name}")
    return pd.DataFrame({"file": names, "plant": ["oak", "elm"] * (ROWS // 2)})


def from_list(frame: pd.DataFrame, **settings: Any) -> Any:
    frame.to_csv("list.csv", index=False)
    return prepared("list.csv", **({"root": "photos"} | settings))


def test_a_column_of_names_and_one_of_classes(frame: pd.DataFrame) -> None:
    data = from_list(frame)
    assert (data.task, data.class_names, data.sizes.input_shape) == ("classification", ("elm", "oak"), (1, 10, 12))
    assert [path.relative_to("photos").as_posix() for path in data.files.paths] == frame["file"].tolist()
    assert data.files.labels.tolist() == [1, 0] * (ROWS // 2)
    assert note(data, "columns") == "image 'file', target 'plant'"


@pytest.mark.parametrize("form", ["own folder", "backslashes", "no ending", "names alone", "parquet", "absolute"])
def test_names_in_every_usual_form(frame: pd.DataFrame, form: str) -> None:
    expected = from_list(frame)
    path, root = "list.csv", "photos"
    if form == "own folder":
        path, root = "photos/list.csv", None
    elif form == "backslashes":
        frame["file"] = frame["file"].str.replace("/", "\\")
    elif form == "no ending":
        frame["file"] = frame["file"].str.removesuffix(".png")
    elif form == "names alone":
        root = None
        frame["file"] = frame["file"].str[2:]
    elif form == "parquet":
        path = "list.parquet"
    else:
        frame["file"] = [str(Path("photos", name).absolute()) for name in frame["file"]]
    frame.to_parquet(path) if form == "parquet" else frame.to_csv(path, index=False)
    data = prepared(path, root=root)
    assert torch.equal(next(iter(data.loader("test")))[0], next(iter(expected.loader("test")))[0])


def test_many_different_numbers_are_values_to_regress(frame: pd.DataFrame) -> None:
    frame["height"] = RANDOM.normal(10, 3, ROWS)
    data = from_list(frame.drop(columns="plant"))
    train = frame["height"].to_numpy()[data.split_indices["train"]]
    assert (data.task, data.target_names, data.sizes.out_features) == ("regression", ("height",), 1)
    assert float(data.target_scale.mean) == pytest.approx(train.mean(), rel=1e-5)
    y = torch.cat([y for _, y in data.loader("train")])
    np.testing.assert_allclose(y[:, 0], (train - train.mean()) / train.std(), rtol=1e-4, atol=1e-4)


def test_a_column_of_splits_is_used_and_said(frame: pd.DataFrame) -> None:
    frame["part"] = ["train"] * 28 + ["Validation"] * 4 + ["test"] * 8
    data = from_list(frame)
    assert {name: len(chosen) for name, chosen in data.split_indices.items()} == {"train": 28, "val": 4, "test": 8}
    assert data.split_indices["test"].tolist() == list(range(32, 40))
    assert note(data, "split") == "as given by the values of 'part': train 28, val 4, test 8"
    assert note(data, "columns") == "image 'file', split 'part', target 'plant'"
    drawn = from_list(frame, split="none", target="plant")
    assert drawn.split_indices["test"].tolist() != list(range(32, 40))


def test_a_group_stays_in_one_split(frame: pd.DataFrame) -> None:
    frame["site"] = np.repeat(np.arange(10), 4)
    data = from_list(frame, group="site")
    sites = [set(frame["site"][data.split_indices[split]]) for split in ("train", "val", "test")]
    assert sum(map(len, sites)) == len(set.union(*sites)) == 10


def test_columns_and_images_that_are_not_used_are_said(frame: pd.DataFrame) -> None:
    frame["label"], frame["remark"] = frame["plant"], "It grew. " * 100
    data = from_list(frame[:30])
    assert note(data, "columns") == "image 'file', target 'label'; not used: plant, remark"
    assert note(data, "not used") == "10 images below photos that list.csv does not list"
    assert "photos/n/030.png: not listed in list.csv" in data.skipped


def test_a_name_that_two_images_have_is_not_guessed(frame: pd.DataFrame) -> None:
    save(np.zeros((10, 12), np.uint8), "photos/w/000.png")
    frame["file"] = frame["file"].str[2:]
    data = from_list(frame)
    assert note(data, "skipped") == "1 unreadable: photos/000.png: no such file"


def test_a_few_missing_files_are_skipped_and_named(frame: pd.DataFrame) -> None:
    frame.loc[3, "file"] = "n/gone.png"
    data = from_list(frame)
    assert len(data.files.paths) == ROWS - 1
    assert note(data, "skipped") == "1 unreadable: photos/n/gone.png: no such file"


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"root": "pots"}, "pots: no such folder; did you mean photos?"),
        ({}, {"root": "photos/w"}, "photos/w/n/000.png: no such file, but column 'file' of list.csv names it; set"),
        ({}, {"image": "fil"}, "data.image: no column 'fil'; did you mean file?"),
        ({}, {"target": "file"}, "data.target: column 'file' is data.image already"),
        ({"file": "x"}, {}, "list.csv: no column names images below photos/; set data.root to their folder"),
        ({"second": "n/000.png"}, {}, "data.image: which column names the images? file and second of list.csv do"),
        (
            {"age": 3, "by": "Ann"},
            {},
            "data.target, or --target: which column is to be predicted? list.csv has plant, age, by",
        ),
        ({"part": "tset"}, {"split": "part", "target": "plant"}, "column 'part', row 1: 'tset' is no split; write"),
        ({"part": "test"}, {"split": "part", "target": "plant"}, "column 'part': no row is for training"),
    ],
)
def test_what_cannot_be_understood_is_one_line(
    frame: pd.DataFrame, change: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabError) as caught:
        from_list(frame.assign(**change), **settings)
    assert message in str(caught.value)
    assert len(caught.value.lines) == 1
