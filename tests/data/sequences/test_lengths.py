"""Sequences of unequal length from files and from data modules of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_sequences import COUNT, IN_A_ROW, LENGTHS, NAN, PARTS, X, Y

from lab.config.sections import Part
from lab.data.arrays import Arrays
from lab.data.base import SampleDataModule
from lab.data.samples import Samples
from lab.data.sequences.outlines import DigitOutlines, outline
from lab.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def from_npz(content: dict[str, Any], **settings: Any) -> Arrays:
    np.savez("data.npz", **content)
    made: Arrays = Part("data", "arrays", {"path": "data.npz", "batch_size": 8} | settings).build(seed=0)
    made.prepare()
    return made


class Mine(SampleDataModule):
    x: Any = PARTS

    def read(self) -> Samples:
        return Samples(self.x, Y, class_names=("a", "b", "c"))


def mine(x: Any) -> Mine:
    made = Mine(batch_size=8)
    made.x = x
    made.prepare()
    return made


def training_x(data: SampleDataModule) -> torch.Tensor:
    x: torch.Tensor = data.splits["train"].x  # type: ignore[attr-defined]
    return x


def test_a_length_for_each_row_or_all_steps_in_a_row_or_nan_at_the_end_or_a_list_are_the_same_data() -> None:
    rows = from_npz({"x": X, "y": Y, "lengths": LENGTHS})
    assert rows.sizes.padded
    assert rows.sizes.input_shape == (2, LENGTHS.max())
    assert ("sequences", "x (60, 2, 25) is cut by lengths (NCL); values beyond a length are not used") in rows.notes
    assert ("lengths", "3 to 19 steps, median 12") in rows.notes
    in_a_row = from_npz({"x": IN_A_ROW, "y": Y, "lengths": LENGTHS})
    assert ("sequences", "x (661, 2) is cut by lengths, which says where each sequence ends") in in_a_row.notes
    others = [
        in_a_row,
        from_npz({"x": X.transpose(0, 2, 1), "y": Y, "lengths": LENGTHS.astype(float)}),
        from_npz({"x": NAN, "y": Y}),
        from_npz({"x": NAN.transpose(0, 2, 1), "y": Y}),
        mine(PARTS),
        mine(NAN),
    ]
    for other in others:
        torch.testing.assert_close(training_x(other), training_x(rows), atol=1e-6, rtol=0, equal_nan=True)


def test_one_channel_needs_no_dimension_of_its_own() -> None:
    rows = from_npz({"x": X[:, 0], "y": Y, "lengths": LENGTHS})
    assert rows.sizes.input_shape == (1, LENGTHS.max())
    flat = from_npz({"x": IN_A_ROW[:, 0], "y": Y, "lengths": LENGTHS})
    inferred = from_npz({"x": NAN[:, 0], "y": Y})
    assert ("axes", "NL, inferred from (60, 25); set data.axes to change them") in inferred.notes
    said = from_npz({"x": NAN[:, 0], "y": Y}, axes="NL")
    for other in (flat, inferred, said, mine([part[0] for part in PARTS])):
        torch.testing.assert_close(training_x(other), training_x(rows), atol=1e-6, rtol=0, equal_nan=True)


def test_the_scale_is_that_of_the_real_training_steps() -> None:
    data = from_npz({"x": X, "y": Y, "lengths": LENGTHS})
    steps = np.concatenate([PARTS[index] for index in data.split_indices["train"]], axis=1)
    np.testing.assert_allclose(data.input_scale.mean[:, 0], steps.mean(1), atol=1e-6)
    np.testing.assert_allclose(data.input_scale.std[:, 0], steps.std(1), atol=1e-6)


def test_each_given_split_has_its_own_lengths() -> None:
    parts = {"_train": slice(0, 40), "_val": slice(40, 50), "_test": slice(50, 60)}
    content = {f"{name}{end}": array[part] for end, part in parts.items() for name, array in (("x", X), ("y", Y))}
    content |= {f"lengths{end}": LENGTHS[part] for end, part in parts.items()}
    content["x_test"] = content["x_test"][:, :, : LENGTHS[50:].max()]  # stored with fewer steps
    data = from_npz(content)
    assert data.split_indices["test"].tolist() == list(range(50, 60))
    assert data.splits["test"].lengths.tolist() == LENGTHS[50:].tolist()  # type: ignore[attr-defined]
    del content["lengths_val"]
    with pytest.raises(LabError, match=r"data.npz: has lengths_train but no lengths_val; each x needs its lengths"):
        from_npz(content)


def test_equal_lengths_are_plain_arrays_and_of_images_lengths_are_not_used() -> None:
    equal = from_npz({"x": X, "y": Y, "lengths": np.full(COUNT, 25)})
    plain = from_npz({"x": X, "y": Y})
    assert not equal.sizes.padded
    assert torch.equal(training_x(equal), training_x(plain))
    assert not mine([x[:, :7] for x in X]).sizes.padded
    images = from_npz({"x": np.zeros((COUNT, 1, 8, 8)), "y": Y, "lengths": LENGTHS})
    assert ("not used", "the arrays lengths of data.npz") in images.notes


def changed(place: tuple[int, ...], value: float) -> np.ndarray:
    array = NAN.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lengths": LENGTHS[:0], "x": X[:0], "y": Y[:0]}, "data.npz: lengths: is empty; sequences are needed"),
        ({"lengths": LENGTHS[:0], "x": IN_A_ROW[:0], "y": Y[:0]}, "data.npz: lengths: is empty"),
        ({"lengths": LENGTHS[:0], "x": IN_A_ROW[:0, 0], "y": Y[:0]}, "data.npz: lengths: is empty"),
        ({"lengths": LENGTHS[:5]}, "data.npz: lengths: has 5 values for the 60 samples of x"),
        ({"lengths": np.where(Y == 1, 26, LENGTHS)}, r"lengths\[1\] is 26, but x \(60, 2, 25\) has 25 steps"),
        ({"lengths": LENGTHS - 3 - (LENGTHS == 3)}, r"lengths\[\d+\] is -1; a length is a whole number from 1"),
        ({"lengths": np.where(Y == 2, 0, LENGTHS)}, r"lengths\[2\] is 0; a length is a whole number from 1"),
        ({"lengths": LENGTHS + 0.5}, r"lengths\[0\] is \d+.5; a length is a whole number from 1"),
        ({"lengths": np.where(Y == 0, np.nan, LENGTHS)}, r"lengths\[0\] is nan; a length is a whole number from 1"),
        ({"lengths": LENGTHS[:, None]}, r"lengths: must be whole numbers \(N,\), not int64 of shape \(60, 1\)"),
        ({"lengths": LENGTHS.astype(str)}, r"lengths: must be whole numbers \(N,\), not <U21"),
        ({"lengths": LENGTHS, "x": IN_A_ROW[:-1]}, "neither 60 sequences nor the 661 steps to which they add up"),
        ({"lengths": LENGTHS, "x": IN_A_ROW[:-1, 0]}, r"x is \(660,\), not the 661 steps to which they add up"),
        ({"lengths": LENGTHS, "y": Y[:50]}, "data.npz: lengths has 60 values, y 50"),
        ({"x": changed((3, 1, 1), np.nan)}, r"x\[3, 1, 1\] is nan; all values must be finite up to the end"),
        ({"x": changed((3, 1, 1), np.nan).transpose(0, 2, 1)}, r"x\[3, 1, 1\] is nan"),
        ({"x": changed((3, 0, 1), np.inf)}, r"x\[3, 0, 1\] is inf; all values must be finite up to the end"),
        ({"x": changed((4,), np.nan)}, r"x\[4\] has no steps; a sequence needs at least one"),
        ({"x": changed((3, 0, 1), np.nan)[:, 0]}, r"x\[0, \d+\] is nan; all values must be finite \(rows that end in"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(content: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message) as refused:
        from_npz({"x": X, "y": Y} | content)
    assert len(refused.value.lines) == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([*PARTS[:-1], PARTS[0][:1]], r"gives a list x of which expected sequences \(2, L\), but x\[59\] is of shape"),
        ([*PARTS[:-1], PARTS[0][:, :0]], r"x\[59\] has no steps; a sequence needs at least one"),
        ([*PARTS[:-1], np.array([["a"], ["b"]])], r"x\[59\]: expected numbers, not <U1"),
        ([*PARTS[:-1], [[1], [2]]], "gives x as list; give a NumPy array, .* or a list of arrays"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_in_one_line(x: Any, message: str) -> None:
    with pytest.raises(LabError, match=message) as refused:
        mine(x)
    assert len(refused.value.lines) == 1


def test_the_outlines_of_digits_are_real_sequences_of_unequal_length() -> None:
    data = DigitOutlines(batch_size=8)
    data.prepare()
    assert data.sizes.input_shape == (3, 55)
    assert data.class_names == tuple("0123456789")
    assert ("lengths", "21 to 55 steps, median 36") in data.notes
    square = np.zeros((4, 4))
    square[1:3, 1:3] = 16
    columns, rows, begins = outline(square)
    assert sorted(set(zip(columns.tolist(), rows.tolist(), strict=True))) == [
        *((1.5, 2.0), (1.5, 3.0), (2.0, 1.5), (2.0, 3.5), (3.0, 1.5), (3.0, 3.5), (3.5, 2.0), (3.5, 3.0)),
    ]
    assert begins.tolist() == [1, *[0] * (len(begins) - 1)]
    square = np.zeros((9, 9))
    square[1, 1], square[4:8, 4:8] = 16, 16
    begins = outline(square)[2]
    assert len(begins) - 1 - begins[::-1].argmax() > len(begins) / 2  # the longer of two is first
    assert begins.sum() == 2
