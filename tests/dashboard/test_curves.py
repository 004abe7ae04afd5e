"""Curves: their arithmetic, and how they are drawn."""

import math

import numpy as np
import pandas as pd
import pytest

from dashboard.compare import comparison
from dashboard.figures import curve_math, group_curves
from dashboard.figures.chart import HEIGHT, colour, dash
from dashboard.figures.curves import Line, curve_chart


def test_downsampling_keeps_both_ends_and_every_extreme() -> None:
    y = np.sin(np.linspace(0, 60, 30_000))
    y[12_345], y[20_001], y[777] = 50.0, -50.0, np.nan
    indices = curve_math.downsample(y, 320)
    assert len(indices) <= 321
    assert {0, 29_999, 12_345, 20_001, 777} <= set(indices)
    assert list(curve_math.downsample(y[:300], 320)) == list(range(300))


@pytest.mark.parametrize("y", [[], [np.nan] * 500, [np.inf] * 500, [1.0] * 500, [1.0, *[np.nan] * 499]])
def test_downsampling_of_degenerate_curves(y: list[float]) -> None:
    indices = curve_math.downsample(np.array(y), 100)
    assert len(indices) <= 202
    assert len(set(indices)) == len(indices)


def test_a_smaller_range_shows_more_points() -> None:
    data = pd.DataFrame({"x": np.arange(30_000.0), "y": np.random.default_rng(0).normal(size=30_000)})
    whole = curve_chart([Line("a", data, 0)], "loss", "step")
    assert whole.notes[0].endswith("of 30,000 points")
    part = curve_chart([Line("a", data[data["x"] < 500], 0)], "loss", "step")
    assert part.notes == ()
    assert len(part.figure.data[0].x) == 500


def test_nan_and_infinity_are_gaps_with_markers() -> None:
    data = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [1.0, np.nan, np.inf, 0.5]})
    chart = curve_chart([Line("a", data, 0)], "loss", "step")
    line, markers = chart.figure.data
    assert np.isnan(line.y[[1, 2]]).all()
    assert list(markers.x) == [2, 3]
    assert list(markers.text) == ["NaN", "∞"]
    assert list(markers.y) == [1.0, 1.0]
    empty = curve_chart([Line("a", data.assign(y=np.nan), 0)], "loss", "step")
    assert "no finite value at all: a" in empty.notes


def test_a_log_axis_reports_what_it_cannot_show() -> None:
    data = pd.DataFrame({"x": [1.0, 2], "y": [0.0, 1.0]})
    assert "1 value of 0 or less cannot" in curve_chart([Line("a", data, 0)], "loss", "step", log=True).notes[0]


def test_lines_differ_in_colour_or_dash() -> None:
    styles = [(colour(style), dash(style)) for style in range(40)]
    assert len(set(styles)) == 40
    assert len({dash(style) for style in range(6)}) == 6


def test_smoothing_is_unbiased_and_keeps_nan() -> None:
    y = np.array([2.0, 2.0, np.nan, 2.0, np.inf, 2.0])
    smoothed = curve_math.smooth(y, 0.9)
    assert smoothed[[0, 1, 3, 5]] == pytest.approx([2.0] * 4)
    assert math.isnan(smoothed[2])
    assert smoothed[4] == np.inf
    assert curve_math.smooth(y, 0.0) is y


def test_gaussian_smoothing_does_not_lag_and_leaves_nan_in_place() -> None:
    line = np.arange(101.0)
    smooth = curve_math.smooth(line, 0.8, "Gaussian")
    assert smooth[50] == pytest.approx(50.0)
    assert curve_math.smooth(line, 0.8)[50] == pytest.approx(46.0, abs=0.01)  # the average lags 0.8 / 0.2 points
    line[50] = np.nan
    holed = curve_math.smooth(line, 0.8, "Gaussian")
    assert np.isnan(holed[50])
    weights = np.exp(-0.5 * ((np.arange(101) - 49) / 4.0) ** 2)
    weights[50] = 0.0
    assert holed[49] == pytest.approx(np.nansum(weights * line) / weights.sum(), abs=1e-3)


def test_any_metric_and_the_date_can_be_the_x_axis() -> None:
    def history(metric: str, steps: list[int], values: list[float]) -> pd.DataFrame:
        times = [1_000 * step for step in steps]
        return pd.DataFrame({"metric": metric, "step": steps, "time": times, "value": values})

    loss, accuracy = history("loss", [1, 2, 3], [3.0, 2.0, 1.0]), history("accuracy", [1, 3], [0.5, 0.9])
    curve = curve_math.build_curve(accuracy, "loss", 0.0, loss)
    assert curve.to_numpy().tolist() == [[1.0, 0.9], [3.0, 0.5]]
    assert curve_math.build_curve(accuracy, "date", 500.0, loss)["x"].tolist() == [1_000.0, 3_000.0]
    assert curve_math.build_curve(accuracy, "wall time", 500.0, loss)["x"].tolist() == [0.5, 2.5]


