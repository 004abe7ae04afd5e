"""Folders of images: find the classes, and read the files."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.data.encodings.image import ImageEncoding, open_image
from lab.errors import LabError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")
GREY_MODES = ("1", "L", "LA", "I", "F")
MAX_UNREADABLE = 0.1  # fraction of the files that may be skipped
MAX_SIDE = 128  # pixels; images of one size up to this are not resized
DEFAULT_SIDE = 64  # pixels; the size of images that differ in size or are larger
Header = tuple[tuple[int, int], str]  # (width, height), mode
Item = TypeVar("Item")
Result = TypeVar("Result")

Image.MAX_IMAGE_PIXELS = 200_000_000  # PIL warns above it and raises above twice as many


@dataclass(frozen=True)
class Files:
    """Image files with their class indices; the last `test_size` are from the `test` folder."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_size: int = 0


def find_images(folder: str | Path) -> Files:
    """The images in a folder with one folder per class, or with such folders in `train` and `test`.

    Raises LabError if there are none.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        near = [str(other) for other in root.parent.glob("*/")] if root.parent.is_dir() else []
        hint = did_you_mean(str(root), near) if near else f"looked up from {Path.cwd()}"
        raise LabError(f"{root}: {'is a file, not a folder' if root.exists() else f'no such folder; {hint}'}")
    if not ((root / "train").is_dir() and (root / "test").is_dir()):
        names = _class_names(root)
        return Files(*_listed(root, names), names)
    names = _class_names(root / "train")
    unknown = sorted(set(_class_names(root / "test")) - set(names))
    if unknown:
        raise LabError(f"{root / 'test' / unknown[0]}: a class that {root / 'train'} does not have")
    paths, labels = _listed(root / "train", names)
    test_paths, test_labels = _listed(root / "test", names)
    return Files(paths + test_paths, np.concatenate([labels, test_labels]), names, len(test_paths))


def _class_names(root: Path) -> tuple[str, ...]:
    names = tuple(sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if len(names) < 2:
        found = f"only {names[0]}/" if names else "none"
        raise LabError(f"{root}: needs one folder per class, at least two; found {found}")
    return names


def _listed(root: Path, names: Sequence[str]) -> tuple[tuple[Path, ...], NDArray[np.int64]]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        files = sorted(path for path in (root / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files and (root / name).is_dir():
            raise LabError(f"{root / name}: has no images ({', '.join(SUFFIXES)})")
        paths += files
        labels += [label] * len(files)
    return tuple(paths), np.array(labels, dtype=np.int64)


def exclude(files: Files, unreadable: dict[int, str]) -> Files:
    """The readable files; raises LabError, naming the first unreadable ones, if more than 10 % are unreadable."""
    if len(unreadable) > MAX_UNREADABLE * len(files.paths):
        first = list(unreadable.values())[:3]
        raise LabError(f"{len(unreadable):,} of {len(files.paths):,} images cannot be read; the first:", *first)
    keep = [index for index in range(len(files.paths)) if index not in unreadable]
    first_test = len(files.paths) - files.test_size
    test_size = sum(index >= first_test for index in keep)
    return Files(tuple(files.paths[index] for index in keep), files.labels[keep], files.class_names, test_size)


def read_headers(files: Files) -> tuple[list[Header], dict[int, str]]:
    """Size and mode of each image that can be opened, and index to reason for the others."""

    def header(path: Path) -> Header:
        with open_image(path) as image:
            return image.size, image.mode

    found, unreadable = _map(files.paths, header)
    return list(found.values()), unreadable


def fit_encoding(headers: Sequence[Header], size: Sequence[int] | None, grey: bool | None) -> ImageEncoding:
    """The encoding for images of these sizes and modes; `size` (height, width) and `grey` override what they imply.

    Images of one size up to 128 pixels keep it, others are resized to 64 × 64.
    """
    sizes = Counter(image_size for image_size, _ in headers)
    if size is None:
        (width, height), _ = sizes.most_common(1)[0]
        keep = len(sizes) == 1 and max(width, height) <= MAX_SIDE
        size = (height, width) if keep else (DEFAULT_SIDE, DEFAULT_SIDE)
    if grey is None:
        grey = all(mode.startswith(GREY_MODES) for _, mode in headers)
    return ImageEncoding(size[0], size[1], 1 if grey else 3)


def decode_all(
    files: Files, encoding: ImageEncoding, store: Callable[[int, NDArray[np.uint8]], None]
) -> dict[int, str]:
    """Call `store` with the index and the pixels of every image; returns index to reason for the unreadable ones."""

    def decode(index: int) -> None:
        store(index, encoding.pixels([files.paths[index]])[0])

    return _map(range(len(files.paths)), decode)[1]


def _map(items: Sequence[Item], function: Callable[[Item], Result]) -> tuple[dict[int, Result], dict[int, str]]:
    """Call `function` in threads: index to result, and index to message where it raised a LabError."""

    def attempt(item: Item) -> tuple[Result | None, str]:
        try:
            return function(item), ""
        except LabError as error:
            return None, str(error)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(attempt, items))
    found = {index: result for index, (result, reason) in enumerate(results) if not reason}
    return found, {index: reason for index, (_, reason) in enumerate(results) if reason}  # type: ignore[return-value]
