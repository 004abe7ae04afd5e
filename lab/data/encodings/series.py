"""A series as a network takes it: the last steps of its columns."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.table import numbers, refuse
from lab.data.reading import times
from lab.errors import LabError, did_you_mean


@dataclass(frozen=True)
class SeriesEncoding:
    """`window` steps of `columns`, those to be forecast first, from which the `horizon` next are told.

    `time` is the column of times, None where there is none; `gaps` says whether each row is simply the next step.
    """

    columns: tuple[str, ...]
    window: int
    horizon: int
    time: str | None = None
    gaps: bool = False
    kind: ClassVar[str] = "series"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """The last steps of a table, oldest first, to one window (1, C, window); windows (N, C, window) as they are.

        Raises LabError, with column and row, where something is missing or not in order.
        """
        if not isinstance(raw, pd.DataFrame):
            return self._windows(np.asarray(raw))
        lacking = [name for name in self.columns if name not in raw.columns]
        if lacking:
            given = [str(name) for name in raw.columns]
            raise LabError(*[f"no column '{name}' in the data; {did_you_mean(name, given)}" for name in lacking])
        if len(raw) < self.window:
            raise LabError(f"{len(raw)} rows are too few; a forecast takes the last {self.window} steps")
        if self.time in raw.columns:
            times.check_regular(times.moments(raw[self.time]), str(self.time), self.gaps)
        return series_values(raw, self.columns)[None, :, -self.window :]

    def _windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        expected = (len(self.columns), self.window)
        if windows.shape[1:] != expected or windows.dtype.kind not in "biuf":
            raise LabError(f"windows (N, {expected[0]}, {expected[1]}) of numbers are needed, not {windows.shape}")
        return windows.astype(np.float32, copy=False)

    def as_json(self) -> dict[str, Any]:
        """Columns, window, horizon and times."""
        return {"kind": self.kind} | asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "SeriesEncoding":
        """The encoding that `as_json` described."""
        settings = {name: value for name, value in content.items() if name not in ("kind", "columns")}
        return cls(tuple(content["columns"]), **settings)


def series_values(frame: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.float32]:
    """Columns of a table as (C, T); raises LabError where a value is missing or no number."""
    for name in columns:
        refuse(frame[name].isna(), frame[name], "is missing", "a series has a value at every step; fill it in")
    return np.stack([numbers(frame[name]) for name in columns])
