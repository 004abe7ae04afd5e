"""New data from a file, as the model's encoding takes it."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lab.data.encodings import Encoding
from lab.data.table_files import existing_file, read_table
from lab.errors import LabError

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
ARRAYS = (".npy", ".npz")
ENDINGS = {"array": ARRAYS + TABLES, "table": TABLES}


def read(path: str, encoding: Encoding) -> Any:
    """The raw samples in a file; raises LabError where it does not hold what the model takes."""
    ending = Path(path).suffix.lower()
    known = ENDINGS[encoding.kind]
    if ending not in known:
        raise LabError(f"{path}: this model takes {', '.join(known)} files")
    if ending in ARRAYS:
        return _array(existing_file(path))
    return read_table(path)


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
