"""Parallel coordinates draw every row, also where a setting is conditional."""

import numpy as np
import pandas as pd
import pytest

from dashboard.figures.parallel import UNSET, parallel_coordinates

TRIALS = pd.DataFrame(
    {
        "optimizer.kind": ["sgd", "adam", "sgd", None],
        "optimizer.momentum": [0.9, np.nan, 0.5, np.nan],
        "optimizer.lr": [1e-4, 1e-3, 1e-2, 1e-1],
        "model.hidden": [16, 32, 64, 128],
        "value": [0.1, 0.2, 0.3, 0.4],
    }
)


@pytest.fixture
def axes() -> dict[str, dict]:  # type: ignore[type-arg]
    figure = parallel_coordinates(TRIALS, "value").figure
    return {each.label: each for each in figure.data[0].dimensions}


def test_no_row_is_left_out(axes: dict) -> None:  # type: ignore[type-arg]
    assert all(np.isfinite(axis.values).all() and len(axis.values) == 4 for axis in axes.values())


def test_a_setting_that_is_not_set_has_a_tick_of_its_own_below_all_others(axes: dict) -> None:  # type: ignore[type-arg]
    for name, unset in (("momentum", [1, 3]), ("kind", [3])):
        axis = axes[name]
        at = dict(zip(axis.ticktext, axis.tickvals, strict=True))[UNSET]
        assert [row for row, value in enumerate(axis.values) if value == at] == unset
        assert at < min(value for row, value in enumerate(axis.values) if row not in unset)
    assert UNSET not in axes["hidden"].ticktext


def test_settings_over_decades_are_on_a_logarithmic_axis(axes: dict) -> None:  # type: ignore[type-arg]
    assert axes["lr"].values == pytest.approx([-4, -3, -2, -1])
    assert axes["lr"].ticktext == ("0.0001", "0.001", "0.01", "0.1")
    assert list(axes["hidden"].values) == [16, 32, 64, 128]


def test_columns_of_nothing_or_of_one_value() -> None:
    frame = pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, 1.0], "c": [None, None], "value": [0.0, 1.0]})
    for axis in parallel_coordinates(frame, "value").figure.data[0].dimensions:
        assert np.isfinite(axis.values).all()
        assert len(axis.tickvals) == len(axis.ticktext) >= 1
