"""Image files for tests, and data modules that read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lab.config.sections import Part
from lab.data.images import Images

RANDOM = np.random.default_rng(0)
ORIENTATION = 0x0112  # the EXIF tag


def draw(
    root: str, count: int = 20, size: tuple[int, int] = (12, 10), mode: str = "L", names: Sequence[str] = "ab"
) -> None:
    """A folder per name, with images of (width, height), the later the lighter."""
    for shade, name in enumerate(names):
        for number in range(count):
            values = RANDOM.integers(60 * shade, 60 * shade + 100, (size[1], size[0], 3)).astype(np.uint8)
            save(Image.fromarray(values).convert(mode), f"{root}/{name}/{number:02}.png")


def save(image: Image.Image | np.ndarray, path: str | Path, orientation: int = 1, **settings: Any) -> Path:
    """Write an image, with an EXIF orientation; makes the folder."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        settings["exif"] = exif
    image.save(path, **settings)
    return Path(path)


def prepared(path: str = "pictures", **settings: Any) -> Images:
    """A data module of images, prepared."""
    made: Images = Part("data", "images", {"path": path, "batch_size": 8, **settings}).build(seed=0)
    made.prepare()
    return made


def note(data: Images, subject: str) -> str:
    """The notes on a subject, joined."""
    return "; ".join(text for about, text in data.notes if about == subject)
