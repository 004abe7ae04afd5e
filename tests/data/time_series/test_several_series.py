"""Several series below each other in one file (long format): one model, no window across two of them."""

from functools import partial

import made_series
import numpy as np
import pandas as pd
import pytest

from lab.data.time_series.series import Series
from lab.data.time_series.windows import WindowDataset
from lab.errors import LabError
from lab.scaffold.inspection import inspect

WINDOW, HORIZON = 6, 2
LENGTHS = {"Bergen": 80, "Oslo": 100}


def frame() -> pd.DataFrame:
    """Sales that are 1000 · number of the store + step."""
    stores = [
        pd.DataFrame(
            {
                "store": name,
                "month": pd.date_range("2010-01-01", periods=length, freq="MS").strftime("%Y-%m"),
                "sales": 1000.0 * number + np.arange(length),
            }
        )
        for number, (name, length) in enumerate(LENGTHS.items())
    ]
    return pd.concat(stores).sample(frac=1, random_state=0)


series = partial(made_series.series, window=WINDOW, horizon=HORIZON, series="store")


def windows(data: Series, split: str) -> np.ndarray:
    """Past and next steps of all windows of a split, in their own units, (N, window + horizon)."""
    dataset = data.splits[split]
    assert isinstance(dataset, WindowDataset)
    x, y = dataset.batch(np.arange(len(dataset)))  # type: ignore[arg-type]
    assert data.target_scale is not None
    return np.hstack([data.input_scale.invert(x)[:, 0].numpy(), data.target_scale.invert(y).numpy()])


def test_each_series_is_split_by_time_and_no_window_has_steps_of_two() -> None:
    data = series(frame())
    assert ("series", "2 by 'store', one model for all") in data.notes
    for split, (first, last) in {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}.items():
        expected = []
        for number, length in enumerate(LENGTHS.values()):  # a plain loop over all windows
            for target in range(WINDOW, length - HORIZON + 1):
                if first * length <= target and target + HORIZON <= last * length:
                    expected.append(1000 * number + np.arange(target - WINDOW, target + HORIZON))
        np.testing.assert_allclose(windows(data, split), np.array(expected), atol=1e-2)


def test_the_scaling_is_that_of_all_training_steps() -> None:
    train = np.concatenate([1000.0 * n + np.arange(length * 0.6) for n, length in enumerate(LENGTHS.values())])
    data = series(frame())
    np.testing.assert_allclose(data.input_scale.mean.item(), train.mean(), rtol=1e-5)
    np.testing.assert_allclose(data.input_scale.std.item(), train.std(), rtol=1e-5)


def test_series_that_are_too_short_are_left_out_and_said() -> None:
    rows = frame()
    short = pd.DataFrame({"store": "Moss", "month": ["2010-01", "2010-02"], "sales": [1.0, 2.0]})
    data = series(pd.concat([rows, short]))
    assert ("series", "1 too short for a window, left out: Moss") in data.notes
    assert len(windows(data, "train")) == len(windows(series(rows), "train"))


def test_mistakes_are_refused() -> None:
    for rows, settings, message in (
        (frame(), {"series": "stor"}, "data.series: no column 'stor'; did you mean store?"),
        (frame(), {"series": None}, "; set data.series: store if it names several series"),
        (pd.concat([frame(), frame().head(1)]), {}, "is the same time as row 1"),
        (frame().assign(store=frame()["store"].mask(frame()["sales"] == 5.0)), {}, "the name of the series is missing"),
        (frame(), {"window": 200}, "200 past and 2 next steps do not fit into splits of 60, 20 and 20 steps"),
    ):
        with pytest.raises(LabError) as caught:
            series(rows, **settings)
        assert message in str(caught.value)


def test_lab_new_finds_the_column_that_names_the_series() -> None:
    frame().to_csv("stores.csv", index=False)
    found = inspect("stores.csv", None, None, {})
    assert {name: found.settings[name] for name in ("kind", "time", "series")} == {
        "kind": "series",
        "time": "month",
        "series": "store",
    }
    assert "gaps" not in found.settings


def test_windows_to_forecast_from_are_the_last_ones_of_each_series() -> None:
    encoded = series(frame()).encoding.encode(frame())
    assert encoded.tolist() == [[list(range(74, 80))], [list(range(1094, 1100))]]
    one = series(frame()).encoding.encode(frame()[frame()["store"] == "Oslo"])
    assert one.tolist() == [[list(range(1094, 1100))]]
