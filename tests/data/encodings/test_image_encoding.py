"""Encoding of images: size, channels, bit depth and errors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.data.encodings import from_json
from lab.data.encodings.image import ImageEncoding
from lab.errors import LabError

GREY, COLOUR = ImageEncoding(4, 6, 1), ImageEncoding(4, 6, 3)
RED = Image.fromarray(np.full((4, 6, 3), (200, 10, 30), np.uint8))


def error(encoding: ImageEncoding, raw: object) -> str:
    with pytest.raises(LabError) as caught:
        encoding.encode(raw)
    return str(caught.value)


def test_channels_come_first() -> None:
    encoded = COLOUR.encode([RED, RED])
    assert (encoded.shape, encoded.dtype) == ((2, 3, 4, 6), np.float32)
    assert encoded[1, :, 2, 5].tolist() == [200, 10, 30]


def test_grey_images_have_one_channel_and_become_colour_by_repeating_it() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    image = Image.fromarray(values)
    assert np.array_equal(GREY.encode([image]), values[None, None])
    assert np.array_equal(COLOUR.encode([image])[0], np.stack([values] * 3))
    assert GREY.encode([RED]).shape == (1, 1, 4, 6)


def test_images_of_another_size_are_resized() -> None:
    image = Image.fromarray(np.full((9, 5), 77, np.uint8))
    assert (GREY.encode([image]) == 77).all()
    assert GREY.encode([image]).shape == (1, 1, 4, 6)
    left_to_right = Image.fromarray(np.repeat([[0, 200]], 8, axis=0).repeat(6, axis=1).astype(np.uint8))
    resized = GREY.encode([left_to_right])[0, 0]
    assert resized[0, 0] < 20
    assert resized[0, 5] > 180


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_sixteen_bit_images_are_scaled_to_eight_bits(dtype: type) -> None:
    image = Image.fromarray(np.full((4, 6), 40_000, dtype))
    assert (GREY.encode([image]) == 40_000 // 256).all()


def test_values_beyond_sixteen_bits_are_clipped() -> None:
    assert (GREY.encode([Image.fromarray(np.full((4, 6), 1 << 20, np.int32))]) == 255).all()


def test_paths_are_read(tmp_path: Path) -> None:
    RED.save(tmp_path / "red.png")
    paths = [tmp_path / "red.png", str(tmp_path / "red.png")]
    assert np.array_equal(COLOUR.encode(paths)[1], COLOUR.encode([RED])[0])
    assert np.array_equal(COLOUR.encode(np.array(paths)), COLOUR.encode(paths))


def test_arrays_are_taken_unchanged_if_their_shape_fits() -> None:
    array = np.arange(48, dtype=np.uint8).reshape(2, 1, 4, 6)
    encoded = GREY.encode(array)
    assert encoded.dtype == np.float32
    assert np.array_equal(encoded, array)
    assert error(COLOUR, array) == "images (N, 3, 4, 6) are expected, not (2, 1, 4, 6)"


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    RED.save(tmp_path / "half.png")
    half = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(half[: len(half) // 2])
    assert error(GREY, [tmp_path / "none.png"]).endswith("none.png: no such file")
    assert "text.png: cannot be read as an image (cannot identify image file" in error(GREY, [tmp_path / "text.png"])
    assert "half.png: cannot be read as an image (" in error(GREY, [tmp_path / "half.png"])


def test_it_is_restored_from_json() -> None:
    encoding = ImageEncoding(height=4, width=6, channels=3)
    assert encoding.as_json() == {"kind": "image", "height": 4, "width": 6, "channels": 3}
    assert from_json(encoding.as_json()) == encoding
