"""The size, channels and range that follow from the headers of images."""

from pathlib import Path

import numpy as np
import pytest
from made_images import RANDOM, note, prepared, save
from PIL import Image

from lab.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photos(*sizes: tuple[int, int], ending: str = "jpg", count: int = 10) -> None:
    """Two classes of photos, (height, width), `count` of each size."""
    for index, (height, width) in enumerate(sizes * count):
        colours = RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8)
        save(colours, f"pictures/{'ab'[index // len(sizes) % 2]}/{index:02}.{ending}")


@pytest.mark.parametrize(
    ("sizes", "chosen", "why"),
    [
        ([(100, 128)] * 2, (100, 128), "100×128 (height×width), as they are"),
        ([(256, 256)] * 2, (64, 64), "resized from 256×256, since images above 128 pixels train slowly, to 64×64"),
        ([(150, 200)] * 2, (55, 74), "resized from 150×200, since images above 128 pixels train slowly, to 55×74"),
        ([(150, 200), (160, 200), (75, 100)], (55, 74), "differ, from 75×100 to 160×200 (height×width): resized to"),
        ([(150, 200), (200, 150)], (64, 64), "square because some are upright and some are wide"),
        ([(20, 20), (24, 24), (22, 22)], (22, 22), "in their median shape"),
    ],
)
def test_the_size_is_chosen_with_a_reason(sizes: list[tuple[int, int]], chosen: tuple[int, int], why: str) -> None:
    photos(*sizes)
    data = prepared()
    assert data.sizes.input_shape == (3, *chosen)
    assert why in note(data, "size")
    assert prepared(size=[8, 16]).sizes.input_shape == (3, 8, 16)
    assert "8×16, set by data.size" in note(prepared(size=[8, 16]), "size")


def test_images_that_change_their_shape_are_counted() -> None:
    photos((60, 80), (60, 80), (60, 80), (20, 80))
    assert "10 of another shape are squeezed, by up to 3" in note(prepared(), "size")
    assert "30 of another shape are squeezed, by up to 3" in note(prepared(size=[16, 64]), "size")


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_a_photo_that_was_turned_has_its_upright_size(ending: str) -> None:
    for number in range(20):
        sideways = RANDOM.integers(0, 255, (40, 60), dtype=np.uint8)
        save(sideways, f"pictures/{'ab'[number % 2]}/{number:02}.{ending}", orientation=6)
    assert prepared().sizes.input_shape == (1, 60, 40)


def test_what_is_done_to_images_is_counted() -> None:
    photos((10, 12), ending="png")
    save(np.zeros((12, 10), np.uint8), "pictures/a/turned.jpg", orientation=8)
    save(np.zeros((10, 12, 4), np.uint8), "pictures/a/clear.png")
    pages = [Image.fromarray(np.full((10, 12), shade, np.uint8)) for shade in (0, 90, 200)]
    pages[0].save("pictures/a/pages.gif", save_all=True, append_images=pages[1:])
    said = note(prepared(), "images")
    assert said.startswith("13 in colour, 8-bit values; ")
    assert "1 turned upright by the EXIF orientation" in said
    assert "transparent parts of 1 taken as white" in said
    assert "of 1 with several frames or pages the first is taken" in said


def test_the_range_of_the_widest_images_is_that_of_all() -> None:
    for number in range(20):
        dtype = np.uint16 if number % 4 else np.uint8
        save(np.full((10, 12), 10 * number, dtype), f"pictures/{'ab'[number % 2]}/{number:02}.png")
    data = prepared()
    assert "20 in grey, 16-bit values (5 of 8 bits scaled to them)" in note(data, "images")
    assert data.encoding.encode(["pictures/a/04.png"]).max() == 40 * 257
    assert data.encoding.encode(["pictures/b/05.png"]).max() == 50


def test_float_images_are_taken_as_they_are_but_not_with_others() -> None:
    for number in range(20):
        save(RANDOM.normal(-3, 1, (10, 12)).astype(np.float32), f"pictures/{'ab'[number % 2]}/{number:02}.tif")
    data = prepared()
    assert "20 in grey, values of any range, as in the files" in note(data, "images")
    assert float(data.input_scale.mean) == pytest.approx(-3, abs=0.2)
    save(np.zeros((10, 12), np.uint8), "pictures/a/photo.png")
    with pytest.raises(LabError) as caught:
        prepared()
    assert str(caught.value) == (
        "pictures/a/photo.png: has 8-bit values, pictures/a/00.tif values of any range, without a common scale; "
        "save all in one format"
    )
