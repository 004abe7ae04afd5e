"""Time series: windows of past steps to the next ones, split by time; the base of data modules for series."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lab.data.base import SPLITS, DataModule, Split, Task
from lab.data.encodings.series import SeriesEncoding
from lab.data.preparation import Scale, fingerprint
from lab.data.reading.times.parts import JoinedTime
from lab.data.reading.times.regular_steps import Gaps, fill
from lab.data.sizes import RelativeToLastValue, Sizes
from lab.data.time_series import baselines
from lab.data.time_series.windows import WindowDataset, window_starts
from lab.errors import LabError

LEAST_KNOWN = 0.5  # share of a split's windows without filled targets from which the others are left out
Bounds = dict[Split, tuple[int, int]]


@dataclass(frozen=True)
class Steps:
    """Series in time order with the names of their channels; the first `targets` channels are forecast.

    `values` (C, T) holds one series, or several one after the other with their `lengths`; NaN is a gap, which is filled
    as `gaps` says. For the encoding: `time` and `series` are columns of the file, `format` and `step` those of the
    times, `parts` the columns that the time was joined from, `text_encoding` that set for the file. `season` is a
    number of steps, None if unknown. `times` (T,) and `series_names` say where a step is. The last `known_ahead`
    channels are known for the steps to forecast, too.
    """

    values: NDArray[Any]
    names: tuple[str, ...]
    targets: int = 1
    time: str | None = None
    gaps: Gaps = "refuse"
    lengths: tuple[int, ...] = ()
    series: str | None = None
    format: str | None = None
    step: str | None = None
    season: int | None = None
    text_encoding: str = "auto"
    times: NDArray[Any] | None = None
    series_names: tuple[str, ...] = ()
    parts: JoinedTime | None = None
    known_ahead: int = 0


class SeriesDataModule(DataModule):
    """Windows (N, C, window) of past steps, to the next `horizon` steps of each target (N, targets · horizon).

    Each series is split by time: training, validation, test; no window has steps of two series. With `relative` the
    architecture sees each channel relative to its last value and forecasts the difference from those of the targets.
    (With three covariates of quarterly US data, statsmodels' macrodata, relative covariates gave a test RMSE of 0.93
    for unemp, 1.29 for tbilrate and 153 for realinv; absolute ones 1.14, 1.40 and 176; none 0.66, 1.16 and 159.)
    The trivial baseline is the better, on the validation split, of the last value and the last season. Columns that are
    known ahead have two channels, as they are: their values of the past steps, and, the last ones of all, those
    `horizon` steps later. A subclass only needs to implement `read`.
    """

    task: Task = "forecasting"
    times: NDArray[Any] | None = None  # (T,) of each step
    lengths: tuple[int, ...] = ()  # of the series, one after the other
    series_names: tuple[str, ...] = ()
    seasons: tuple[int, ...] = (baselines.LAST_VALUE,)  # of the forecasts without a model

    def __init__(
        self,
        window: int,
        horizon: int,
        relative: bool,
        batch_size: int,
        val_fraction: float,
        test_fraction: float,
        num_workers: int,
        seed: int,
    ):
        super().__init__(batch_size, val_fraction, num_workers, seed)
        self.window = window
        self.horizon = horizon
        self.relative = relative
        self.test_fraction = test_fraction

    @abstractmethod
    def read(self) -> Steps:
        """All series."""

    def _prepare(self) -> None:
        steps = self.read()
        self.fingerprint = fingerprint(steps.values)
        self.times, self.lengths, self.series_names = steps.times, steps.lengths, steps.series_names
        self.targets = steps.targets
        self.correlated = self.window + self.horizon
        self.encoding = SeriesEncoding(
            steps.names,
            self.window,
            self.horizon,
            steps.time,
            steps.gaps,
            steps.series,
            steps.format,
            steps.step,
            steps.text_encoding,
            steps.parts,
            steps.names[len(steps.names) - steps.known_ahead :],
            steps.targets,
        )
        self.target_names = tuple(
            f"{name} +{step}" for name in steps.names[: self.targets] for step in range(1, self.horizon + 1)
        )
        parts = list(self._parts(steps))
        series = torch.from_numpy(np.concatenate([part.values for part in parts], axis=1))
        for split in SPLITS:
            self.split_indices[split] = np.concatenate([np.arange(*part.span(split)) for part in parts])
        self.input_scale, self.target_scale = self._scales(series[:, torch.from_numpy(self.split_indices["train"])])
        if steps.known_ahead:
            series = self._with_ahead(series, slice(len(steps.names) - steps.known_ahead, len(steps.names)), parts)
        series = self.input_scale.apply(series)
        for split, starts in self._starts(parts, steps.gaps).items():
            self.splits[split] = WindowDataset(series, self.window, self.horizon, starts, self.targets)
        self.sizes = Sizes((len(series), self.window), self.targets * self.horizon)
        self.input_adapter = (
            RelativeToLastValue(self.targets, self.horizon, len(steps.names) - steps.known_ahead)
            if self.relative
            else None
        )
        self._choose_baseline(steps.season)

    def _with_ahead(self, series: torch.Tensor, known: slice, parts: list["_Part"]) -> torch.Tensor:
        """Series (C, T) and the `known` channels `horizon` steps later, in the same scale.

        The last steps of a series repeat its last value; no window has them.
        """
        later = [
            (np.arange(first, last) + self.horizon).clip(max=last - 1) for first, last in (p.whole() for p in parts)
        ]
        scale = self.input_scale
        self.input_scale = Scale(*(torch.cat([each, each[known]]) for each in (scale.mean, scale.std)))
        return torch.cat([series, series[known][:, torch.from_numpy(np.concatenate(later))]])

    def _parts(self, steps: Steps) -> Iterator["_Part"]:
        """Each series with its gaps filled, and the bounds of its splits."""
        values = np.asarray(steps.values, dtype=np.float32)
        first = 0
        for length in steps.lengths or (values.shape[1],):
            own = values[:, first : first + length]
            bounds = self._bounds(length)
            filled = np.isnan(own[: steps.targets]).sum(axis=0) > 0
            any_filled = np.isnan(own).sum(axis=0) > 0
            if np.isnan(own).any() and steps.gaps in ("refuse", "ignore"):
                raise LabError(f"data: {type(self).__name__}.read() gives missing values; set gaps of its Steps")
            yield _Part(fill(own, steps.gaps, list(bounds.values())), filled, any_filled, bounds, first)
            first += length

    def _starts(self, parts: list["_Part"], gaps: Gaps) -> dict[Split, torch.Tensor]:
        """The first steps of the windows of each split, without those that cannot be scored honestly.

        A window that ends in an interpolated step would know a value of its own future. Filled targets are no true
        values; the windows that have some are left out, unless these are most of a split.
        """
        found, left_out, total = {}, 0, 0
        for split in SPLITS:
            starts = torch.cat([part.starts(split, self.window, self.horizon) for part in parts])
            filled = np.concatenate([part.filled for part in parts])
            ends = starts.numpy() + self.window
            if gaps == "interpolate":
                honest = ~np.concatenate([part.any_filled for part in parts])[ends - 1]
                starts, ends = starts[torch.from_numpy(honest)], ends[honest]
            known = np.stack([filled[ends + step] for step in range(self.horizon)]).sum(axis=0) == 0
            total += len(known)
            if known.mean() >= LEAST_KNOWN:
                left_out += int((~known).sum())
                starts = starts[torch.from_numpy(known)]
            else:
                self.notes.append(("gaps", f"{split}: most forecasts reach into a gap; scores include filled steps"))
            if not len(starts):
                raise LabError(f"data.gaps: too many gaps in the {split} split; set data.gaps: ignore")
            found[split] = starts
        if left_out:
            self.notes.append(("gaps", f"{left_out:,} of {total:,} windows have filled targets and are left out"))
        return found

    def _choose_baseline(self, season: int | None) -> None:
        """Choose the trivial baseline by its squared error on the validation split."""
        val = self.splits["val"]
        assert isinstance(val, WindowDataset)
        candidates = [baselines.LAST_VALUE, *([season] if season and 1 < season <= self.window else [])]
        errors = {each: self._error(val, each) for each in candidates}
        self.seasons = tuple(candidates)
        self.baseline_season = min(errors, key=errors.__getitem__)
        if len(errors) > 1:
            other = next(each for each in errors if each != self.baseline_season)
            chosen = baselines.described(self.baseline_season)
            better, worse = (f"{errors[each] ** 0.5:.3g}" for each in (self.baseline_season, other))
            self.notes.append(
                (
                    "baseline",
                    f"{chosen}, better on the validation split than {baselines.described(other)}: "
                    f"RMSE {better} against {worse} standard deviations",
                )
            )
        elif season and season > self.window:
            self.notes.append(("baseline", f"last value; last season needs data.window={season} or more"))

    def _error(self, windows: WindowDataset, season: int) -> float:
        """The mean squared error of a baseline."""
        total = 0.0
        for indices in torch.arange(len(windows)).split(4_096):
            x, y = windows.batch(indices)
            forecast = baselines.seasonal(x, self.targets, self.horizon, season)
            total += float((forecast - y).double().square().sum())
        return total / (len(windows) * self.targets * self.horizon)

    def _scales(self, train: torch.Tensor) -> tuple[Scale, Scale]:
        """Statistics of the channels (C, 1), and the same for each output (targets · horizon,)."""
        scale = Scale.fit(train.T)
        channels = Scale(scale.mean[:, None], scale.std[:, None])
        outputs = (part[: self.targets].repeat_interleave(self.horizon) for part in (scale.mean, scale.std))
        return channels, Scale(*outputs)

    def _bounds(self, steps: int) -> Bounds:
        """First and last (exclusive) step of each split; raises LabError if a split is too short for a window."""
        test = steps - round(steps * self.test_fraction)
        val = test - round(steps * self.val_fraction)
        if not self.fits(steps):
            raise LabError(
                f"data.window, data.horizon: {self.window} past and {self.horizon} next steps do not fit into "
                f"splits of {val}, {test - val} and {steps - test} steps; make them shorter"
            )
        return {"train": (0, val), "val": (val, test), "test": (test, steps)}

    def fits(self, steps: int) -> bool:
        """Whether each split of so many steps has room for a window."""
        test = steps - round(steps * self.test_fraction)
        val = test - round(steps * self.val_fraction)
        return min(val - self.window, test - val, steps - test) >= self.horizon


@dataclass(frozen=True)
class _Part:
    """One series (C, T), its steps (T,) with filled targets and with any filled channel, the bounds of its splits.

    `offset` is its place among all series.
    """

    values: NDArray[np.float32]
    filled: NDArray[np.bool_]
    any_filled: NDArray[np.bool_]
    bounds: Bounds
    offset: int

    def whole(self) -> tuple[int, int]:
        """First and last (exclusive) step, counted over all series."""
        return self.offset, self.offset + self.values.shape[1]

    def span(self, split: Split) -> tuple[int, int]:
        """First and last (exclusive) step of a split, counted over all series."""
        first, last = self.bounds[split]
        return self.offset + first, self.offset + last

    def starts(self, split: Split, window: int, horizon: int) -> torch.Tensor:
        """The first steps of the windows whose targets are in a split."""
        return window_starts(*self.span(split), window, horizon, self.offset)
