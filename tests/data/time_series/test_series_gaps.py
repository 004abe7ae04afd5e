"""Steps without a row or value: found, said, refused or filled; nothing is known before its time."""

from functools import partial

import made_series
import numpy as np
import pandas as pd
import pytest
import torch

from lab.data.time_series.series import Series
from lab.data.time_series.windows import WindowDataset
from lab.errors import LabError

STEPS = 200
WINDOW, HORIZON = 6, 2


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=STEPS).strftime("%Y-%m-%d")
    return pd.DataFrame({"day": days, "y": random.normal(size=STEPS).cumsum(), "x": random.normal(size=STEPS)})


series = partial(made_series.series, window=WINDOW, horizon=HORIZON, targets="y")


def raw_values(data: Series) -> np.ndarray:
    """All channels in their own units, (C, T)."""
    windows = data.splits["train"]
    assert isinstance(windows, WindowDataset)
    return data.input_scale.invert(windows.series).numpy()


def starts(data: Series, split: str) -> list[int]:
    windows = data.splits[split]
    assert isinstance(windows, WindowDataset)
    return windows.starts.tolist()


GAPPY = frame().drop(index=[20, 21, 22, 60])


def test_gaps_are_refused_with_the_row_unless_set() -> None:
    with pytest.raises(LabError) as caught:
        series(GAPPY)
    assert str(caught.value) == (
        "column 'day', row 21: 2020-01-24 follows a gap after row 20, 2020-01-20 (and 1 more); a step is missing: "
        "add it, or set data.gaps: interpolate, ffill, mask or ignore"
    )


def test_gaps_are_filled_and_said() -> None:
    whole = frame()["y"].to_numpy(dtype=np.float32)
    for gaps in ("interpolate", "ffill", "mask"):
        data = series(GAPPY, gaps=gaps)
        assert ("gaps", f"4 of 200 steps have no value, the first after 2020-01-20; gaps: {gaps}") in data.notes
        values = raw_values(data)
        known = np.delete(np.arange(STEPS), [20, 21, 22, 60])
        np.testing.assert_allclose(values[0, known], whole[known], atol=1e-5)
        expected = np.linspace(whole[19], whole[23], 5)[1:-1] if gaps == "interpolate" else [whole[19]] * 3
        np.testing.assert_allclose(values[0, 20:23], expected, atol=1e-5)
        assert values.shape == (2 if gaps == "mask" else 1, STEPS)


def test_with_mask_a_channel_marks_the_filled_steps() -> None:
    data = series(GAPPY, gaps="mask", covariates=["x"])
    assert np.flatnonzero(raw_values(data)[2] > 0.5).tolist() == [20, 21, 22, 60]
    assert data.sizes.input_shape == (3, WINDOW)


def test_missing_values_are_treated_as_gaps() -> None:
    whole = frame()
    empty = whole.assign(y=whole["y"].mask(whole.index.isin([20, 21, 22, 60])))
    with pytest.raises(LabError, match=r"column 'y', row 21: nan is missing .*; a series needs a value at every step"):
        series(empty)
    for gaps in ("interpolate", "ffill", "mask"):
        filled = series(empty, gaps=gaps)
        assert ("gaps", f"4 of 200 steps have no value, the first at 2020-01-21; gaps: {gaps}") in filled.notes
        np.testing.assert_allclose(raw_values(filled)[0], raw_values(series(GAPPY, gaps=gaps))[0], atol=1e-5)


def test_with_ignore_each_row_with_a_value_is_the_next_step() -> None:
    expected = GAPPY["y"].to_numpy(dtype=np.float32)
    np.testing.assert_allclose(raw_values(series(GAPPY, gaps="ignore"))[0], expected, atol=1e-5)
    whole = frame()
    empty = whole.assign(y=whole["y"].mask(whole.index.isin([20, 21, 22, 60])))
    np.testing.assert_allclose(raw_values(series(empty, gaps="ignore"))[0], expected, atol=1e-5)


