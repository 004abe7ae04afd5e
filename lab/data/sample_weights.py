"""Weights of samples: how many times each one counts in the loss and in every metric."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.encodings.cells import Marks, NumberFormat, numbers
from lab.display.numbers import counted
from lab.errors import LabError

USE = "a weight is a number from 0 on"  # that single precision holds


def check(weight: NDArray[Any], what: str, first_row: int = 1) -> None:
    """Raise LabError for the first of the weights (N,) that is no number from 0 on; rows count from `first_row`."""
    if not np.issubdtype(weight.dtype, np.number) or np.issubdtype(weight.dtype, np.complexfloating):
        raise LabError(f"{what} of type {weight.dtype}; {USE}")
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(weight.astype(np.float32)) | (weight < 0)
    if bad.any():
        row = int(bad.argmax())
        value = "missing" if np.isnan(weight[row]) else f"{weight[row]:g}"
        raise LabError(f"{what}, row {row + first_row}: {value}; {USE}")


def of_column(column: pd.Series, format: NumberFormat, marks: Marks) -> NDArray[np.float32]:
    """The weights (N,) in a column of a table; raises LabError, with the row, for what is none."""
    try:
        weight = numbers(column, format, marks)
    except LabError as error:
        raise LabError(f"data.weight: {error.lines[0].partition('; ')[0]}; {USE}") from None
    check(weight, f"data.weight: column '{column.name}'")
    return weight


def described(weight: NDArray[Any], source: str) -> str:
    """A sentence on the weights for the user."""
    zero = int((weight == 0).sum())
    without = f"; {counted(zero, 'row')} of weight 0 count for nothing" if zero else ""
    return f"{source}, from {weight.min():g} to {weight.max():g}, in the loss and in every metric{without}"


def of_splits(weight: NDArray[Any], split_indices: Mapping[str, NDArray[np.int64]]) -> dict[str, Tensor]:
    """The weights (n,) of each split; raises LabError for a split in which all are 0."""
    found = {split: torch.from_numpy(weight[chosen].astype(np.float32)) for split, chosen in split_indices.items()}
    for split, values in found.items():
        if len(values) and not bool(values.any()):
            raise LabError(f"data: all {len(values):,} weights of the {split} split are 0, so that no sample counts")
    return found
