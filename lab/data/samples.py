"""Independent samples as a data module reads them, and the check of what a person's own data module gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lab.data import sample_weights
from lab.data.encodings.sequence import SequenceEncoding
from lab.data.sizes import Sizes
from lab.errors import LabError


@dataclass(frozen=True)
class Samples:
    """Raw independent samples x (N, ...) and y: class numbers (N,) with their names, or values (N, T) without.

    y (N, K) of 0 and 1 with class names are labels, of which a sample may have several. `ordered` says that the class
    names are in order, the lowest first.

    The last `test_size` samples are the test set of the source and the `val_size` before them its validation set;
    with 0 such a split is drawn. Or `given` (N,) names the split of each sample, "" for one that may go anywhere.
    Samples of the same value in `groups` (N,) stay on one side; with `order` (N,), such as times, the last samples
    are the test and those before them the validation set. A sample counts as many times in the loss and in every
    metric as its `weight` (N,) says.
    `x` is an array, or whatever the data module's `encode` takes; `feature_names` are those of the columns of (N, F).
    Sequences of unequal length are a list of arrays (C, L) or (L,), or one array (N, C, L) with NaN in all channels
    after the end of each. `fingerprint` is the hash of the content; computed if empty.
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
    weight: NDArray[Any] | None = None
    feature_names: Sequence[str] = ()
    ordered: bool = False

    @property
    def task(self) -> Literal["classification", "ordinal", "multilabel", "regression"]:
        """What is to be learned."""
        if not len(self.class_names):
            return "regression"
        if self.y.ndim == 2:
            return "multilabel"
        return "ordinal" if self.ordered else "classification"

    @property
    def strata(self) -> NDArray[Any] | None:
        """The class of each sample (N,), by which splits are drawn in proportion; None where it has no single one."""
        return self.y if self.task in ("classification", "ordinal") else None


def check(samples: Any, kind: str) -> Samples:
    """The samples, or LabError with the first thing that a training could not use; `kind` names the data module."""
    if not isinstance(samples, Samples):
        raise LabError(f"data: {kind}.read() must return lab.data.base.Samples, not {type(samples).__name__}")
    if isinstance(samples.x, list) and samples.x and all(isinstance(each, np.ndarray) for each in samples.x):
        samples = _stacked(samples, kind)
    of_targets = _values if not len(samples.class_names) else _labels if _has_columns(samples) else _classes
    problem = _shapes(samples) or of_targets(samples)
    if problem:
        raise LabError(f"data: {kind}.read() gives {problem}")
    if samples.weight is not None:
        sample_weights.check(np.asarray(samples.weight), f"data: {kind}.read() gives weight")
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
    for name in ("given", "groups", "order", "weight"):
        values = getattr(samples, name)
        if values is not None and np.shape(values) != (len(samples.x),):
            return f"{name} of shape {np.shape(values)} for {len(samples.x):,} samples; give one value per sample"
    if len(samples.feature_names) not in (0, samples.x.shape[1]):
        return f"{len(samples.feature_names)} feature names for {samples.x.shape[1]} columns of x"
    least = 1 + samples.test_size + samples.val_size + 2
    return f"{len(samples.x):,} samples; at least {least} are needed" if len(samples.x) < least else ""


def _classes(samples: Samples) -> str:
    names, y = list(samples.class_names), samples.y
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return f"class names {names[:4]}; they must be different texts"
    if len(names) < 2:
        return "a single class; there is nothing to tell apart"
    if samples.ordered and len(names) < 3:
        return "two classes as ordered; three are the fewest that have an order to learn"
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.number) or (y != np.floor(y)).any():
        return f"y of shape {y.shape} and type {y.dtype}; with class names it must be whole numbers, (N,)"
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= len(names):
        return f"class numbers from {low} to {high}, but names for 0 to {len(names) - 1}"
    return ""


def _has_columns(samples: Samples) -> bool:
    return np.ndim(samples.y) == 2 and np.shape(samples.y)[1] > 1


def _labels(samples: Samples) -> str:
    names, y = list(samples.class_names), samples.y
    if y.shape[1] != len(names) or len(set(names)) < len(names):
        return f"{len(names)} class names {names[:4]} for {y.shape[1]} labels; they must be as many different texts"
    odd = ~np.isin(y, (0, 1))
    if odd.any():
        row, column = (int(index) for index in np.argwhere(odd)[0])
        return f"y[{row}, {column}] = {y[row, column]}; labels are 0 or 1"
    return "class names in order, but labels have none" if samples.ordered else ""


def _values(samples: Samples) -> str:
    y = samples.y
    if samples.ordered:
        return "no class names, but says that they are ordered"
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


def sizes_of(shape: tuple[int, ...], samples: Samples, padded: bool) -> Sizes:
    """The sizes of samples of this shape, as the network sees them."""
    names = len(samples.class_names)
    if samples.task == "regression":
        return Sizes(shape, samples.y.shape[1], padded=padded)
    if samples.task == "multilabel":
        return Sizes(shape, names, labels=names, padded=padded)
    single = names == 2 or samples.task == "ordinal"
    return Sizes(shape, 1 if single else names, names, ordered=samples.task == "ordinal", padded=padded)
