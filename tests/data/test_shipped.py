from pathlib import Path

import numpy as np
import pytest

from lab.data import shipped


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
