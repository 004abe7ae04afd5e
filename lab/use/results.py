"""Predictions to a file, or to where they can be piped."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lab.errors import LabError
from lab.whole_files import may_replace, writing

ENDINGS = (".csv", ".parquet", ".npz")


def check(path: Path, yes: bool) -> None:
    """Raise LabError for an ending that is none of ENDINGS, and for a file that must stay."""
    if path.suffix.lower() not in ENDINGS:
        raise LabError(f"{path}: predictions are written as {', '.join(ENDINGS)}")
    if not may_replace(path, yes):
        raise LabError(f"{path}: is there already; --yes replaces it")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write predictions in the format of the path's ending, whole; in an NPZ file each column is an array."""
    with writing(path) as fresh, fresh.open("wb") as file:
        if path.suffix.lower() == ".csv":
            frame.to_csv(file, index=False)
        elif path.suffix.lower() == ".parquet":
            frame.to_parquet(file, index=False)
        else:
            np.savez_compressed(file, allow_pickle=False, **{str(name): _array(frame[name]) for name in frame})


def show(frame: pd.DataFrame) -> None:
    """Print predictions as CSV."""
    frame.to_csv(sys.stdout, index=False)


def _array(column: pd.Series) -> np.ndarray:
    """Numbers as they are, names as text: an array of objects could only be pickled."""
    return column.to_numpy() if pd.api.types.is_numeric_dtype(column.dtype) else column.to_numpy(dtype=str)
