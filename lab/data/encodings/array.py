"""Encoding of arrays: channels before positions, single precision."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lab.errors import LabError

# The order of dimensions that the architectures expect, by the axes of the array.
ORDERS = {"NF": "NF", "NL": "NL", "NCL": "NCL", "NLC": "NCL", "NHW": "NHW", "NCHW": "NCHW", "NHWC": "NCHW"}


@dataclass(frozen=True)
class ArrayEncoding:
    """Samples of one shape. `axes` names the dimensions of the raw array; with "" they are not reordered.

    N samples, F features, C channels, L positions in a sequence, H rows and W columns of an image. Sequences and
    images without a channel dimension get one.
    """

    shape: tuple[int, ...]
    axes: str = ""
    kind: ClassVar[str] = "array"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Samples (N, *shape) of any numeric type, to (N, F), (N, C, L) or (N, C, H, W)."""
        array = np.asarray(raw)
        if array.dtype.kind not in "biuf":
            raise LabError(f"expected an array of numbers, not of {array.dtype}")
        if array.shape[1:] != self.shape or not array.ndim:
            raise LabError(f"expected an array of shape {_shown(self.shape)}, not {_shown(array.shape[1:])}")
        _check_finite(array)
        return arranged(array, self.axes).astype(np.float32, copy=False)

    def as_json(self) -> dict[str, Any]:
        """Shape and axes, as JSON types."""
        return {"kind": self.kind} | asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ArrayEncoding":
        """The encoding that `as_json` described."""
        return cls(tuple(content["shape"]), content["axes"])


def arranged(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """A view of an array with these axes, in the order that the architectures expect."""
    if not axes:
        return array
    order = ORDERS[axes]
    array = array.transpose([axes.index(name) for name in order])
    return array[:, None] if order in ("NL", "NHW") else array


def _check_finite(array: NDArray[Any]) -> None:
    """Raise LabError, with the index, for a value that is not finite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise LabError(f"x{list(index)} is {array[index]}; all values must be finite")


def _shown(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])})"
