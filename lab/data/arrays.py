"""Arrays: an NPZ file with x and y, or two NPY files."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data import sample_weights
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.sequence import SequenceEncoding, ends_in_nan, has_nan
from lab.data.loaders import LazyDataset
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading.array_files import Stored, read_npy, read_npz
from lab.data.reading.targets import targets
from lab.data.sequences import lengths
from lab.data.splitting import given_splits
from lab.errors import LabError

Axes = Literal["auto", "NF", "NL", "NCL", "NLC", "NHW", "NHWC", "NCHW"]
CHUNK_BYTES = 1 << 26  # of a memory-mapped file that are read at a time
MAX_IMAGE_CHANNELS = 4  # when the axes are inferred


class Arrays(SampleDataModule):
    """Samples x (N, ...) of any numeric type and y: classes (N,), one value (N,) or several (N, T).

    With `task: multilabel` y is labels (N, K) of 0 and 1, with names in `labels`, or texts (N,) that list them, with a
    `label_separator` that is found. With `task: ordinal` y is numbers (N,), or names in the `order` given.

    `path` is an NPZ file with `x`, `y` (or `x_train`, `y_train`) and, where they are given, `x_val`, `y_val`, `x_test`
    and `y_test`; beside each of them `weight` (`weight_train`, ...) may say how many times a sample counts in the loss
    and in every metric. Or `x` and `y` are two NPY files. `axes` names the dimensions of x: N samples, F features,
    C channels, L positions, H rows, W columns.
    Sequences of unequal length end in NaN (NL, NCL, NLC); or the NPZ file has their `lengths` (N,) (or `lengths_train`,
    `lengths_val`, `lengths_test`), and x may then hold the steps of all of them one after the other, (S,) or (S, C).
    """

    encoding: ArrayEncoding | SequenceEncoding

    def __init__(
        self,
        path: str | None = None,
        x: str | None = None,
        y: str | None = None,
        task: targets.TaskChoice = "auto",
        order: list[str | int | float] | None = None,
        labels: list[str] | None = None,
        label_separator: str | None = None,
        axes: Axes = "auto",
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.paths = [name for name in (path, x, y) if name is not None]
        self.two_files = x is not None and y is not None and path is None
        self.one_file = path is not None and x is None and y is None
        self.choice = targets.Choice(task, order, label_separator)
        self.labels = labels
        self.axes = axes
        self.read_axes = ""  # of sequences that were cut by lengths

    def read(self) -> Samples:
        """All samples, as stored in the file."""
        if self.two_files:
            x, y = (read_npy(path) for path in self.paths)
            stored = Stored(x, y)
        elif self.one_file:
            stored = read_npz(self.paths[0], self.axes)
        else:
            raise LabError("data: give path (an NPZ file with x and y), or x and y (two NPY files)")
        x, y = stored.x, stored.y
        if len(x) != len(y):
            raise LabError(
                f"{' and '.join(self.paths)}: x has {len(x):,} samples, y {len(y):,}; the numbers must be equal"
            )
        self.read_axes = stored.axes
        found = self._named(targets.resolve(_squeezed(y), self.choice, "y"), y)
        self.notes.append(("task", targets.describe(found)))
        self._add_notes(stored)
        return Samples(
            x,
            found.values,
            stored.test_size,
            found.class_names,
            fingerprint=file_fingerprint(*self.paths),
            val_size=stored.val_size,
            weight=stored.weight,
            ordered=found.ordered,
        )

    def _named(self, found: targets.Target, y: NDArray[Any]) -> targets.Target:
        """The target with the names of `labels`."""
        if self.labels is None:
            return found
        if self.choice.task != "multilabel" or y.ndim != 2:
            raise LabError(
                "data.labels: names the columns of labels y (N, K), with data.task: multilabel; leave it out"
            )
        if len(self.labels) != y.shape[1] or len(set(self.labels)) < len(self.labels):
            raise LabError(f"data.labels: {len(self.labels)} names for the {y.shape[1]} columns of y; name each once")
        return replace(found, class_names=tuple(self.labels))

    def _add_notes(self, stored: Stored) -> None:
        given = np.repeat(["val", "test"], [stored.val_size, stored.test_size]).tolist()
        if given:
            splits = ["train"] * (len(stored.x) - len(given)) + given
            self.notes.append(("split", given_splits.described(splits, "the arrays")))
        if stored.weight is not None:
            self.notes.append(("weight", sample_weights.described(stored.weight, "the array weight")))
        if stored.cut:
            self.notes.append(("sequences", stored.cut))
        if stored.unused:
            self.notes.append(("not used", f"the arrays {', '.join(stored.unused)} of {self.paths[0]}"))

    def encode(self, raw: NDArray[Any], train: NDArray[np.int64]) -> Any:
        """All samples with their axes in the order N, C, ...; a memory-mapped file stays on disk."""
        axes = self.read_axes or (inferred_axes(raw) if self.axes == "auto" else self.axes)
        if len(axes) != raw.ndim and axes:
            raise LabError(f"data.axes: {axes} names {len(axes)} dimensions, x has {raw.ndim}, {raw.shape}")
        if self.axes == "auto" and not self.read_axes and (raw.ndim > 2 or axes == "NL"):
            self.notes.append(
                ("axes", f"{axes or 'unchanged'}, inferred from {raw.shape}; set data.axes to change them")
            )
        unequal = has_nan(raw)
        if unequal and axes == "NF":
            row, column = np.argwhere(np.isnan(raw))[0].tolist()
            raise LabError(
                f"x[{row}, {column}] is nan; all values must be finite (rows that end in NaN: data.axes: NL)"
            )
        if unequal and axes in lengths.AXES:
            self.encoding = SequenceEncoding(raw.shape[axes.index("C")] if "C" in axes else 1, axes)
        else:
            self.encoding = ArrayEncoding(raw.shape[1:], axes)
        return LazyArray(raw, self.encoding) if isinstance(raw, np.memmap) else self.encoding.encode(raw)

    def scale(self, x: Any, train: NDArray[np.int64]) -> Scale:
        """Statistics of the training samples; a memory-mapped file is read once, chunk by chunk."""
        if not isinstance(x, LazyArray):
            return super().scale(x, train)
        chunks = np.array_split(np.arange(len(x)), max(len(x) * x.sample_bytes // CHUNK_BYTES, 1))
        in_train = np.zeros(len(x), dtype=bool)
        in_train[train] = True
        read = ((chunk, torch.from_numpy(x[chunk])) for chunk in chunks)  # raises for values that are not finite
        return Scale.fit_parts(values[in_train[chunk]] for chunk, values in read if in_train[chunk].any())

    def dataset(self, x: Any, y: Tensor, split: Split) -> Dataset[Any]:
        """The samples of a split, standardised; those of a memory-mapped file are read on access."""
        if isinstance(x, LazyArray):
            return LazyDataset(x, y, self.split_indices[split], self.input_scale)
        return super().dataset(x, y, split)


class LazyArray:
    """Samples of a memory-mapped file, encoded when indexed with an array of indices."""

    def __init__(self, raw: NDArray[Any], encoding: Encoding):
        self.raw = raw
        self.encoding = encoding
        self.shape = (len(raw), *encoding.encode(raw[:1]).shape[1:])
        self.sample_bytes = 4 * int(np.prod(self.shape[1:]))

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.encoding.encode(self.raw[indices])


def inferred_axes(x: NDArray[Any]) -> str:
    """The likely axes of an array, given that channels are fewer than positions, and at most four in images.

    Only sequences have NaN at the end.
    """
    if x.ndim == 2:
        return "NL" if has_nan(x) and ends_in_nan(x) else "NF"
    if x.ndim == 3:
        rows, columns = x.shape[1:]
        if has_nan(x):
            return "NCL" if rows <= columns else "NLC"
        if rows == columns or (x.dtype == np.uint8 and min(rows, columns) > MAX_IMAGE_CHANNELS):
            return "NHW"
        return "NCL" if rows < columns else "NLC"
    if x.ndim == 4:
        return "NHWC" if x.shape[3] <= MAX_IMAGE_CHANNELS < x.shape[1] else "NCHW"
    return ""


def _squeezed(y: NDArray[Any]) -> NDArray[Any]:
    """(N, 1) as (N,)."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
