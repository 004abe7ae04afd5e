"""Folders of images: which classes there are, and which files can be read."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.data.encodings.image import ImageEncoding, opened
from lab.errors import LabError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")
MOST_UNREADABLE = 0.1  # share of the files that may be skipped
LARGEST = 128  # pixels a side that are taken as they come
USUAL_SIDE = 64  # of images that differ, or are larger
Header = tuple[tuple[int, int], str]  # (width, height), mode
Item = TypeVar("Item")
Found = TypeVar("Found")
GREY = ("1", "L", "LA", "I", "F")


@dataclass(frozen=True)
class Files:
    """Image files with their class numbers; the last `test_size` are the folder's own test set."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_size: int = 0


def find(folder: str | Path) -> Files:
    """The images in a folder that has one folder for each class, or such folders in `train` and `test`.

    Raises LabError where there are none.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        near = [str(other) for other in root.parent.glob("*/")] if root.parent.is_dir() else []
        hint = did_you_mean(str(root), near) if near else f"looked up from {Path.cwd()}"
        raise LabError(f"{root}: {'is a file; a folder is needed' if root.exists() else f'no such folder; {hint}'}")
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
        raise LabError(f"{root}: a folder for each class is needed, two at least; there is {found}")
    return names


def _listed(root: Path, names: Sequence[str]) -> tuple[tuple[Path, ...], NDArray[np.int64]]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        inside = sorted(path for path in (root / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not inside and (root / name).is_dir():
            raise LabError(f"{root / name}: has no images ({', '.join(SUFFIXES)})")
        paths += inside
        labels += [label] * len(inside)
    return tuple(paths), np.array(labels, dtype=np.int64)


def without(files: Files, unreadable: dict[int, str]) -> Files:
    """The files less those that cannot be read; raises LabError, naming the first, where they are many."""
    if len(unreadable) > MOST_UNREADABLE * len(files.paths):
        first = list(unreadable.values())[:3]
        raise LabError(f"{len(unreadable):,} of {len(files.paths):,} images cannot be read; the first:", *first)
    keep = [place for place in range(len(files.paths)) if place not in unreadable]
    in_test = len(files.paths) - files.test_size
    test_size = sum(place >= in_test for place in keep)
    return Files(tuple(files.paths[place] for place in keep), files.labels[keep], files.class_names, test_size)


def headers(files: Files) -> tuple[list[Header], dict[int, str]]:
    """Size and mode of each image that can be opened, and why each of the others cannot."""

    def header(path: Path) -> Header:
        with opened(path) as image:
            return image.size, image.mode

    found, unreadable = _each(files.paths, header)
    return list(found.values()), unreadable


def fitted(
    found: Sequence[tuple[tuple[int, int], str]], size: Sequence[int] | None, grey: bool | None
) -> ImageEncoding:
    """The encoding for images of these sizes and modes: their own size where it is one and small.

    `size` (height, width) and `grey` decide where they are given.
    """
    sizes = Counter(one for one, _ in found)
    if size is None:
        (width, height), _ = sizes.most_common(1)[0]
        alike = len(sizes) == 1 and max(width, height) <= LARGEST
        size = (height, width) if alike else (USUAL_SIDE, USUAL_SIDE)
    if grey is None:
        grey = all(mode.startswith(GREY) for _, mode in found)
    return ImageEncoding(size[0], size[1], 1 if grey else 3)


def decoded(files: Files, encoding: ImageEncoding, take: Callable[[int, NDArray[np.uint8]], None]) -> dict[int, str]:
    """Decode every image once and give it, with its place, to `take`; why each of the others cannot be read."""

    def decode(place: int) -> None:
        take(place, encoding.pixels([files.paths[place]])[0])

    return _each(range(len(files.paths)), decode)[1]


def _each(items: Sequence[Item], look: Callable[[Item], Found]) -> tuple[dict[int, Found], dict[int, str]]:
    """What `look` finds at each place, and the places where it raised, with the reason."""

    def attempt(item: Item) -> tuple[Found | None, str]:
        try:
            return look(item), ""
        except LabError as error:
            return None, str(error)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(attempt, items))
    found = {place: one for place, (one, why) in enumerate(results) if not why}
    return found, {place: why for place, (_, why) in enumerate(results) if why}  # type: ignore[return-value]


Image.MAX_IMAGE_PIXELS = 200_000_000  # larger ones are refused, not only warned of
