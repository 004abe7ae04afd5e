"""The working folder on its way to the nodes of a cluster: what git does not ignore, and the data that is named."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.config.experiment import Experiment
from lab.errors import LabError
from lab.tracking import environment

MOST_MEGABYTES = 100
NEVER = ("mlruns", "__pycache__", "node_modules")  # nor what is hidden, such as .git and .venv


@dataclass(frozen=True)
class Shipped:
    """What the nodes get."""

    files: int
    bytes: int

    def __str__(self) -> str:
        files = f"{self.files} file{'s' if self.files != 1 else ''}"
        return f"the nodes get {files} of the working folder, {self.bytes / 1e6:.3g} MB"


def copy(experiments: Iterable[Experiment], target: Path) -> Shipped:
    """Copy what travels into a folder; raises LabError where it is too large."""
    files = sorted({*_working_files(), *_data_files(experiments)})
    sizes = {path: path.stat().st_size for path in files}
    total = sum(sizes.values())
    if total > MOST_MEGABYTES * 1e6:
        largest = max(sizes, key=lambda path: sizes[path])
        raise LabError(
            f"the working folder has {total / 1e6:.0f} MB for every node, more than {MOST_MEGABYTES}; the largest is "
            f"{largest} ({sizes[largest] / 1e6:.0f} MB): copy it to the same absolute path on every node and name that"
        )
    for path in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target / path)
    return Shipped(len(files), total)


def _working_files() -> Iterator[Path]:
    """The files below the working folder that git does not ignore; without git, all."""
    listed = environment.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    found = map(Path, filter(None, listed.split("\0"))) if listed else _files_below(Path())
    yield from (path for path in found if path.is_file() and not any(map(_stays, path.parts)))


def _stays(part: str) -> bool:
    return part.startswith(".") or part in NEVER


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _stays(name)]
        yield from (Path(place) / name for name in names)


def _data_files(experiments: Iterable[Experiment]) -> Iterator[Path]:
    """The files that sections `data` name relative to the working folder, though git may ignore them."""
    for text in {text for experiment in experiments for text in _texts(experiment.data.settings)}:
        path = Path(text)
        if not text or path.is_absolute() or ".." in path.parts or path == Path():
            continue
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from _files_below(path)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content if len(content) < 1000 and "\0" not in content else ""
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)
