"""NPZ and NPY files: the arrays x, y and their weights, for training, validation and testing."""

from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lab.data import sample_weights
from lab.data.reading.settings import existing_file
from lab.data.sequences import lengths
from lab.errors import LabError

MAX_BYTES_IN_MEMORY = 1 << 30  # of an NPY file; a larger one is memory-mapped and read batch by batch


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
        sample_weights.check(arrays[name], f"{path}: {name}")
    return np.concatenate([arrays[name] for name in names]) if names else None


def _check_part(path: str, arrays: dict[str, NDArray[Any]], part: tuple[str, str], train: tuple[str, str]) -> None:
    """Raise LabError for numbers of samples that differ, and for shapes or types other than those for training."""
    x, y = (arrays[name] for name in part)
    if not x.ndim or not y.ndim or len(x) != len(y):
        counts = [str(array.shape[0]) if array.ndim else "no" for array in (x, y)]
        raise LabError(f"{path}: {part[0]} has {counts[0]} samples, {part[1]} {counts[1]}; the numbers must be equal")
    for name, first in zip(part, train, strict=True):
        if arrays[name].shape[1:] != arrays[first].shape[1:]:
            raise LabError(f"{path}: {first} is {arrays[first].shape}, {name} {arrays[name].shape}")
        if (arrays[name].dtype.kind in "OSU") != (arrays[first].dtype.kind in "OSU"):
            raise LabError(f"{path}: {first} is {arrays[first].dtype}, {name} {arrays[name].dtype}; use the same type")


def _unreadable(error: Exception) -> str:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return "contains pickled Python objects, which are not loaded; save plain numbers or text"
    return f"cannot be read as NumPy arrays: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
