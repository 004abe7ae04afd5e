"""Encoding of time series: the last steps of the columns."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import numbers, refuse
from lab.data.reading import times
from lab.errors import LabError, did_you_mean


@dataclass(frozen=True)
class SeriesEncoding:
    """`window` past steps of `columns`, targets first, from which the next `horizon` steps are forecast.

    `time` is the time column, if any; with `gaps` every row counts as the next step.
    """

    columns: tuple[str, ...]
    window: int
    horizon: int
    time: str | None = None
    gaps: bool = False
    kind: ClassVar[str] = "series"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """The last rows of a table, oldest first, as one window (1, C, window); or an array (N, C, window) of windows.

        Raises LabError, with column and row, for missing values and for times out of order.
        """
        if not isinstance(raw, pd.DataFrame):
            return self._windows(np.asarray(raw))
        missing = [name for name in self.columns if name not in raw.columns]
        if missing:
            given = [str(name) for name in raw.columns]
            raise LabError(*[f"no column '{name}' in the data; {did_you_mean(name, given)}" for name in missing])
        if len(raw) < self.window:
            raise LabError(f"{len(raw)} rows are too few; a forecast needs the last {self.window} steps")
        if self.time in raw.columns:
            times.check_regular(times.to_timestamps(raw[self.time]), str(self.time), self.gaps)
        return series_values(raw, self.columns)[None, :, -self.window :]

    def _windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        expected = (len(self.columns), self.window)
        if windows.shape[1:] != expected or windows.dtype.kind not in "biuf":
            raise LabError(f"windows (N, {expected[0]}, {expected[1]}) of numbers are expected, not {windows.shape}")
        return windows.astype(np.float32, copy=False)

    def as_json(self) -> dict[str, Any]:
        """All fields, as JSON types."""
        return {"kind": self.kind} | asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "SeriesEncoding":
        """The encoding that `as_json` described."""
        settings = {name: value for name, value in content.items() if name not in ("kind", "columns")}
        return cls(tuple(content["columns"]), **settings)


def series_values(frame: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.float32]:
    """Columns of a table as (C, T); raises LabError for a value that is missing or not a number."""
    for name in columns:
        refuse(frame[name].isna(), frame[name], "is missing", "a series needs a value at every step; fill it in")
    return np.stack([numbers(frame[name]) for name in columns])
