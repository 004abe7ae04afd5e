"""Arrays from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.config.sections import Part
from lab.data import arrays
from lab.data.arrays import Arrays, inferred_axes
from lab.data.reading import array_files
from lab.errors import LabError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3, 20))
Y = np.arange(60) % 3


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepared(**settings: Any) -> Arrays:
    made: Arrays = Part("data", "arrays", settings).build(seed=0)
    made.prepare()
    return made


def from_npz(content: dict[str, Any], **settings: Any) -> Arrays:
    np.savez("data.npz", **content)
    return prepared(path="data.npz", batch_size=8, **settings)


def test_an_npz_file_with_its_own_test_set() -> None:
    data = from_npz({"x": X[:40], "y": Y[:40], "x_test": X[40:], "y_test": Y[40:]})
    assert data.split_indices["test"].tolist() == list(range(40, 60))
    assert (data.task, data.sizes.input_shape, data.class_names) == ("classification", (3, 20), ("0", "1", "2"))


def test_an_npz_file_with_its_own_validation_and_test_set() -> None:
    content = {"x": X[:30], "y": Y[:30], "x_val": X[30:40], "y_val": Y[30:40], "x_test": X[40:], "y_test": Y[40:]}
    data = from_npz(content)
    assert data.split_indices["val"].tolist() == list(range(30, 40))
    assert data.split_indices["test"].tolist() == list(range(40, 60))
    assert ("split", "as given by the arrays: train 30, val 10, test 20") in data.notes
    scaled = (X[30:40] - X[:30].mean((0, 2), keepdims=True)) / X[:30].std((0, 2), keepdims=True)
    np.testing.assert_allclose(data.splits["val"].x, scaled, atol=1e-5)  # type: ignore[attr-defined]


def test_a_validation_set_alone_leaves_the_test_set_to_be_drawn() -> None:
    data = from_npz({"x": X[:50], "y": Y[:50], "x_val": X[50:], "y_val": Y[50:]})
    assert data.split_indices["val"].tolist() == list(range(50, 60))
    assert len(data.split_indices["test"]) == 9  # a fifth of each class
    assert ("split", "as given by the arrays: train 50, val 10; the test split is drawn from train") in data.notes


def test_x_train_is_x_and_arrays_that_are_not_used_are_said() -> None:
    data = from_npz({"x_train": X[:40], "y_train": Y[:40], "x_test": X[40:], "y_test": Y[40:], "ids": Y})
    assert data.split_indices["test"].tolist() == list(range(40, 60))
    assert ("not used", "the arrays ids of data.npz") in data.notes


def test_two_npy_files_give_the_same_as_one_npz() -> None:
    np.save("x.npy", X)
    np.save("y.npy", Y)
    two, one = prepared(x="x.npy", y="y.npy", batch_size=8), from_npz({"x": X, "y": Y})
    assert torch.equal(two.splits["train"].x, one.splits["train"].x)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("y", "task", "outputs"),
    [
        (np.array(["b", "a", "c"])[Y], "classification", 3),
        (Y[:, None] > 1, "classification", 1),
        (RANDOM.normal(size=60), "regression", 1),
        (RANDOM.normal(size=(60, 4)), "regression", 4),
    ],
)
def test_the_task_follows_from_y(y: np.ndarray, task: str, outputs: int) -> None:
    data = from_npz({"x": X, "y": y})
    assert (data.task, data.sizes.out_features) == (task, outputs)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_any_numeric_type(dtype: str) -> None:
    data = from_npz({"x": (X > 0).astype(dtype), "y": Y})
    x, _ = data.splits["train"][0]
    assert x.dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((60, 9), "float32", "NF"),
        ((60, 3, 50), "float32", "NCL"),
        ((60, 50, 3), "float32", "NLC"),
        ((60, 28, 28), "uint8", "NHW"),
        ((60, 28, 20), "uint8", "NHW"),
        ((60, 32, 32, 3), "uint8", "NHWC"),
        ((60, 3, 32, 32), "float32", "NCHW"),
    ],
)
def test_axes_are_inferred(shape: tuple[int, ...], dtype: str, axes: str) -> None:
    assert inferred_axes(np.zeros(shape, dtype)) == axes


def test_axes_are_reordered_and_reported_and_new_data_is_encoded_alike() -> None:
    data = from_npz({"x": X.transpose(0, 2, 1), "y": Y})
    assert data.sizes.input_shape == (3, 20)
    assert ("axes", "NLC, inferred from (60, 20, 3); set data.axes to change them") in data.notes
    np.testing.assert_allclose(data.encoding.encode(X.transpose(0, 2, 1)), X, rtol=1e-6)
    assert from_npz({"x": X[:, 0], "y": Y}, axes="NL").sizes.input_shape == (1, 20)


def test_a_large_file_is_memory_mapped_and_gives_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", X)
    np.save("y.npy", Y)
    small = prepared(x="x.npy", y="y.npy", batch_size=8)
    monkeypatch.setattr(array_files, "MAX_BYTES_IN_MEMORY", 1)
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1_000)
    large = prepared(x="x.npy", y="y.npy", batch_size=8)
    assert isinstance(large.splits["train"].x.raw, np.memmap)  # type: ignore[attr-defined]
    assert large.fingerprint == small.fingerprint
    for one, other in zip(small.train_dataloader(), large.train_dataloader(), strict=True):
        torch.testing.assert_close(one[0], other[0])
        assert torch.equal(one[1], other[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x": X, "y": Y[:50]}, "data.npz: x has 60 samples, y 50; the numbers must be equal"),
        ({"x": X}, "data.npz: has no y; it has x"),
        ({"x": X, "y": Y, "x_test": X}, "x_test and y_test must both be given, or neither"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, "x is (60, 3, 20), x_test (60, 2, 20)"),
        ({"x": X, "y": Y, "y_val": Y}, "has y_val; x_val and y_val must both be given, or neither"),
        ({"x": X, "y": Y, "x_val": X, "y_val": Y[:9]}, "x_val has 60 samples, y_val 9; the numbers must be equal"),
        ({"x": X, "y": Y, "x_val": X, "y_val": Y.astype(str)}, "y is int64, y_val <U21; use the same type"),
        ({"x": np.where(X > 2, np.nan, X), "y": Y}, "is nan; all values must be finite"),
        ({"x": X.astype(str), "y": Y}, "expected an array of numbers, not of <U"),
        ({"x": X, "y": np.zeros(60, int)}, "y is '0' in all rows; at least two classes"),
        ({"x": X, "y": np.array([*["a", "b"] * 29, "a", "c"])}, "y, row 60: the only row of class 'c'"),
        ({"x": np.array([None, "a"]), "y": Y}, "contains pickled Python objects, which are not loaded"),
    ],
)
def test_invalid_content_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as caught:
        from_npz(content)
    assert message in str(caught.value)


def test_axes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LabError, match=r"data.axes: NCHW names 4 dimensions, x has 3"):
        from_npz({"x": X, "y": Y}, axes="NCHW")


def test_a_file_without_arrays_is_refused(folder: Path) -> None:
    (folder / "x.npz").write_text("a,b\n1,2\n")
    with pytest.raises(LabError, match=r"x.npz: (cannot be read as NumPy arrays|contains pickled Python objects)"):
        prepared(path="x.npz")
    with pytest.raises(LabError, match=r"give path .* or x and y"):
        prepared(x="x.npz")


def test_columns_of_0_and_1_are_labels_if_the_task_says_so(tmp_path: Path) -> None:
    y = np.random.default_rng(0).integers(2, size=(40, 3))
    np.savez(tmp_path / "labels.npz", x=np.random.default_rng(1).normal(size=(40, 4)), y=y)
    labels = Arrays(str(tmp_path / "labels.npz"), task="multilabel", labels=["a", "b", "c"], batch_size=4)
    labels.prepare()
    assert (labels.task, labels.class_names, labels.sizes.labels) == ("multilabel", ("a", "b", "c"), 3)
    assert labels.read().y.tolist() == y.tolist()
    with pytest.raises(LabError, match=r"data\.labels: 2 names for the 3 columns of y; name each once"):
        Arrays(str(tmp_path / "labels.npz"), task="multilabel", labels=["a", "b"]).prepare()
    values = Arrays(str(tmp_path / "labels.npz"), batch_size=4)
    values.prepare()
    assert values.task == "regression"
    assert any("all are 0 or 1: data.task: multilabel" in text for _, text in values.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ["a", "b"]}, "data.labels: names the columns of labels y"),
        ({"task": "multilabel", "label_separator": ";"}, "y has a column for each label"),
        ({"task": "multilabel"}, r"y\[:, 1\], row 1: 2 is no label"),
        ({"task": "ordinal"}, "a class is one number or name per sample"),
    ],
)
def test_arrays_that_are_no_labels_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "numbers.npz", x=np.ones((6, 2)), y=np.array([[0, 2], [1, 1]] * 3))
    with pytest.raises(LabError, match=message):
        Arrays(str(tmp_path / "numbers.npz"), **settings).prepare()
