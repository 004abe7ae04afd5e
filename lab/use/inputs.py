"""New data from files, as the model's encoding takes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lab.data.encodings import Encoding
from lab.data.image_files import SUFFIXES
from lab.data.table_files import existing_file, read_table
from lab.errors import LabError

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
ARRAYS = (".npy", ".npz")
ENDINGS = {"array": ARRAYS + TABLES, "table": TABLES, "image": SUFFIXES + ARRAYS, "series": TABLES + ARRAYS}


def read(paths: Sequence[str], encoding: Encoding) -> Any:
    """What `Model.predict` takes: a table, an array, or the paths of images, those of a folder in order of name.

    Raises LabError where the files do not hold what the model takes.
    """
    if encoding.kind == "image" and Path(paths[0]).suffix.lower() not in ARRAYS:
        return [file for path in paths for file in _images(Path(path).expanduser())]
    if len(paths) > 1:
        raise LabError(f"{paths[1]}: one file at a time; only images may be several")
    ending = Path(paths[0]).suffix.lower()
    known = ENDINGS[encoding.kind]
    if ending not in known:
        raise LabError(f"{paths[0]}: this model takes {', '.join(known)} files")
    return _array(existing_file(paths[0])) if ending in ARRAYS else read_table(paths[0])


def _images(path: Path) -> list[Path]:
    """An image, or those in a folder."""
    if not path.is_dir():
        return [existing_file(path)]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not found:
        raise LabError(f"{path}: has no images ({', '.join(SUFFIXES)})")
    return found


def _array(path: Path) -> Any:
    """The array of an NPY file; of an NPZ file `x`, or the only one."""
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, BadZipFile, EOFError):
        raise LabError(f"{path}: cannot be read as NumPy arrays of numbers") from None
    if isinstance(content, np.ndarray):
        return content
    with content:
        name = "x" if "x" in content else next(iter(content), "")
        if name != "x" and len(content) != 1:
            raise LabError(f"{path}: has no x; it has {', '.join(content) or 'nothing'}")
        return content[name]
