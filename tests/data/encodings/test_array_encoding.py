"""Encoding of arrays: axes, types and errors."""

import numpy as np
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.array import ArrayEncoding, arranged
from lab.errors import LabError


def error(encoding: ArrayEncoding, raw: object) -> str:
    with pytest.raises(LabError) as caught:
        encoding.encode(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("axes", "raw", "expected"),
    [
        ("", (2, 3, 4), (2, 3, 4)),
        ("NF", (2, 3), (2, 3)),
        ("NL", (2, 3), (2, 1, 3)),
        ("NCL", (2, 3, 4), (2, 3, 4)),
        ("NLC", (2, 3, 4), (2, 4, 3)),
        ("NHW", (2, 3, 4), (2, 1, 3, 4)),
        ("NCHW", (2, 3, 4, 5), (2, 3, 4, 5)),
        ("NHWC", (2, 3, 4, 5), (2, 5, 3, 4)),
    ],
)
def test_axes_are_reordered_to_channels_first(axes: str, raw: tuple[int, ...], expected: tuple[int, ...]) -> None:
    array = np.arange(np.prod(raw)).reshape(raw)
    encoded = ArrayEncoding(raw[1:], axes).encode(array)
    assert (encoded.shape, encoded.dtype) == (expected, np.float32)


def test_values_keep_their_channel_and_position() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(ArrayEncoding((3, 4), "NLC").encode(array)[1, 2], array[1, :, 2])
    assert np.array_equal(ArrayEncoding((3, 4), "NHW").encode(array)[1, 0], array[1])


def test_rearranging_makes_no_copy() -> None:
    array = np.zeros((2, 3, 4), np.float32)
    assert np.shares_memory(arranged(array, "NLC"), array)
    assert np.shares_memory(ArrayEncoding((3, 4), "NHW").encode(array), array)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "float16", "float64"])
def test_any_numeric_type_becomes_single_precision(dtype: str) -> None:
    encoded = ArrayEncoding((2,)).encode(np.ones((3, 2), dtype))
    assert encoded.dtype == np.float32
    assert (encoded == 1).all()


def test_invalid_arrays_are_refused() -> None:
    encoding = ArrayEncoding((2, 3))
    assert error(encoding, [["a", "b"]]) == "expected an array of numbers, not of <U1"
    assert error(encoding, np.zeros((4, 3))) == "expected an array of shape (N, 2, 3), not (N, 3)"
    assert error(ArrayEncoding(()), np.array(1.0)) == "expected an array of shape (N), not (N)"
    array = np.zeros((4, 2, 3))
    array[3, 1, 2], array[2, 0, 1] = np.nan, -np.inf
    assert error(encoding, array) == "x[2, 0, 1] is -inf; all values must be finite"


def test_it_is_restored_from_json() -> None:
    encoding = ArrayEncoding((3, 4), "NLC")
    assert encoding.as_json() == {"kind": "array", "shape": [3, 4], "axes": "NLC"}
    assert from_json(encoding.as_json()) == encoding
