"""The array `lengths` of an NPZ file: which steps of `x` belong to which sequence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.data.encodings.sequence import padded_stack
from lab.errors import LabError

Array = NDArray[Any]
AXES = ("auto", "NL", "NCL", "NLC")  # that sequences have
MOST_DIMENSIONS = 3


def of_parts(arrays: Mapping[str, Array], parts: Sequence[tuple[str, str]]) -> dict[str, Array]:
    """The lengths in a file of the arrays (x, y) for training, validation and testing, where x may be sequences."""
    names = [_name_for(x) for x, _ in parts if arrays[x].ndim <= MOST_DIMENSIONS]
    return {name: arrays[name] for name in names if name in arrays}


def _name_for(x: str) -> str:
    """The name of the lengths of an array: `lengths` for x, `lengths_test` for x_test."""
    return f"lengths{x.removeprefix('x')}"


def padded(
    path: str, arrays: Mapping[str, Array], parts: Sequence[tuple[str, str]], axes: str
) -> tuple[dict[str, Array], str, str]:
    """Each x of a file, by name, with NaN after the lengths of its sequences; the axes, and what was found, in words.

    Raises LabError.
    """
    names = [x for x, _ in parts]
    if missing := [_name_for(x) for x in names if _name_for(x) not in arrays]:
        given = next(_name_for(x) for x in names if _name_for(x) in arrays)
        raise LabError(f"{path}: has {given} but no {missing[0]}; each x needs its lengths")
    cuts = []
    for x, y in parts:
        samples, axes = cut(arrays[x], arrays[_name_for(x)], axes, f"{path}: {_name_for(x)}", x)
        if len(samples) != len(arrays[y]):
            raise LabError(f"{path}: {_name_for(x)} has {len(samples):,} values, {y} {len(arrays[y]):,}")
        cuts.append(samples)
    every = [sample for samples in cuts for sample in samples]
    if len({len(np.moveaxis(sample, axes.index("L") - 1, 0)[0].ravel()) for sample in every}) > 1:
        raise LabError(f"{path}: {' and '.join(names)} have different numbers of channels")
    ends = np.cumsum([len(samples) for samples in cuts])
    found = f"{names[0]} {arrays[names[0]].shape} is cut by {_name_for(names[0])}"
    flat = len(arrays[names[0]]) != len(cuts[0]) or arrays[names[0]].ndim == 1
    found += ", which says where each sequence ends" if flat else f" ({axes}); values beyond a length are not used"
    return dict(zip(names, np.split(padded_stack(every, axes), ends[:-1]), strict=True)), axes, found


def cut(
    x: Array, lengths: Array, axes: str = "auto", where: str = "lengths", name: str = "x"
) -> tuple[list[Array], str]:
    """Each sequence alone, and the axes of them all with N.

    `x` holds a sequence in each row, (N, L), (N, C, L) or (N, L, C), where values beyond a length are ignored; or the
    steps of all sequences one after the other, (S,) or (S, C), where the lengths add up to S. Raises LabError.
    """
    lengths = _checked(lengths, where)
    total = int(lengths.sum())
    if x.ndim == 1 or (x.ndim == 2 and len(x) != len(lengths)):
        if len(x) != total:
            rows = f"neither {len(lengths):,} sequences nor " if x.ndim == 2 else "not "
            raise LabError(f"{where}: {name} is {x.shape}, {rows}the {total:,} steps to which they add up")
        return np.split(x, np.cumsum(lengths)[:-1]), "NL" if x.ndim == 1 else "NLC"
    if x.ndim not in (2, MOST_DIMENSIONS):
        raise LabError(f"{where}: {name} has {x.ndim} dimensions; sequences are (N, L), (N, C, L) or (N, L, C)")
    if len(x) != len(lengths):
        raise LabError(f"{where}: has {len(lengths):,} values for the {len(x):,} samples of {name}")
    axes = "NL" if x.ndim == 2 else axes if axes in ("NCL", "NLC") else _axes_of(x)
    steps = axes.index("L")
    if (lengths > x.shape[steps]).any():
        index = int((lengths > x.shape[steps]).argmax())
        raise LabError(f"{where}[{index}] is {lengths[index]}, but {name} {x.shape} has {x.shape[steps]} steps")
    return [row.take(range(count), steps - 1) for row, count in zip(x, lengths.tolist(), strict=True)], axes


def _checked(lengths: Array, where: str) -> NDArray[np.int64]:
    if lengths.ndim != 1 or lengths.dtype.kind not in "iuf":
        raise LabError(f"{where}: must be whole numbers (N,), not {lengths.dtype} of shape {lengths.shape}")
    if not len(lengths):
        raise LabError(f"{where}: is empty; sequences are needed")
    wrong = (lengths < 1) | (lengths != np.floor(lengths)) | np.isinf(lengths)
    if wrong.any():
        index = int(wrong.argmax())
        raise LabError(f"{where}[{index}] is {lengths[index]}; a length is a whole number from 1")
    return lengths.astype(np.int64)


def _axes_of(x: Array) -> str:
    """Channels are fewer than steps."""
    return "NCL" if x.shape[1] <= x.shape[2] else "NLC"
