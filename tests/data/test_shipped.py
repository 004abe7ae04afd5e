from pathlib import Path

import numpy as np
import pytest

from lab.data import shipped
from lab.data.shipped import MNIST1D, Digits
from lab.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arrays_are_generated_once() -> None:
    calls = []

    def make() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"x": np.arange(3)}

    assert [shipped.cached("three", make)["x"].tolist() for _ in range(2)] == [[0, 1, 2]] * 2
    assert len(calls) == 1


def test_a_damaged_file_is_replaced(folder: Path) -> None:
    shipped.cached("three", lambda: {"x": np.arange(3)})
    (folder / "three.npz").write_bytes(b"PK\x03\x04 damaged")
    assert shipped.cached("three", lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]


def test_an_unwritable_cache_folder_is_not_an_error(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert shipped.cached("three", lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]


def test_the_cache_folder_is_created_with_its_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "a" / "b"))
    shipped.cached("three", lambda: {"x": np.arange(3)})
    shipped.cached("four", lambda: {"x": np.arange(4)})
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["four.npz", "three.npz"]


@pytest.mark.parametrize(
    ("lab_cache", "xdg", "expected"),
    [("own", "xdg", "own"), ("", "xdg", "xdg/lab"), ("", "", "home/.cache/lab")],
)
def test_where_the_cache_folder_is(
    lab_cache: str, xdg: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / lab_cache) if lab_cache else "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / xdg) if xdg else "")
    assert shipped.cache_folder() == tmp_path / expected


class TestChosenClasses:
    @pytest.mark.parametrize("kind", [Digits, MNIST1D])
    def test_some_digits_are_numbered_in_the_order_given(self, kind: type[Digits | MNIST1D]) -> None:
        every, some = kind().read(), kind(classes=[7, 3]).read()
        assert list(some.class_names) == ["7", "3"]
        assert np.array_equal(some.x[some.y == 0], every.x[every.y == 7])
        assert np.array_equal(some.x[some.y == 1], every.x[every.y == 3])
        assert some.test_size == np.isin(every.y[len(every.y) - every.test_size :], [7, 3]).sum()

    def test_few_training_samples_leave_validation_and_test_as_they_are(self) -> None:
        few, every = Digits(classes=[5, 6], per_class=20, batch_size=8), Digits(classes=[5, 6], batch_size=8)
        for data in (few, every):
            data.prepare()
        assert few.class_counts == (20, 20)
        assert set(few.split_indices["train"]) < set(every.split_indices["train"])
        for split in ("val", "test"):
            assert np.array_equal(few.split_indices[split], every.split_indices[split])
        other = Digits(classes=[5, 6], per_class=20, batch_size=8, seed=1)
        other.prepare()
        assert not np.array_equal(few.split_indices["train"], other.split_indices["train"])

    @pytest.mark.parametrize("classes", [[3], [3, 3], [3, 10], []])
    def test_classes_that_there_are_not_are_refused(self, classes: list[int]) -> None:
        with pytest.raises(LabError, match=r"^data.classes: must be two or more different digits from 0 to 9, not \["):
            Digits(classes=classes)
