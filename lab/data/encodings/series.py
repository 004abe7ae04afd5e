"""Encoding of time series: the last steps of the columns, of each series."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import numbers, refuse
from lab.data.reading.times import columns as times
from lab.data.reading.times.parts import JoinedTime
from lab.data.reading.times.regular_steps import Arranged, Gaps, arrange, by_series, fill
from lab.data.reading.times.steps import TimeStep
from lab.errors import LabError, did_you_mean


@dataclass(frozen=True)
class SeriesEncoding:
    """`window` past steps of `columns`, targets first, from which the next `horizon` steps are forecast.

    `time` is the time column, if any, in `format` (None: inferred), with `step` between rows (None: inferred); it is
    joined from `parts` if these are columns of their own. `gaps` says what is done about steps without a value.
    `series` is the column that names the series, if there are several. `text_encoding` is that which was set for the
    file, "auto" if none was. The first `targets` columns are forecast; the last ones, `known_ahead`, are known for the
    next steps, and have a second channel with their values `horizon` steps later.
    """

    columns: tuple[str, ...]
    window: int
    horizon: int
    time: str | None = None
    gaps: Gaps = "refuse"
    series: str | None = None
    format: str | None = None
    step: str | None = None
    text_encoding: str = "auto"
    parts: JoinedTime | None = None
    known_ahead: tuple[str, ...] = ()
    targets: int = 0  # 0 in encodings of version 0.5, which had no columns known ahead
    kind: ClassVar[str] = "series"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """The last steps of each series in a table, as windows (S, C, window); or an array (N, C, window) of windows.

        Rows are sorted by time. Raises LabError, with column and row, for missing values and gaps if they are refused.
        """
        if not isinstance(raw, pd.DataFrame):
            return self._windows(np.asarray(raw))
        return np.stack([self._last_window(rows, name) for name, rows in self._ordered(raw)])

    @property
    def channels(self) -> list[str]:
        """The names of the channels of a window."""
        ahead = [f"{name}, {self.horizon} steps ahead" for name in self.known_ahead]
        return [*self.columns, *(["missing values"] if self.gaps == "mask" else []), *ahead]

    def split(self, raw: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of each series with its name, "" if there is one, oldest first if they have times, up to now."""
        for name, rows in self._ordered(raw):
            yield name, rows.iloc[: self._now(rows)]

    def _now(self, rows: pd.DataFrame) -> int:
        return rows_until_now(rows, self.columns[: self.targets]) if self.known_ahead else len(rows)

    def _ordered(self, raw: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The same with the rows of the steps to forecast, for what is known ahead."""
        times_of = self.parts.columns if self.parts and not raw.columns.intersection(self.parts.columns).empty else []
        needed = [*self.columns, *([self.series] if self.series else []), *times_of]
        missing = [name for name in needed if name not in raw.columns]
        if missing:
            given = [str(name) for name in raw.columns]
            raise LabError(*[f"no column '{name}' in the data; {did_you_mean(name, given)}" for name in missing])
        raw = raw.reset_index(drop=True)
        for name, rows in by_series(self.parts.joined(raw) if self.parts and times_of else raw, self.series):
            yield name, rows.iloc[self._arranged(rows).order] if self.time in rows.columns else rows

    def _arranged(self, rows: pd.DataFrame) -> Arranged:
        moments = times.to_timestamps(rows[self.time], self.format)
        return arrange(moments, self.gaps, TimeStep.parse(self.step) if self.step else None)

    def _last_window(self, rows: pd.DataFrame, name: str) -> NDArray[np.float32]:
        now = self._now(rows)
        past = self._past(rows.iloc[:now], name)
        if not self.known_ahead:
            return past
        known = past[len(self.columns) - len(self.known_ahead) : len(self.columns)]
        return np.concatenate([past, np.hstack([known, self._future(rows, now, name)])[:, -self.window :]])

    def _future(self, rows: pd.DataFrame, now: int, name: str) -> NDArray[np.float32]:
        """What is known of the next steps, (K, horizon)."""
        timed = self.time in rows.columns
        steps = self._arranged(rows).positions if timed else np.arange(len(rows))
        ahead = steps[now:] - steps[now - 1] - 1
        given = rows.iloc[now:][ahead < self.horizon]
        values = np.full((len(self.known_ahead), self.horizon), np.nan, dtype=np.float32)
        values[:, ahead[ahead < self.horizon]] = [numbers(given[column]) for column in self.known_ahead]
        if missing := int(np.isnan(values).any(axis=0).sum()):
            after = f" after {self.time} {times.formatted(rows[self.time].iloc[now - 1])}" if timed else ""
            of = f" of {self.series} {name}" if name else ""
            raise LabError(
                f"a forecast needs {', '.join(self.known_ahead)} for the next {self.horizon} steps{of}, in rows{after} "
                f"in which {', '.join(self.columns[: self.targets])} are empty; {missing} are missing"
            )
        return values

    def _past(self, rows: pd.DataFrame, name: str) -> NDArray[np.float32]:
        values = series_values(rows, self.columns, self.gaps)
        if self.time in rows.columns:
            values = self._arranged(rows).on_grid(values)
        if self.gaps == "ignore":
            values = values[:, ~np.isnan(values).any(axis=0)]
        if values.shape[1] < self.window:
            of = f" of {self.series} {name}" if name else ""
            raise LabError(f"{values.shape[1]} rows{of} are too few; a forecast needs the last {self.window} steps")
        if (empty := np.isnan(values).all(axis=1)).any():
            raise LabError(f"column '{self.columns[int(empty.argmax())]}' has no value in any row")
        return fill(values, self.gaps, [(0, values.shape[1])])[:, -self.window :]

    def _windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        expected = (len(self.channels), self.window)
        if windows.shape[1:] != expected or windows.dtype.kind not in "biuf":
            raise LabError(f"windows (N, {expected[0]}, {expected[1]}) of numbers are expected, not {windows.shape}")
        return windows.astype(np.float32, copy=False)

    def as_json(self) -> dict[str, Any]:
        """All fields, as JSON types."""
        parts = self.parts.as_json() if self.parts else None
        lists = {"columns": list(self.columns), "known_ahead": list(self.known_ahead)}
        return {"kind": self.kind} | asdict(self) | lists | {"parts": parts}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "SeriesEncoding":
        """The encoding that `as_json` described; version 0.1 wrote `gaps` as a boolean."""
        settings = {name: value for name, value in content.items() if name not in ("kind", "columns")}
        if isinstance(settings.get("gaps"), bool):
            settings["gaps"] = "ignore" if settings["gaps"] else "refuse"
        settings["known_ahead"] = tuple(settings.get("known_ahead", ()))
        if settings.get("parts"):
            settings["parts"] = JoinedTime.from_json(settings["parts"])
        return cls(tuple(content["columns"]), **settings)


def rows_until_now(rows: pd.DataFrame, targets: Sequence[str]) -> int:
    """The number of ordered rows up to the last one with a value of a target; raises LabError if none has one."""
    known = np.flatnonzero(np.logical_or.reduce([~np.isnan(numbers(rows[name])) for name in targets]))
    if not len(known):
        raise LabError(f"{', '.join(targets)}: no row has a value")
    return int(known[-1]) + 1


def series_values(frame: pd.DataFrame, columns: tuple[str, ...], gaps: Gaps = "refuse") -> NDArray[np.float32]:
    """Columns of a table as (C, N), NaN where a value is missing.

    Raises LabError for a value that is no number, or that is missing while gaps are refused.
    """
    values = np.stack([numbers(frame[name]) for name in columns])
    if gaps == "refuse":
        for name, column in zip(columns, values, strict=True):
            remedy = "a series needs a value at every step; fill it in, or set data.gaps: interpolate, ffill or mask"
            refuse(pd.Series(np.isnan(column)), frame[name], "is missing", remedy)
    return values
