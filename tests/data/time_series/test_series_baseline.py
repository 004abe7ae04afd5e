"""The trivial baseline of a series: the better of last value and last season, on the validation split alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.config.sections import Part
from lab.data.time_series.baselines import described
from lab.data.time_series.series import Series
from lab.errors import LabError

STEPS = 120
RANDOM = np.random.default_rng(0)
WALK = RANDOM.normal(size=STEPS).cumsum()
YEAR = 10 * np.sin(2 * np.pi * np.arange(STEPS) / 12) + RANDOM.normal(size=STEPS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def series(y: np.ndarray, freq: str = "MS", **settings: Any) -> Series:
    times = pd.date_range("2010-01-01", periods=len(y), freq=freq)
    pd.DataFrame({"when": times, "y": y}).to_parquet("rows.parquet")
    settings = {"path": "rows.parquet", "window": 24, "horizon": 12, **settings}
    made: Series = Part("data", "series", settings).build(seed=0)
    made.prepare()
    return made


def rmse(y: np.ndarray, back: int) -> float:
    """The error on the validation split, in standard deviations of the training split, by a plain loop."""
    y = y.astype(np.float32).astype(float)
    squares = []
    for first in range(72, 96 - 12 + 1):
        for step in range(12):
            squares.append((y[first - back + step % back] - y[first + step]) ** 2)
    return float(np.sqrt(np.mean(squares)) / y[:72].std())


@pytest.mark.parametrize(
    ("y", "name", "back", "other"), [(YEAR, "last season (12 steps)", 12, 1), (WALK, "last value", 1, 12)]
)
def test_the_better_one_is_chosen_and_both_are_said(y: np.ndarray, name: str, back: int, other: int) -> None:
    data = series(y)
    assert (described(data.baseline_season), data.baseline_season) == (name, back)
    (said,) = [text for subject, text in data.notes if subject == "baseline"]
    assert said.startswith(f"{name}, better on the validation split than last ")
    assert said.endswith(f"RMSE {rmse(y, back):.3g} against {rmse(y, other):.3g} standard deviations")


def test_the_test_split_has_no_say() -> None:
    other = np.concatenate([YEAR[:96], 1e3 * WALK[96:]])
    assert described(series(other).baseline_season) == "last season (12 steps)"


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        ("MS", 12),
        ("ME", 12),
        ("QS", 4),
        ("W", 52),
        ("D", 7),
        ("B", 5),
        ("h", 24),
        ("30min", 48),
        ("min", 60),
        ("YS", 1),
    ],
)
def test_a_season_follows_from_the_time_between_rows(freq: str, season: int) -> None:
    y = np.arange(400) % season + RANDOM.normal(scale=0.01, size=400)
    y = y if season > 1 else RANDOM.normal(size=400).cumsum()
    assert series(y, freq, window=60, horizon=10).baseline_season == season


def test_a_season_can_be_set() -> None:
    y = np.tile(RANDOM.normal(size=9), 20)
    assert described(series(y, season=9).baseline_season) == "last season (9 steps)"
    with pytest.raises(LabError, match=r"data\.season: 30 steps are more than data\.window=24"):
        series(y, season=30)


def test_a_season_longer_than_the_window_is_said() -> None:
    assert ("baseline", "last value; last season needs data.window=12 or more") in series(YEAR, window=6).notes