def test_the_band_is_a_t_interval() -> None:
    seeds = [pd.DataFrame({"x": [1.0, 2.0], "y": [value, value]}) for value in (1.0, 2.0, 3.0)]
    seeds[0].loc[1, "y"] = np.nan
    band = group_curves.mean_with_band(seeds)
    assert list(band["n"]) == [3, 2]
    assert band["y"].tolist() == [2.0, 2.5]
    assert band["high"][0] - 2.0 == pytest.approx(4.30265 / math.sqrt(3), rel=1e-4)
    alone = group_curves.mean_with_band(seeds[1:2])
    assert alone["low"].isna().all()


def test_wall_times_are_resampled() -> None:
    one = pd.DataFrame({"x": [0.1, 1.1, 2.1], "y": [0.0, 1.0, 2.0]})
    other = pd.DataFrame({"x": [0.2, 1.3], "y": [0.0, 1.0]})
    common = group_curves.resample_to_common_x([one, other])
    assert np.array_equal(common[0]["x"], common[1]["x"])
    assert np.nanmax(common[1]["y"]) <= 1.0


def test_epochs_of_per_step_metrics_follow_from_their_times() -> None:
    history = pd.DataFrame({"metric": "train/loss_step", "step": [5, 10], "time": [1_500, 2_500], "value": [1.0, 2.0]})
    clocks = pd.DataFrame({"metric": "seconds_per_epoch", "step": [1, 2], "time": [2_000, 3_000], "value": [1.0, 1.0]})
    assert curve_math.build_curve(history, "epoch", 1_000, clocks)["x"].tolist() == [0.5, 1.5]
    assert curve_math.build_curve(history, "wall time", 1_000, clocks)["x"].tolist() == [0.5, 1.5]
    assert curve_math.build_curve(history, "step", 1_000, clocks)["x"].tolist() == [5, 10]


def test_pareto_front() -> None:
    costs = np.array([1.0, 2, 3, 4, np.nan, 2])
    scores = np.array([0.5, 0.7, 0.6, 0.9, 1.0, 0.7])
    assert list(np.flatnonzero(comparison.pareto_front(costs, scores, True))) == [0, 1, 3]
    assert list(np.flatnonzero(comparison.pareto_front(costs, scores, False))) == [0]


def test_more_lines_than_a_legend_can_hold_are_coloured_by_a_setting() -> None:
    curve = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 0.5]})
    curves = {f"run{index}": curve for index in range(30)}
    groups = [comparison.Group(f"lr={index}", (run,)) for index, run in enumerate(curves)]
    values = {group.label: float(index) for index, group in enumerate(groups)}
    options = comparison.CurveOptions(colour_by="optimizer.lr")
    figure = group_curves.group_chart(curves, groups, "loss", options, values).figure
    *lines, bar = figure.data
    assert figure.layout.showlegend is False
    assert len({line.line.color for line in lines}) == 30
    assert (bar.marker.cmin, bar.marker.cmax, bar.marker.colorbar.title.text) == (0.0, 29.0, "optimizer.lr")
    plain = group_curves.group_chart(curves, groups, "loss", comparison.CurveOptions()).figure
    assert (plain.layout.legend.orientation, plain.layout.height) == ("v", HEIGHT)
    few = group_curves.group_chart(curves, groups[:3], "loss", comparison.CurveOptions()).figure
    assert few.layout.legend.orientation == "h"


def test_what_a_restarted_training_repeats_is_drawn_once_as_recorded_last() -> None:
    rows = [(1, 10, 1.0), (2, 20, 0.9), (3, 30, 0.8), (2, 40, 0.7), (3, 50, 0.6), (4, 60, 0.5)]
    history = pd.DataFrame(rows, columns=["step", "time", "value"]).assign(metric="loss").sort_values(["step", "time"])
    curve = curve_math.build_curve(history, "step", 0.0, history.iloc[:0])
    assert curve.to_numpy().tolist() == [[1, 1.0], [2, 0.7], [3, 0.6], [4, 0.5]]
    assert len(curve_math.build_curve(history, "wall time", 0.0, history.iloc[:0])) == 6
    same_step = history.assign(step=0)
    assert len(curve_math.build_curve(same_step, "step", 0.0, history.iloc[:0])) == 6
