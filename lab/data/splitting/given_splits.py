"""Splits that the source itself gives: the names of folders, or the values of a column."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.errors import LabError

NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def named(name: object) -> str | None:
    """The split that a name such as `Validation` means: train, val or test; None for another name."""
    return NAMES.get(str(name).strip().lower())


def is_column(cells: pd.Series) -> bool:
    """Whether all values of a column are names of splits, train and another among them."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return False
    names = {named(cell) for cell in cells.dropna().unique()}
    return "train" in names and None not in names and len(names) > 1


def of_column(cells: pd.Series) -> NDArray[np.str_]:
    """The split of each row, "" where the cell is empty, as `Samples.given` has it.

    Raises LabError for a value that names no split, and if no row is for training.
    """
    splits = cells.map(lambda cell: "" if pd.isna(cell) else named(cell))
    unknown = np.flatnonzero(splits.isna())
    if len(unknown):
        value = cells.iloc[int(unknown[0])]
        raise LabError(f"column '{cells.name}', row {unknown[0] + 1}: '{value}' is no split; write train, val or test")
    if not splits.isin(["train", ""]).any():
        raise LabError(f"column '{cells.name}': no row is for training; write train, val or test")
    return splits.to_numpy(dtype=str)


def described(splits: Iterable[str], source: str) -> str:
    """The sizes of the given splits, and where the others come from."""
    counts = Counter(splits)
    given = ", ".join(f"{split} {counts[split]:,}" for split in ("train", "val", "test") if counts[split])
    missing = [name for split, name in (("val", "validation"), ("test", "test")) if not counts[split]]
    both = "splits are" if len(missing) > 1 else "split is"
    drawn = f"; the {' and '.join(missing)} {both} drawn from train" if missing else ""
    others = f"; the other {counts['']:,} rows are for training" if counts[""] else ""
    return f"as given by {source}: {given}{others}{drawn}"
