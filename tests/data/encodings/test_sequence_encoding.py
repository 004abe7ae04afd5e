"""Sequences of unequal length as the input of a network."""

import numpy as np
import pandas as pd
import pytest
from made_sequences import LENGTHS, NAN, PARTS

from lab.data.encodings import from_json
from lab.data.encodings.sequence import SequenceEncoding, ends_in_nan, has_nan
from lab.errors import LabError

ENCODED = NAN[:, :, : LENGTHS.max()].astype(np.float32)


def test_lists_arrays_and_columns_of_lists_are_encoded_alike() -> None:
    encoding = SequenceEncoding(2)
    nested = [part.tolist() for part in PARTS]
    for raw in (NAN, PARTS, nested, pd.DataFrame({"x": nested})):
        np.testing.assert_array_equal(encoding.encode(raw), ENCODED)
    steps_first = SequenceEncoding(2, "NLC")
    for raw in (NAN.transpose(0, 2, 1), [part.T for part in PARTS]):
        np.testing.assert_array_equal(steps_first.encode(raw), ENCODED)


def test_of_one_channel_a_sequence_is_a_list_of_numbers_and_null_at_its_end_is_padding() -> None:
    encoded = SequenceEncoding(1, "NL").encode([[1, 2, 3], [4, None, None]])
    np.testing.assert_array_equal(encoded, [[[1, 2, 3]], [[4, np.nan, np.nan]]])
    np.testing.assert_array_equal(SequenceEncoding(1).encode([[1, 2, 3], [4]]), encoded)


def test_for_a_network_with_a_longest_length_all_are_padded_to_it() -> None:
    encoded = SequenceEncoding(2, longest=30).encode(PARTS)
    assert encoded.shape == (60, 2, 30)
    np.testing.assert_array_equal(encoded[:, :, : LENGTHS.max()], ENCODED)
    with pytest.raises(LabError, match=r"x\[\d+\] has 19 steps; this network takes at most 18"):
        SequenceEncoding(2, longest=18).encode(PARTS)


def test_a_sequence_may_be_as_long_as_the_network_takes_and_the_first_longer_one_is_named() -> None:
    encoding = SequenceEncoding(1, "NL", longest=3)
    assert encoding.encode([[1, 2, 3]]).tolist() == [[[1, 2, 3]]]
    with pytest.raises(LabError, match=r"^x\[1\] has 4 steps; this network takes at most 3$"):
        encoding.encode([[1, 2, 3], [1, 2, 3, 4]])


@pytest.mark.parametrize("axes", ["NCL", "NLC"])
def test_it_gives_encoded_sequences_back_as_lists(axes: str) -> None:
    encoding = SequenceEncoding(2, axes)
    np.testing.assert_array_equal(encoding.encode(encoding.as_lists(ENCODED)), ENCODED)


def test_those_of_one_channel_are_lists_of_numbers() -> None:
    encoding = SequenceEncoding(1, "NL")
    assert encoding.as_lists(encoding.encode([[1, 2, 3], [4]])) == [[1, 2, 3], [4]]


def test_rows_that_end_in_nan_in_three_lengths_look_like_sequences_and_a_table_with_gaps_does_not() -> None:
    nan = np.nan
    assert ends_in_nan(np.array([[1, nan, nan], [1, 2, nan], [1, 2, 3]]))
    assert not ends_in_nan(np.array([[1, 2, nan], [1, 2, nan], [1, 2, 3]]))  # two lengths
    assert not ends_in_nan(np.array([[1, nan, nan], [1, nan, 3], [1, 2, 3]]))
    assert not ends_in_nan(np.array([[nan, nan], [1, nan], [1, 2]]))  # one has no step


def test_values_are_missing_in_arrays_of_decimals_in_memory() -> None:
    assert has_nan(np.array([1.0, np.nan]))
    assert not has_nan(np.array([1.0, 2.0]))
    assert not has_nan(np.array([1, 2]))
    assert not has_nan([1.0, np.nan])


def test_it_is_restored_from_json() -> None:
    encoding = SequenceEncoding(2, "NLC", 40)
    assert from_json(encoding.as_json()) == encoding


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([[[1, 2], [3, 4]], [[1, 2]]], r"expected sequences \(2, L\), but x\[1\] is of shape \(1, 2\)"),
        ([[[1, 2], [3, 4]], [[1, 2], [3]]], r"x\[1\] is no sequence of numbers"),
        ([[[1, 2], [3, "a"]]], r"x\[0\]: expected numbers, not <U21"),
        ([[[1, None, 2], [3, 4, 5]]], r"x\[0, 0, 1\] is nan; all values must be finite up to the end of a sequence"),
        ([[[], []]], r"x\[0\] has no steps; a sequence needs at least one"),
        (np.zeros((3, 4)), r"expected sequences \(2, L\), not an array of shape \(3, 4\)"),
        (np.zeros((3, 3, 4)), r"expected sequences \(2, L\), not an array of shape \(3, 3, 4\)"),
        (pd.DataFrame({"a": [1], "b": [2]}), "one column whose cells are sequences is needed; there are 2 columns"),
    ],
)
def test_anything_else_is_refused_in_one_line(raw: object, message: str) -> None:
    with pytest.raises(LabError, match=message) as refused:
        SequenceEncoding(2).encode(raw)
    assert len(refused.value.lines) == 1
