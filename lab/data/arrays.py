"""Arrays: an NPZ file with x and y, or two NPY files."""

from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings.array import ArrayEncoding
from lab.data.loaders import LazyDataset
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import targets
from lab.data.reading.settings import existing_file
from lab.errors import LabError

Axes = Literal["auto", "NF", "NL", "NCL", "NLC", "NHW", "NHWC", "NCHW"]
MAX_BYTES_IN_MEMORY = 1 << 30  # of an NPY file; a larger one is memory-mapped and read batch by batch
CHUNK_BYTES = 1 << 26  # of a memory-mapped file that are read at a time
MAX_IMAGE_CHANNELS = 4  # when the axes are inferred


class Arrays(SampleDataModule):
    """Samples x (N, ...) of any numeric type and y: classes (N,), one value (N,) or several (N, T).

    `path` is an NPZ file with `x`, `y` and, for a given test set, `x_test` and `y_test`; or `x` and `y` are two NPY
    files. `axes` names the dimensions of x: N samples, F features, C channels, L positions, H rows, W columns.
    """

    encoding: ArrayEncoding

    def __init__(
        self,
        path: str | None = None,
        x: str | None = None,
        y: str | None = None,
        task: targets.TaskChoice = "auto",
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
        self.chosen_task = task
        self.axes = axes

    def read(self) -> Samples:
        """All samples, as stored in the file."""
        if self.two_files:
            x, y = (read_npy(path) for path in self.paths)
            test_size = 0
        elif self.one_file:
            x, y, test_size = read_npz(self.paths[0])
        else:
            raise LabError("data: give path (an NPZ file with x and y), or x and y (two NPY files)")
        if len(x) != len(y):
            raise LabError(
                f"{' and '.join(self.paths)}: x has {len(x):,} samples, y {len(y):,}; the numbers must be equal"
            )
        found = targets.resolve(_squeezed(y), self.chosen_task, "y")
        self.notes.append(("task", targets.describe(found)))
        return Samples(
            x,
            found.values,
            test_size,
            found.class_names,
            fingerprint=file_fingerprint(*self.paths),
        )

    def encode(self, raw: NDArray[Any], train: NDArray[np.int64]) -> Any:
        """All samples with their axes in the order N, C, ...; a memory-mapped file stays on disk."""
        axes = inferred_axes(raw) if self.axes == "auto" else self.axes
        if len(axes) != raw.ndim and axes:
            raise LabError(f"data.axes: {axes} names {len(axes)} dimensions, x has {raw.ndim}, {raw.shape}")
        if self.axes == "auto" and raw.ndim > 2:
            self.notes.append(
                ("axes", f"{axes or 'unchanged'}, inferred from {raw.shape}; set data.axes to change them")
            )
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

    def __init__(self, raw: NDArray[Any], encoding: ArrayEncoding):
        self.raw = raw
        self.encoding = encoding
        self.shape = (len(raw), *encoding.encode(raw[:1]).shape[1:])
        self.sample_bytes = 4 * int(np.prod(self.shape[1:]))

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.encoding.encode(self.raw[indices])


def inferred_axes(x: NDArray[Any]) -> str:
    """The likely axes of an array, given that channels are fewer than positions, and at most four in images."""
    if x.ndim == 2:
        return "NF"
    if x.ndim == 3:
        rows, columns = x.shape[1:]
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


def read_npz(path: str) -> tuple[NDArray[Any], NDArray[Any], int]:
    """x, y and the number of test samples at their end; raises LabError."""
    file = existing_file(path)
    try:
        with np.load(file, allow_pickle=False) as content:
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise LabError(f"{path}: is not an NPZ file; pass an NPY file as data.x and its targets as data.y")
            missing = [name for name in ("x", "y") if name not in content]
            if missing:
                raise LabError(f"{path}: has no {' and no '.join(missing)}; it has {', '.join(content)}")
            arrays = {name: content[name] for name in ("x", "y", "x_test", "y_test") if name in content}
    except (ValueError, OSError, BadZipFile, EOFError) as error:
        raise LabError(f"{path}: {_unreadable(error)}") from None
    if len(arrays) == 3:
        raise LabError(f"{path}: has {', '.join(arrays)}; x_test and y_test must both be given, or neither")
    if len(arrays) == 2:
        return arrays["x"], arrays["y"], 0
    for name in ("x", "y"):
        if arrays[name].shape[1:] != arrays[f"{name}_test"].shape[1:]:
            raise LabError(f"{path}: {name} is {arrays[name].shape}, {name}_test {arrays[f'{name}_test'].shape}")
    if len(arrays["x_test"]) != len(arrays["y_test"]):
        raise LabError(f"{path}: x_test has {len(arrays['x_test']):,} samples, y_test {len(arrays['y_test']):,}")
    if len(arrays["x"]) != len(arrays["y"]):
        raise LabError(f"{path}: x has {len(arrays['x']):,} samples, y {len(arrays['y']):,}; the numbers must be equal")
    x, y = (np.concatenate([arrays[name], arrays[f"{name}_test"]]) for name in ("x", "y"))
    return x, y, len(arrays["x_test"])


def _unreadable(error: Exception) -> str:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return "contains pickled Python objects, which are not loaded; save plain numbers or text"
    return f"cannot be read as NumPy arrays: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _squeezed(y: NDArray[Any]) -> NDArray[Any]:
    """(N, 1) as (N,)."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
