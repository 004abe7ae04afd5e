"""The step of a series: found in spite of gaps, counted, continued."""

import numpy as np
import pandas as pd
import pytest

from lab.data.reading.times.steps import TimeStep

FREQUENCIES = {
    "MS": "1 months",
    "ME": "1 months",
    "QS": "3 months",
    "QE": "3 months",
    "YS": "12 months",
    "W": "7 days",
    "D": "1 days",
    "B": "1 business_days",
    "2D": "2 days",
    "30D": "30 days",
    "h": "0.041666667 days",
}


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_a_step_is_found_and_counted_in_spite_of_gaps(freq: str) -> None:
    times = pd.Series(pd.date_range("2019-12-31", periods=40, freq=freq))
    kept = np.setdiff1d(np.arange(40), [3, 4, 11, 30])
    step = TimeStep.of(times[kept])
    assert str(step).startswith(FREQUENCIES[freq][:6])
    assert step.between(times[kept]).tolist() == np.diff(kept).tolist()
    assert TimeStep.parse(str(step)) == step


@pytest.mark.parametrize("freq", [freq for freq in FREQUENCIES if freq != "h"])
def test_dates_continue(freq: str) -> None:
    times = pd.date_range("2019-12-31", periods=40, freq=freq)
    step = TimeStep.of(pd.Series(times[:30]))
    assert step.after(times[29], 10).tolist() == times[30:].tolist()


def test_numbers_count_in_their_own_unit() -> None:
    years = pd.Series([1900.0, 1902.0, 1904.0, 1910.0, 1912.0])
    assert TimeStep.of(years) == TimeStep(2, "numbers")
    assert TimeStep.of(years).between(years).tolist() == [1, 1, 3, 1]
    assert TimeStep.of(years).season() is None


def test_times_that_are_a_little_late_count_as_on_time() -> None:
    late = pd.to_timedelta(np.random.default_rng(0).uniform(0, 10, 500), unit="s")
    times = pd.Series(pd.date_range("2024-01-01", periods=500, freq="min") + late)
    assert TimeStep.of(times).between(times).tolist() == [1] * 499
