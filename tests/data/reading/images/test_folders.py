"""Folders of images: classes, given splits, and what is not used."""

from pathlib import Path

import pytest
from made_images import draw, note, prepared

from lab.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "valid", "Test"), ("train", "validation", "test")]
)
def test_the_splits_of_folders_are_kept(train: str, val: str, test: str) -> None:
    draw(f"pictures/{train}")
    draw(f"pictures/{val}", count=4)
    draw(f"pictures/{test}", count=5)
    data = prepared()
    folders = {name: {data.files.paths[i].parts[1] for i in chosen} for name, chosen in data.split_indices.items()}
    assert folders == {"train": {train}, "val": {val}, "test": {test}}
    assert note(data, "split") == "as given by the folders: train 40, val 8, test 10"


@pytest.mark.parametrize(
    ("given", "drawn", "said"),
    [
        ("test", "val", "the validation split is drawn from train"),
        ("val", "test", "the test split is drawn from train"),
    ],
)
def test_a_split_without_a_folder_is_drawn_from_train(given: str, drawn: str, said: str) -> None:
    draw("pictures/train")
    draw(f"pictures/{given}", count=5)
    data = prepared()
    assert data.split_indices[given].tolist() == list(range(40, 50))
    assert len(data.split_indices[drawn]) > 0
    assert set(data.split_indices[drawn]) < set(range(40))
    assert note(data, "split").endswith(said)


def test_a_test_folder_without_classes_is_said_and_left_out() -> None:
    draw("pictures/train")
    draw("pictures/val", count=4)
    draw("pictures", names=["test"], count=6)
    data = prepared()
    assert len(data.files.paths) == 48
    assert "pictures/test has no folders of classes; `lab predict` takes images" in note(data, "not used")


def test_files_that_are_no_images_are_counted_by_their_endings() -> None:
    draw("pictures")
    for name in ("a/readme.txt", "a/x.heic", "b/y.HEIC", "b/.DS_Store", "b/._01.png", "top.png"):
        Path("pictures", name).write_text("?")
    draw("pictures", names=["__MACOSX", ".cache", "a/.ipynb_checkpoints"])
    data = prepared()
    assert data.class_names == ("a", "b")
    assert len(data.files.paths) == 40
    assert note(data, "not used").startswith("6 files (.heic 2, .png 2, ")
    assert note(data, "not used").endswith("; convert those that are photos to PNG or JPEG")
    assert "pictures/a/readme.txt: not used" in data.skipped


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "nowhere: no such folder"),
        (["pictures/a"], "pictures: needs one folder per class, at least two; found only a/"),
        (["pictures/in/a", "pictures/in/b"], "found only in/; did you mean pictures/in?"),
        (["pictures/a", "pictures/b"], "pictures/a: has no images (.png"),
        (["pictures/train/a", "pictures/train/b", "pictures/val/c"], "pictures/val/c: a class that the training"),
        (
            ["pictures/train/a", "pictures/val/a", "pictures/valid/a"],
            "pictures/valid: is a val split like pictures/val",
        ),
    ],
)
def test_a_folder_without_classes_or_images_is_refused(made: list[str], message: str) -> None:
    for name in made:
        Path(name).mkdir(parents=True)
    with pytest.raises(LabError) as caught:
        prepared("pictures" if made else "nowhere")
    assert message in str(caught.value)
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("setting", ["root", "image", "target", "split", "group"])
def test_settings_of_lists_are_refused_for_folders(setting: str) -> None:
    draw("pictures")
    with pytest.raises(LabError, match=f"data.{setting}: is for a table that lists images; pictures is not one"):
        prepared(**{setting: "a"})
    with pytest.raises(LabError, match=r"data.task: the targets are the folders of pictures, which are classes"):
        prepared(task="regression")
