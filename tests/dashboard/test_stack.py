"""Small multiples with one x axis, and the band of points that are not drawn one by one."""

import numpy as np
import pandas as pd
import pytest

from dashboard.figures import curve_math
from dashboard.figures.curves import ColourBar, Line, curve_chart
from dashboard.figures.stack import stacked

X = np.arange(30_000.0)


def noisy(spike: float = 0.0) -> pd.DataFrame:
    y = np.random.default_rng(0).normal(size=len(X))
    y[12_345] += spike
    return pd.DataFrame({"x": X, "y": y})


def test_rows_share_the_x_axis_and_each_has_its_own_y_axis_without_overlap() -> None:
    lines = [Line("a", noisy()[:50], 0), Line("b", noisy()[:50], 1)]
    chart = stacked(
        [("val/loss", curve_chart(lines, "val/loss", "step")), ("lr", curve_chart(lines, "lr", "step", True))]
    )
    figure = chart.figure
    assert {trace.xaxis for trace in figure.data} == {"x"}
    assert [trace.yaxis for trace in figure.data] == ["y", "y", "y2", "y2"]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1] > figure.layout.yaxis2.domain[0] == 0
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("val/loss", "lr")
    assert (figure.layout.yaxis.type, figure.layout.yaxis2.type) == (None, "log")
    assert figure.layout.hoversubplots == "axis"
    assert figure.layout.xaxis.spikemode == "across"
    assert chart.notes == ("lr: " + curve_chart(lines, "lr", "step", True).notes[0],)
    assert set(chart.table["metric"]) == {"val/loss", "lr"}


def test_a_line_is_once_in_the_legend_even_where_the_first_metric_lacks_it() -> None:
    first = curve_chart([Line("a", noisy()[:9], 0)], "one", "step")
    second = curve_chart([Line("a", noisy()[:9], 0), Line("b", noisy()[:9], 1)], "two", "step")
    shown = [
        trace.name for trace in stacked([("one", first), ("two", second)]).figure.data if trace.showlegend is not False
    ]
    assert shown == ["a", "b"]


def test_the_colour_bar_is_there_once() -> None:
    lines = [Line(str(number), noisy()[:9], number, shade=number / 20) for number in range(20)]
    charts = [(name, curve_chart(lines, name, "step", bar=ColourBar("lr", 0, 1))) for name in ("one", "two")]
    assert sum(bool(trace.marker.showscale) for trace in stacked(charts).figure.data) == 1


def test_the_envelope_goes_through_the_extremes_and_its_line_through_the_means_of_a_plain_loop() -> None:
    data = noisy(100.0)
    found = curve_math.envelope(data, 300)
    parts = [data["y"][start : start + 100] for start in range(0, 30_000, 100)]
    assert found["y"].to_numpy() == pytest.approx([part.mean() for part in parts])
    assert found["low"].tolist() == [part.min() for part in parts]
    assert found["high"].tolist() == [part.max() for part in parts]
    assert (found["x"].iloc[0], found["x"].iloc[-1]) == (0, 29_999)


def test_a_thinned_line_has_a_band_in_which_a_single_spike_is_seen_and_nan_keeps_its_cross() -> None:
    data = noisy(100.0)
    data.loc[20_000, "y"] = np.nan
    chart = curve_chart([Line("a", data, 0)], "loss", "step")
    band, line, crosses = chart.figure.data
    assert band.fill == "toself"
    assert max(band.y) == data["y"].max()
    assert np.nanmax(line.y) < 10
    assert list(crosses.x) == [20_000]
    assert "from their minimum to their maximum" in chart.notes[1]


def test_all_points_of_a_short_line_and_the_extremes_of_many_lines_are_drawn_without_a_band() -> None:
    short = curve_chart([Line("a", noisy()[:500], 0)], "loss", "step")
    assert [len(trace.x) for trace in short.figure.data] == [500]
    many = curve_chart([Line(str(number), noisy(100.0), number) for number in range(11)], "loss", "step")
    assert all(trace.fill is None for trace in many.figure.data)
    assert all(max(trace.y) > 90 for trace in many.figure.data)
