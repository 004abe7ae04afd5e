"""Encoding of sequences of unequal length: one array (N, C, L), with NaN in all channels after the end of each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lab.data.encodings.array import arranged
from lab.errors import LabError


@dataclass(frozen=True)
class SequenceEncoding:
    """Sequences of so many channels.

    `longest` is 0, or the number of steps that the network takes at most: then all are padded to it, since such a
    network is exported for that length alone.
    `axes` are those of a raw array, NCL, NLC or NL: N samples, C channels, L steps. A single sequence has the last
    ones; with one channel it may also be (L,).
    """

    channels: int
    axes: str = "NCL"
    longest: int = 0
    kind: ClassVar[str] = "sequence"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Sequences to (N, C, L), where L is the length of the longest of them, or that which the network takes.

        They are a list of arrays, an array that is padded at the end with NaN, or the one column of a table, whose
        cells are lists.
        """
        if hasattr(raw, "columns"):
            if len(raw.columns) != 1:
                raise LabError(f"one column whose cells are sequences is needed; there are {len(raw.columns)} columns")
            raw = raw.iloc[:, 0].tolist()
        array = self._stacked(raw) if isinstance(raw, list | tuple) else numbers(raw, "x")
        axes = "NL" if array.ndim == 2 and self.channels == 1 else self.axes
        if array.ndim != len(axes) or (array.ndim == 3 and array.shape[axes.index("C")] != self.channels):
            raise LabError(f"expected sequences {self._shape()}, not an array of shape {array.shape}")
        lengths = lengths_of(array, axes)
        self._check_length(lengths)
        encoded = arranged(array, axes)[:, :, : lengths.max(initial=0)].astype(np.float32, copy=False)
        missing = self.longest - encoded.shape[2]
        return np.pad(encoded, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan) if self.longest else encoded

    def _stacked(self, samples: Sequence[Any]) -> NDArray[Any]:
        """A list of sequences as an array with the axes of the encoding."""
        arrays = [numbers(sample, f"x[{index}]") for index, sample in enumerate(samples)]
        if self.channels == 1 and all(array.ndim == 1 for array in arrays):
            return padded_stack(arrays, "NL")
        for index, array in enumerate(arrays):
            if array.ndim != len(self.axes) - 1 or (array.ndim == 2 and self._channels_of(array) != self.channels):
                raise LabError(f"expected sequences {self._shape()}, but x[{index}] is of shape {array.shape}")
        return padded_stack(arrays, self.axes)

    def _channels_of(self, sample: NDArray[Any]) -> int:
        return int(sample.shape[self.axes.index("C") - 1])

    def _shape(self) -> str:
        """The shape of a sequence in words."""
        names = {"C": str(self.channels), "L": "L"}
        return f"({', '.join(names[axis] for axis in self.axes[1:])}{',' if len(self.axes) == 2 else ''})"

    def _check_length(self, lengths: NDArray[np.int64]) -> None:
        if self.longest and (lengths > self.longest).any():
            index = int((lengths > self.longest).argmax())
            raise LabError(f"x[{index}] has {lengths[index]} steps; this network takes at most {self.longest}")

    def as_lists(self, encoded: NDArray[np.float32]) -> list[list[Any]]:
        """Encoded sequences (N, C, L) as raw ones, for JSON."""
        ended = [sample[:, ~np.isnan(sample[0])] for sample in encoded]
        raw = [sample[0] if self.axes == "NL" else sample.T if self.axes == "NLC" else sample for sample in ended]
        return [sample.tolist() for sample in raw]

    def as_json(self) -> dict[str, Any]:
        """The fields, as JSON types."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "SequenceEncoding":
        """The encoding that `as_json` described."""
        return cls(content["channels"], content["axes"], content["longest"])


def numbers(values: Any, name: str) -> NDArray[Any]:
    """An array of numbers, with NaN for None; raises LabError for anything else."""
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (ValueError, TypeError):
        raise LabError(f"{name} is no sequence of numbers; each step needs the same number of values") from None
    if array.dtype.kind not in "biuf":
        raise LabError(f"{name}: expected numbers, not {array.dtype}")
    return array


def padded_stack(samples: Sequence[NDArray[Any]], axes: str) -> NDArray[Any]:
    """Arrays of unequal length, at least one, as one with these axes, NaN after the end of each."""
    steps = axes.index("L")
    shape = [len(samples), *samples[0].shape]
    shape[steps] = max(sample.shape[steps - 1] for sample in samples)
    kept = np.result_type(np.float32, *{sample.dtype for sample in samples})
    array = np.full(shape, np.nan, kept if kept.kind == "f" else np.float64)
    along_steps = np.moveaxis(array, steps, 1)
    for row, sample in zip(along_steps, samples, strict=True):
        row[: sample.shape[steps - 1]] = np.moveaxis(sample, steps - 1, 0)
    return array


def lengths_of(array: NDArray[Any], axes: str) -> NDArray[np.int64]:
    """The steps of each sequence (N,) before the NaN at its end; raises LabError, with the place, for NaN before it.

    Infinite values and sequences without a step are refused too.
    """
    values = arranged(array, axes)
    missing: NDArray[np.bool_] = np.isnan(values)
    real: NDArray[Any] = np.asarray(~missing.all(axis=1))
    lengths: NDArray[np.int64] = (np.arange(1, real.shape[1] + 1) * real).max(axis=1, initial=0)
    wrong: NDArray[Any] = missing & (np.arange(real.shape[1]) < lengths[:, None])[:, None]
    wrong |= np.isinf(values)
    if wrong.any():
        place = dict(zip("NCL", np.argwhere(wrong)[0].tolist(), strict=True))
        index = [place[axis] for axis in axes]
        raise LabError(f"x{index} is {array[tuple(index)]}; all values must be finite up to the end of a sequence")
    if not lengths.all():
        raise LabError(f"x[{int(lengths.argmin())}] has no steps; a sequence needs at least one")
    return lengths


def ends_in_nan(array: NDArray[Any]) -> bool:
    """Whether rows (N, L) seem to be sequences of unequal length: NaN at the end alone, in at least three lengths.

    A table with missing values hardly looks so.
    """
    missing = np.isnan(array)
    lengths = (~missing).sum(axis=1)
    at_end = (missing == (np.arange(array.shape[1]) >= lengths[:, None])).all()
    return bool(at_end) and bool(lengths.all()) and len(np.unique(lengths)) >= 3


def has_nan(array: Any) -> bool:
    """Whether values of an array in memory are missing; a memory-mapped file must have none, and is not read for it."""
    in_memory = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
    return in_memory and array.dtype.kind == "f" and bool(np.isnan(array).any())


def described(lengths: NDArray[np.int64]) -> str:
    """The lengths (N,) of sequences in words."""
    return f"{lengths.min():,} to {lengths.max():,} steps, median {np.median(lengths):,.0f}"
