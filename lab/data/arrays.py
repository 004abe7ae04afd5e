"""Arrays: an NPZ file with x and y, or two NPY files."""

from dataclasses import dataclass, replace
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data import weights
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.sequence import SequenceEncoding, ends_in_nan, has_nan
from lab.data.loaders import LazyDataset
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import given_splits, targets
from lab.data.reading.settings import existing_file
from lab.data.sequences import lengths
from lab.errors import LabError

Axes = Literal["auto", "NF", "NL", "NCL", "NLC", "NHW", "NHWC", "NCHW"]
MAX_BYTES_IN_MEMORY = 1 << 30  # of an NPY file; a larger one is memory-mapped and read batch by batch
CHUNK_BYTES = 1 << 26  # of a memory-mapped file that are read at a time
MAX_IMAGE_CHANNELS = 4  # when the axes are inferred


@dataclass(frozen=True)
class Stored:
    """All samples of a file: those for training, then `val_size` for validation, then `test_size` for testing.

    `weight` is that of each sample, if the file has them; `unused` are the names of its other arrays. Where the file
    has lengths, x is padded with NaN after them, `axes` are its axes, and `cut` says so in words.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    val_size: int = 0
    test_size: int = 0
    unused: tuple[str, ...] = ()
    weight: NDArray[Any] | None = None
    axes: str = ""
    cut: str = ""


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
            self.notes.append(("weight", weights.described(stored.weight, "the array weight")))
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


def read_npy(path: str) -> NDArray[Any]:
    """The array in an NPY file, memory-mapped if it is large; raises LabError."""
    file = existing_file(path)
    try:
        return np.load(file, mmap_mode="r" if file.stat().st_size > MAX_BYTES_IN_MEMORY else None, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise LabError(f"{path}: {_unreadable(error)}") from None


def read_npz(path: str, axes: str = "auto") -> Stored:
    """`x` and `y` (or `x_train`, `y_train`) with the validation and test set of the file, if any; raises LabError.

    Where it has lengths, and the `axes` are those of sequences, x ends in NaN after them.
    """
    file = existing_file(path)
    try:
        with np.load(file, allow_pickle=False) as content:
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise LabError(f"{path}: is not an NPZ file; pass an NPY file as data.x and its targets as data.y")
            parts = _parts(path, list(content))
            names = [name for part in parts for name in part] + _weight_names(path, list(content), parts)
            arrays = {name: content[name] for name in names}
            given = lengths.of_parts(content, parts) if axes in lengths.AXES else {}
            unused = tuple(name for name in content if name not in arrays and name not in given)
    except (ValueError, OSError, BadZipFile, EOFError) as error:
        raise LabError(f"{path}: {_unreadable(error)}") from None
    found, axes_found = "", ""
    if given:
        padded, axes_found, found = lengths.padded(path, arrays | given, parts, axes)
        arrays |= padded
    for part in parts:
        _check_part(path, arrays, part, parts[0])
    weight = _weight(path, arrays, parts)
    if len(parts) == 1:
        x, y = (arrays[name] for name in parts[0])
        return Stored(x, y, unused=unused, weight=weight, axes=axes_found, cut=found)
    x, y = (np.concatenate([arrays[part[side]] for part in parts]) for side in (0, 1))
    sizes = {part[0]: len(arrays[part[0]]) for part in parts}
    return Stored(x, y, sizes.get("x_val", 0), sizes.get("x_test", 0), unused, weight, axes_found, found)


def _parts(path: str, names: list[str]) -> list[tuple[str, str]]:
    """The names of x and y for training, validation and testing; raises LabError if one of them is missing."""
    train = ("x_train", "y_train") if "x" not in names and "x_train" in names else ("x", "y")
    missing = [name for name in train if name not in names]
    if missing:
        raise LabError(f"{path}: has no {' and no '.join(missing)}; it has {', '.join(names)}")
    parts = [train]
    for x, y in (("x_val", "y_val"), ("x_test", "y_test")):
        if (x in names) != (y in names):
            raise LabError(f"{path}: has {x if x in names else y}; {x} and {y} must both be given, or neither")
        if x in names:
            parts.append((x, y))
    return parts


def _weight_names(path: str, names: list[str], parts: list[tuple[str, str]]) -> list[str]:
    """The names of the weights that belong to the parts, [] for none; raises LabError if one of them is missing."""
    wanted = [f"weight{x.removeprefix('x')}" for x, _ in parts]
    if wanted[0] == "weight" and "weight" not in names and "weight_train" in names:
        wanted[0] = "weight_train"
    missing = [name for name in wanted if name not in names]
    if len(missing) == len(wanted):
        return []
    if missing:
        raise LabError(f"{path}: has no {' and no '.join(missing)}; each of {', '.join(wanted)} must be given, or none")
    return wanted


def _weight(path: str, arrays: dict[str, NDArray[Any]], parts: list[tuple[str, str]]) -> NDArray[Any] | None:
    """The weights of all samples, None where there are none; raises LabError, with the row, for what is none."""
    names = _weight_names(path, list(arrays), parts)
    for name, (x, _) in zip(names, parts if names else (), strict=True):
        if arrays[name].shape != (len(arrays[x]),):
            count = f"{len(arrays[x]):,} samples of {x}"
            raise LabError(f"{path}: {name} is {arrays[name].shape}; give one value for each of the {count}")
        weights.check(arrays[name], f"{path}: {name}")
    return np.concatenate([arrays[name] for name in names]) if names else None


def _check_part(path: str, arrays: dict[str, NDArray[Any]], part: tuple[str, str], train: tuple[str, str]) -> None:
    """Raise LabError for numbers of samples that differ, and for shapes or types other than those for training."""
    x, y = (arrays[name] for name in part)
    if not x.ndim or not y.ndim or len(x) != len(y):
        lengths = [str(array.shape[0]) if array.ndim else "no" for array in (x, y)]
        raise LabError(f"{path}: {part[0]} has {lengths[0]} samples, {part[1]} {lengths[1]}; the numbers must be equal")
    for name, first in zip(part, train, strict=True):
        if arrays[name].shape[1:] != arrays[first].shape[1:]:
            raise LabError(f"{path}: {first} is {arrays[first].shape}, {name} {arrays[name].shape}")
        if (arrays[name].dtype.kind in "OSU") != (arrays[first].dtype.kind in "OSU"):
            raise LabError(f"{path}: {first} is {arrays[first].dtype}, {name} {arrays[name].dtype}; use the same type")


def _unreadable(error: Exception) -> str:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return "contains pickled Python objects, which are not loaded; save plain numbers or text"
    return f"cannot be read as NumPy arrays: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _squeezed(y: NDArray[Any]) -> NDArray[Any]:
    """(N, 1) as (N,)."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
