"""Independent samples as a data module reads them, and the check of what a person's own data module gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.data.encodings.sequence import SequenceEncoding
from lab.errors import LabError


@dataclass(frozen=True)
class Samples:
    """Raw independent samples x (N, ...) and y: class numbers (N,) with their names, or values (N, T) without.

    The last `test_size` samples are the test set of the source and the `val_size` before them its validation set;
    with 0 such a split is drawn. Or `given` (N,) names the split of each sample, "" for one that may go anywhere.
    Samples of the same value in `groups` (N,) stay on one side; with `order` (N,), such as times, the last samples
    are the test and those before them the validation set.
    `x` is an array, or whatever the data module's `encode` takes; sequences of unequal length are a list of arrays
    (C, L) or (L,), or one array (N, C, L) with NaN in all channels after the end of each. `fingerprint` is the hash of
    the content; computed if empty.
    """

    x: Any
    y: NDArray[Any]
    test_size: int = 0
    class_names: Sequence[str] = ()
    target_names: Sequence[str] = ()
    fingerprint: str = ""
    val_size: int = 0
    given: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    order: NDArray[Any] | None = None


def check(samples: Any, kind: str) -> Samples:
    """The samples, or LabError with the first thing that a training could not use; `kind` names the data module."""
    if not isinstance(samples, Samples):
        raise LabError(f"data: {kind}.read() must return lab.data.base.Samples, not {type(samples).__name__}")
    if isinstance(samples.x, list) and samples.x and all(isinstance(each, np.ndarray) for each in samples.x):
        samples = _stacked(samples, kind)
    problem = _shapes(samples) or (_classes(samples) if len(samples.class_names) else _values(samples))
    if problem:
        raise LabError(f"data: {kind}.read() gives {problem}")
    return samples


def _stacked(samples: Samples, kind: str) -> Samples:
    """With a list of sequences as one array (N, C, L)."""
    first = samples.x[0]
    try:
        return replace(samples, x=SequenceEncoding(len(first) if first.ndim == 2 else 1).encode(samples.x))
    except LabError as error:
        raise LabError(f"data: {kind}.read() gives a list x of which {error}") from None


def _shapes(samples: Samples) -> str:
    """What is wrong with the types and lengths, "" if nothing."""
    if not hasattr(samples.x, "shape") or hasattr(samples.x, "requires_grad"):
        return f"x as {type(samples.x).__name__}; give a NumPy array, (N, ...), or a list of arrays, (C, L)"
    if not isinstance(samples.y, np.ndarray):
        return f"y as {type(samples.y).__name__}; give a NumPy array"
    if len(samples.x.shape) < 2:
        return f"x of shape {tuple(samples.x.shape)}; a sample needs at least one dimension, (N, ...)"
    if len(samples.x) != len(samples.y):
        return f"{len(samples.x):,} samples x but {len(samples.y):,} targets y"
    for name in ("test_size", "val_size"):
        if getattr(samples, name) < 0:
            return f"{name} {getattr(samples, name)}; it must be 0 or more"
    for name in ("given", "groups", "order"):
        values = getattr(samples, name)
        if values is not None and np.shape(values) != (len(samples.x),):
            return f"{name} of shape {np.shape(values)} for {len(samples.x):,} samples; give one value per sample"
    least = 1 + samples.test_size + samples.val_size + 2
    return f"{len(samples.x):,} samples; at least {least} are needed" if len(samples.x) < least else ""


def _classes(samples: Samples) -> str:
    names, y = list(samples.class_names), samples.y
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return f"class names {names[:4]}; they must be different texts"
    if len(names) < 2:
        return "a single class; there is nothing to tell apart"
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.number) or (y != np.floor(y)).any():
        return f"y of shape {y.shape} and type {y.dtype}; with class names it must be whole numbers, (N,)"
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= len(names):
        return f"class numbers from {low} to {high}, but names for 0 to {len(names) - 1}"
    return ""


def _values(samples: Samples) -> str:
    y = samples.y
    if y.ndim != 2:
        return f"y of shape {y.shape}; without class names it must be values (N, T), such as y[:, None]"
    if not np.issubdtype(y.dtype, np.number):
        return f"y of type {y.dtype}; without class names it must be numbers"
    if len(samples.target_names) not in (0, y.shape[1]):
        return f"{len(samples.target_names)} target names for {y.shape[1]} targets"
    if not np.isfinite(y).all():
        row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(y)))
        return f"y[{row}, {column}] = {y[row, column]}; all values must be finite"
    return ""
