"""Arrays as a network takes them: channels before positions, single precision."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lab.errors import LabError

# The order that the lab's architectures take, by the names of an array's dimensions.
ORDERS = {"NF": "NF", "NL": "NL", "NCL": "NCL", "NLC": "NCL", "NHW": "NHW", "NCHW": "NCHW", "NHWC": "NCHW"}


@dataclass(frozen=True)
class ArrayEncoding:
    """Samples of one shape. `axes` names the dimensions as they come, "" where they stay as they are.

    N samples, F features, C channels, L positions in a sequence, H rows and W columns of an image. Sequences and
    images without channels get one.
    """

    shape: tuple[int, ...]
    axes: str = ""
    kind: ClassVar[str] = "array"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Samples (N, *shape) of any numeric type, to (N, F), (N, C, L) or (N, C, H, W)."""
        array = np.asarray(raw)
        if array.dtype.kind not in "biuf":
            raise LabError(f"an array of numbers is needed, not of {array.dtype}")
        if array.shape[1:] != self.shape or not array.ndim:
            raise LabError(f"an array of shape {_shown(self.shape)} is needed, not {_shown(array.shape[1:])}")
        _refuse_infinite(array)
        return arranged(array, self.axes).astype(np.float32, copy=False)

    def as_json(self) -> dict[str, Any]:
        """Shape and axes."""
        return {"kind": self.kind} | asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ArrayEncoding":
        """The encoding that `as_json` described."""
        return cls(tuple(content["shape"]), content["axes"])


def arranged(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """An array with the named axes in the order that the lab's architectures take; a view of it."""
    if not axes:
        return array
    order = ORDERS[axes]
    array = array.transpose([axes.index(name) for name in order])
    return array[:, None] if order in ("NL", "NHW") else array


def _refuse_infinite(array: NDArray[Any]) -> None:
    """Raise LabError, with the place, for values that are no finite numbers."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise LabError(f"x{list(place)} is {array[place]}; an array may hold finite numbers only")


def _shown(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])})"
