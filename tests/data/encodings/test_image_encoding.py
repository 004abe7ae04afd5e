"""Encoding of images: orientation, size, channels, range of values, and errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import save
from PIL import Image

from lab.data.encodings import from_json
from lab.data.encodings.image import ImageEncoding
from lab.errors import LabError

GREY, COLOUR = ImageEncoding(4, 6, 1, "uint8"), ImageEncoding(4, 6, 3, "uint8")
OLD = ImageEncoding(4, 6, 1)  # as in models of version 0.1
RANDOM = np.random.default_rng(0)
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


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).T),
        (8, np.rot90),
    ],
)
def test_images_are_turned_upright(tmp_path: Path, ending: str, orientation: int, upright: Any) -> None:
    values = np.kron(np.array([[0, 90, 170], [60, 200, 255]]), np.ones((16, 16))).astype(np.uint8)
    stored = save(values, tmp_path / f"a.{ending}", orientation, quality=100)
    expected = upright(values)
    encoding = ImageEncoding(*expected.shape, 1, "uint8")
    np.testing.assert_allclose(encoding.encode([stored])[0, 0], expected, atol=3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_reason_to_skip_an_image(tmp_path: Path) -> None:
    RED.save(tmp_path / "red.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", quality=100)
    np.testing.assert_allclose(COLOUR.encode([tmp_path / "red.jpg"])[0, 0], 200, atol=3)


@pytest.mark.parametrize(
    ("raw", "values", "expected"),
    [
        (np.uint16(40_000), "uint16", 40_000),
        (np.uint8(100), "uint16", 25_700),
        (np.uint16(40_000), "uint8", 156),  # 40000 / 257 = 155.6
        (np.float32(-0.125), "float32", -0.125),
        (np.int32(-70_000), "float32", -70_000),
        (np.uint16(40_000), "float32", 40_000),
    ],
)
def test_values_keep_their_range_or_are_scaled_to_that_of_the_encoding(raw: Any, values: Any, expected: float) -> None:
    image = Image.fromarray(np.full((4, 6), raw))
    assert (ImageEncoding(4, 6, 1, values).encode([image]) == expected).all()
    assert (ImageEncoding(4, 6, 3, values).encode([image]) == expected).all()


@pytest.mark.parametrize(("values", "largest"), [(None, 255), ("uint8", 255), ("uint16", 65_535), ("float32", None)])
def test_integers_have_a_largest_value_and_other_numbers_none(values: Any, largest: float | None) -> None:
    assert ImageEncoding(4, 6, 1, values).largest == largest


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_every_value_of_a_sixteen_bit_file_is_kept(tmp_path: Path, ending: str) -> None:
    values = RANDOM.integers(0, 65_536, (4, 6)).astype(np.uint16)
    values[0, :2] = 0, 65_535
    path = save(values, tmp_path / f"deep.{ending}")
    assert np.array_equal(ImageEncoding(4, 6, 1, "uint16").encode([path])[0, 0], values)


def test_wide_values_are_resized_in_single_precision() -> None:
    values = RANDOM.normal(1e-3, 1e-4, (8, 12)).astype(np.float32)
    resized = ImageEncoding(4, 6, 1, "float32").encode([Image.fromarray(values)])[0, 0]
    expected = np.asarray(Image.fromarray(values).resize((6, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(resized, expected)
    assert len(np.unique(resized)) == 24


def test_images_of_another_range_are_refused(tmp_path: Path) -> None:
    depth, photo = Image.fromarray(np.ones((4, 6), np.float32)), Image.fromarray(np.ones((4, 6), np.uint8))
    assert error(GREY, [depth]).startswith("an image: has values of any range, where 8-bit values are expected")
    assert error(ImageEncoding(4, 6, 1, "float32"), [photo]).startswith("an image: has 8-bit values, where values of")
    hole = save(np.full((4, 6), np.nan, np.float32), tmp_path / "hole.tif")
    assert "24 pixels are not finite" in error(ImageEncoding(4, 6, 1, "float32"), [hole])


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    black = np.zeros((4, 6, 4), np.uint8)
    black[:2, :, 3] = 255  # the lower half is transparent
    black[2, :, 3] = 51
    expected = np.repeat([0, 0, 204, 255], 6).reshape(4, 6)
    for mode in ("RGBA", "LA"):
        assert np.array_equal(GREY.encode([Image.fromarray(black).convert(mode)])[0, 0], expected), mode
    palette = Image.fromarray((black[..., 3] == 255).astype(np.uint8), mode="P")
    palette.putpalette([9, 9, 9, 0, 0, 0])
    path = save(palette, tmp_path / "palette.png", transparency=0)
    assert np.array_equal(COLOUR.encode([path])[0, 1], np.repeat([0, 0, 255, 255], 6).reshape(4, 6))


def test_palettes_bits_and_printing_colours_become_grey_or_colour(tmp_path: Path) -> None:
    red = RED.convert("P", palette=Image.Palette.ADAPTIVE)
    assert COLOUR.encode([save(red, tmp_path / "red.gif")])[0, :, 0, 0].tolist() == [200, 10, 30]
    bits = np.arange(24).reshape(4, 6) % 3 == 0
    assert np.array_equal(GREY.encode([save(bits, tmp_path / "bits.png")])[0, 0], bits * 255)
    inks = save(RED.convert("CMYK"), tmp_path / "inks.jpg", quality=100)
    np.testing.assert_allclose(COLOUR.encode([inks])[0, :, 0, 0], [200, 10, 30], atol=4)


def test_models_of_version_0_1_see_images_as_they_did(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((4, 6), 40_000, np.uint16))
    assert (OLD.encode([deep]) == 40_000 // 256).all()
    assert (OLD.encode([Image.fromarray(np.full((4, 6), 1 << 20, np.int32))]) == 255).all()
    turned = save(np.repeat([[0], [255]], 8, axis=0).repeat(24, axis=1).astype(np.uint8), tmp_path / "a.png", 3)
    assert OLD.encode([turned])[0, 0, 0, 0] == 0
    assert GREY.encode([turned])[0, 0, 0, 0] == 255
    assert from_json({"kind": "image", "height": 4, "width": 6, "channels": 1}) == OLD


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
    assert "text.png: cannot be read as an image (damaged, or of a format" in error(GREY, [tmp_path / "text.png"])
    assert "half.png: cannot be read as an image (" in error(GREY, [tmp_path / "half.png"])


def test_it_is_restored_from_json() -> None:
    encoding = ImageEncoding(height=4, width=6, channels=3, values="uint16")
    assert encoding.as_json() == {"kind": "image", "height": 4, "width": 6, "channels": 3, "values": "uint16"}
    assert from_json(encoding.as_json()) == encoding