def test_steps_before_the_first_and_after_the_last_value_are_left_out() -> None:
    whole = frame()
    data = series(whole.assign(y=whole["y"].mask(whole.index.isin([0, 1, STEPS - 1]))), gaps="ffill")
    assert raw_values(data).shape == (1, STEPS - 3)
    assert ("gaps", "3 steps before the first or after the last value are left out") in data.notes


class TestNothingIsKnownBeforeItsTime:
    def test_filled_steps_are_no_targets(self) -> None:
        data = series(GAPPY, gaps="ffill")
        filled = {20, 21, 22, 60}
        expected = [
            first
            for first in range(120 - WINDOW - HORIZON + 1)
            if not filled & set(range(first + WINDOW, first + WINDOW + HORIZON))
        ]
        assert starts(data, "train") == expected
        assert ("gaps", "6 of 191 windows have filled targets and are left out") in data.notes

    def test_a_window_does_not_end_in_a_step_that_was_interpolated_with_its_future(self) -> None:
        ends = {first + WINDOW - 1 for first in starts(series(GAPPY, gaps="interpolate"), "train")}
        assert not ends & {20, 21, 22, 60}
        assert {19, 23} & ends == {23}  # the targets after 19 are filled ones

    def test_nor_in_a_step_at_which_a_covariate_was_interpolated(self) -> None:
        rows = frame().assign(x=frame()["x"].mask(frame().index == 40))
        ends = {first + WINDOW - 1 for first in starts(series(rows, gaps="interpolate", covariates=["x"]), "train")}
        assert {39, 40, 41} & ends == {39, 41}

    def test_a_gap_over_the_end_of_a_split_is_filled_from_before_it(self) -> None:
        gap = frame().drop(index=range(118, 122))  # validation starts at 120
        whole = frame()["y"].to_numpy()
        filled = raw_values(series(gap, gaps="interpolate"))[0, 118:122]
        expected = [whole[117], whole[117], *np.linspace(whole[117], whole[122], 6)[3:5]]
        np.testing.assert_allclose(filled, expected, atol=1e-5)

    def test_changing_the_test_rows_changes_no_training_window(self) -> None:
        rows = frame().drop(index=[118, 119, 120, 158, 159, 160, 161])
        other = rows.assign(y=rows["y"].where(rows.index < 160, 1e3))
        for gaps in ("interpolate", "ffill", "mask"):
            first, second = series(rows, gaps=gaps), series(other, gaps=gaps)
            for split in ("train", "val"):
                assert starts(first, split) == starts(second, split)
                indices = torch.arange(len(starts(first, split)))
                for one, two in zip(
                    first.splits[split].batch(indices),  # type: ignore[attr-defined]
                    second.splits[split].batch(indices),  # type: ignore[attr-defined]
                    strict=True,
                ):
                    assert torch.equal(one, two)


def test_most_steps_missing_is_said_to_be_in_the_scores() -> None:
    rows = frame().iloc[::2].drop(index=4)  # a day of two, but the step is found to be two days
    assert raw_values(series(rows, gaps="ffill")).shape == (1, 100)
    sparse = frame().drop(index=[n for n in range(STEPS) if n % 4 == 2])
    said = "train: most forecasts reach into a gap; scores include filled steps"
    assert ("gaps", said) in series(sparse, gaps="ffill", horizon=8).notes


def test_a_forecast_from_rows_with_gaps_fills_them_as_in_training() -> None:
    data = series(GAPPY, gaps="mask")
    ending = frame().iloc[190:].drop(index=[195, 196])
    window = data.encoding.encode(ending)[0]
    y = frame()["y"].to_numpy(dtype=np.float32)
    np.testing.assert_allclose(window[0], [y[194], y[194], y[194], *y[197:]][-WINDOW:], atol=1e-6)
    assert window[1].tolist() == [0, 1, 1, 0, 0, 0]
    shuffled = ending.sample(frac=1, random_state=1)
    assert np.array_equal(data.encoding.encode(shuffled)[0], window)
