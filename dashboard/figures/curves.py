"""Figures of curves, as pure functions of lines of points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import text
from dashboard.figures import curve_math
from dashboard.figures.chart import SCALE, Chart, colour, dash, marker, rgba, set_layout, shade

MAX_POINTS = 20_000  # in one figure; a browser draws this many without a noticeable delay
MAX_POINTS_PER_CURVE = 800
MIN_POINTS_PER_CURVE = 100
MAX_POINTS_WITH_MARKERS = 40
MAX_IN_LEGEND = 10  # lines whose legend stands above the figure; of more it stands beside it, and scrolls
BAND_OPACITY = 0.18
ENVELOPE_OPACITY = 0.35  # more, so that a single value far from the others is seen


@dataclass(frozen=True)
class Line:
    """A curve with columns x and y; with low and high too if it is a mean with a confidence band.

    `style` is the index of its colour, dash and marker; `raw` is the curve before smoothing, drawn faintly. With a
    `shade` from 0 to 1 its colour is taken from a continuous scale instead.
    """

    label: str
    data: pd.DataFrame
    style: int
    raw: pd.DataFrame | None = None
    shade: float | None = None

    @property
    def colour(self) -> str:
        """The colour of the line."""
        return colour(self.style) if self.shade is None else shade(self.shade)


@dataclass(frozen=True)
class ColourBar:
    """What a continuous scale of colours stands for: a setting or metric, and its lowest and highest value."""

    title: str
    low: float
    high: float


def curve_chart(
    lines: Sequence[Line], metric: str, axis: str, log: bool = False, bar: ColourBar | None = None
) -> Chart:
    """The curves of one metric in one figure, downsampled; the notes report omitted points and non-finite values.

    `bar` explains the shades of the lines in place of a legend.
    """
    max_points = max(MIN_POINTS_PER_CURVE, min(MAX_POINTS_PER_CURVE, MAX_POINTS // max(1, len(lines))))
    with_envelope = len(lines) <= MAX_IN_LEGEND
    thinned = [_thin(line, max_points, with_envelope) for line in lines]
    # One call on plain dictionaries: 500 traces made one by one (go.Scatter, add_trace) take twice as long.
    figure = go.Figure(
        [trace for line, data in zip(lines, thinned, strict=True) for trace in _traces(line, data, max_points)]
    )
    set_layout(figure, text.escape_html(metric), text.escape_html(curve_math.AXIS_TITLES.get(axis, axis)))
    if axis == curve_math.DATE:
        figure.update_xaxes(type="date")
    if bar is None and len(lines) <= MAX_IN_LEGEND:
        figure.update_layout(hovermode="x unified")  # the values of all lines where the cursor is
    if bar is not None:
        figure.add_trace(_bar_trace(bar))
        figure.update_layout(showlegend=False)
    elif len(lines) > MAX_IN_LEGEND:
        figure.update_layout(legend={"orientation": "v", "yanchor": "top", "y": 1, "xanchor": "left", "x": 1.01})
    if log:
        figure.update_yaxes(type="log")
    shown, total = sum(len(data) for data in thinned), sum(len(line.data) for line in lines)
    notes = [f"{shown:,} of {text.count(total, 'point')}"] if shown < total else []
    if any("low" in data and "low" not in line.data for line, data in zip(lines, thinned, strict=True)):
        notes.append("line: the mean of neighbouring points, band: from their minimum to their maximum")
    table = pd.concat([line.data.assign(curve=line.label) for line in lines]) if lines else pd.DataFrame()
    return Chart(figure, (*notes, *_notes_on_missing(lines, log)), table)


def _bar_trace(bar: ColourBar) -> dict[str, Any]:
    """A trace without points, for the colour bar that belongs to it."""
    scale = {"colorscale": SCALE, "cmin": bar.low, "cmax": bar.high, "color": [bar.low], "showscale": True}
    title = {"text": text.escape_html(bar.title, 24), "side": "right"}
    marker = {**scale, "colorbar": {"title": title, "thickness": 12}}
    return {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "marker": marker, "hoverinfo": "skip"}


def _thin(line: Line, max_points: int, with_envelope: bool) -> pd.DataFrame:
    """At most `max_points` points of a line: means with an envelope from minimum to maximum, else the extremes."""
    has_band = "low" in line.data or line.shade is not None
    if with_envelope and not has_band and int(np.isfinite(line.data["y"]).sum()) > max_points:
        return curve_math.envelope(line.data, max_points // 2)
    return _downsample(line.data, max_points)


def _downsample(data: pd.DataFrame, max_points: int) -> pd.DataFrame:
    return data.iloc[curve_math.downsample(data["y"].to_numpy(), max_points)]


def _traces(line: Line, data: pd.DataFrame, max_points: int) -> Iterator[dict[str, Any]]:
    """The traces of one curve, back to front."""
    if line.raw is not None:
        yield _raw_trace(line, _downsample(line.raw, max_points))
    if "low" in data and data["low"].notna().any():
        opacity = BAND_OPACITY if "low" in line.data else ENVELOPE_OPACITY
        yield _band_trace(line, data[data["low"].notna()], opacity)
    yield _line_trace(line, data)
    if (non_finite := ~np.isfinite(data["y"])).any() and not non_finite.all():
        yield _non_finite_trace(line, data, non_finite)


def _line_trace(line: Line, data: pd.DataFrame) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": data["x"].to_numpy(),
        "y": data["y"].where(np.isfinite(data["y"])).to_numpy(),
        "name": text.escape_html(line.label),
        "legendgroup": str(line.style),
        "mode": "lines+markers" if len(data) <= MAX_POINTS_WITH_MARKERS and line.shade is None else "lines",
        "line": _stroke(line),
        "marker": {"symbol": marker(line.style), "size": 7},
        "hovertemplate": "%{y:.5g} at %{x:.6g}<extra>%{fullData.name}</extra>",
    }


def _stroke(line: Line) -> dict[str, Any]:
    """Colour, dash and width; of lines in shades, which are many, all are solid and thinner."""
    if line.shade is not None:
        return {"color": line.colour, "width": 1.5}
    return {"color": line.colour, "dash": dash(line.style), "width": 2}


def _raw_trace(line: Line, data: pd.DataFrame) -> dict[str, Any]:
    return _background_trace(line) | {
        "x": data["x"].to_numpy(),
        "y": data["y"].where(np.isfinite(data["y"])).to_numpy(),
        "line": {"color": line.colour, "width": 1},
        "opacity": 0.25,
    }


def _band_trace(line: Line, data: pd.DataFrame, opacity: float) -> dict[str, Any]:
    return _background_trace(line) | {
        "x": np.concatenate([data["x"], data["x"][::-1]]),
        "y": np.concatenate([data["high"], data["low"][::-1]]),
        "fill": "toself",
        "fillcolor": rgba(line.colour, opacity),
        "line": {"width": 0},
    }


def _background_trace(line: Line) -> dict[str, Any]:
    """A trace that belongs to a curve and has no entry of its own in the legend."""
    group = {"legendgroup": str(line.style), "showlegend": False}
    return {"type": "scatter", "mode": "lines", "hoverinfo": "skip"} | group


def _non_finite_trace(line: Line, data: pd.DataFrame, non_finite: "pd.Series[bool]") -> dict[str, Any]:
    """A cross for each NaN or infinity, at the last finite value before it (at the start: the first one after)."""
    nearest = data["y"].where(~non_finite).ffill().bfill()[non_finite]
    label = text.escape_html(line.label).replace("%", "%%")
    return {
        "type": "scatter",
        "x": data["x"][non_finite].to_numpy(),
        "y": nearest.to_numpy(),
        "text": [text.number(value) for value in data["y"][non_finite]],
        "mode": "markers",
        "marker": {"symbol": "x", "size": 10, "color": line.colour, "line": {"width": 1, "color": "#808080"}},
        "legendgroup": str(line.style),
        "showlegend": False,
        "hovertemplate": f"%{{text}} at %{{x:.6g}}<extra>{label}</extra>",
    }


def _notes_on_missing(lines: Sequence[Line], log: bool) -> list[str]:
    """A sentence for each kind of value that the figure cannot show."""
    notes = []
    values = np.concatenate([line.data["y"].to_numpy() for line in lines]) if lines else np.array([])
    if non_finite := int((~np.isfinite(values)).sum()):
        notes.append(
            f"{text.count(non_finite, 'value')} {'is' if non_finite == 1 else 'are'} NaN or infinite (marked ✕)"
        )
    empty = [
        text.truncate(line.label, 40) for line in lines if len(line.data) and not np.isfinite(line.data["y"]).any()
    ]
    if empty:
        notes.append(f"no finite value at all: {', '.join(empty[:5])}")
    if log and (below := int((values <= 0).sum())):
        notes.append(f"{text.count(below, 'value')} of 0 or less cannot be shown on a logarithmic axis")
    return notes
