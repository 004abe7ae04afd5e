"""Image files with their targets: which files are images, which of them can be read, and their pixels."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.data.encodings.image import ImageEncoding
from lab.errors import LabError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif"),
    *(".pgm", ".ppm", ".pbm", ".pnm"),
)
MAX_UNREADABLE = 0.1  # fraction of the files that may be skipped
Item = TypeVar("Item")
Result = TypeVar("Result")

Image.MAX_IMAGE_PIXELS = 200_000_000  # PIL warns above it and raises above twice as many


@dataclass(frozen=True)
class Files:
    """Image files with their class numbers (N,), or labels (N, K), or values (N, 1) without `class_names`.

    `given` (N,) names the split of each file, "" where the source does not say, `given_by` is what says it, and
    `groups` (N,) has the group of each. `source` is what else decides the content: the table that lists the files.
    `notes` say how the source was understood, `columns` are the settings that name its columns, `unused` has a line
    for each file that is not used.
    """

    paths: tuple[Path, ...]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    target_names: tuple[str, ...] = ()
    given: NDArray[np.str_] | None = None
    given_by: str = ""
    groups: NDArray[Any] | None = None
    source: tuple[Path, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    ordered: bool = False

    def take(self, keep: NDArray[np.int64]) -> "Files":
        """The files at these indices."""
        return replace(
            self,
            paths=tuple(self.paths[index] for index in keep),
            labels=self.labels[keep],
            given=None if self.given is None else self.given[keep],
            groups=None if self.groups is None else self.groups[keep],
        )


def images_below(folder: Path) -> list[Path]:
    """All images in a folder and the folders in it, sorted, without hidden ones such as `._1.jpg` of a Mac."""
    return [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and the folders in it, sorted, but for those in hidden folders and in `__MACOSX`."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(is_hidden(name) for name in path.relative_to(folder).parts[:-1])
    )


def is_hidden(name: str) -> bool:
    """Whether a folder of this name holds no data of the user."""
    return name.startswith(".") or name in ("__MACOSX", "__pycache__")


def without(files: Files, unreadable: Mapping[int, str]) -> Files:
    """The readable files; raises LabError, naming the first unreadable ones, if more than 10 % are unreadable."""
    if len(unreadable) > MAX_UNREADABLE * len(files.paths):
        first = list(unreadable.values())[:3]
        raise LabError(f"{len(unreadable):,} of {len(files.paths):,} images cannot be read; the first:", *first)
    return files.take(np.setdiff1d(np.arange(len(files.paths)), list(unreadable)))


def decode_all(files: Files, encoding: ImageEncoding, store: Callable[[int, NDArray[Any]], None]) -> dict[int, str]:
    """Call `store` with the index and the pixels of every image; returns index to reason for the unreadable ones."""

    def decode(index: int) -> None:
        store(index, encoding.pixels([files.paths[index]])[0])

    return apply(range(len(files.paths)), decode)[1]


def apply(items: Sequence[Item], function: Callable[[Item], Result]) -> tuple[list[Result], dict[int, str]]:
    """Call `function` in threads: the results in order, and index to message where it raised a LabError."""

    def attempt(item: Item) -> tuple[Result | None, str]:
        try:
            return function(item), ""
        except LabError as error:
            return None, str(error)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(attempt, items))
    found = [result for result, reason in results if not reason]
    return found, {index: reason for index, (_, reason) in enumerate(results) if reason}  # type: ignore[return-value]
