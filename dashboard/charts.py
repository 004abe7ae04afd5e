"""Figures from data: pure functions, one library, a palette for every eye."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import curves, words

# Okabe and Ito's colours, which colour-blind people tell apart, without those that vanish on white or black.
COLOURS = ("#0080C8", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "triangle-down", "star", "pentagon")
POINTS_IN_ALL = 20_000  # a browser draws so many at once without a pause
POINTS_PER_CURVE = 800
FEW_POINTS = 40  # with so few, each gets a marker
HEIGHT = 420
BAND_OPACITY = 0.18


@dataclass(frozen=True)
class Line:
    """A curve with columns x and y, and low and high where it is a mean with a band; its label names it."""

    label: str
    data: pd.DataFrame
    style: int
    raw: pd.DataFrame | None = None


@dataclass(frozen=True)
class Picture:
    """A figure, what must be said of it, and the same as a table."""

    figure: go.Figure
    notes: tuple[str, ...]
    table: pd.DataFrame


def curve_chart(lines: Sequence[Line], metric: str, axis: curves.Axis, log: bool = False) -> Picture:
    """Curves of one metric over each other, thinned to what a screen can show; says so, and marks what is no number."""
    figure = go.Figure()
    most = max(100, min(POINTS_PER_CURVE, POINTS_IN_ALL // max(1, len(lines))))
    shown = total = 0
    for line in lines:
        places = curves.kept(line.data["y"].to_numpy(), most)
        shown, total = shown + len(places), total + len(line.data)
        part = line.data.iloc[places]
        if line.raw is not None:
            figure.add_trace(_faint(line, line.raw.iloc[curves.kept(line.raw["y"].to_numpy(), most)]))
        if "low" in part and part["low"].notna().any():
            figure.add_trace(_band(part, line.style))
        figure.add_trace(_line(line, part))
        if (marks := _marks(line, part)) is not None:
            figure.add_trace(marks)
    _lay_out(figure, words.in_figure(metric), curves.TITLES[axis])
    if log:
        figure.update_yaxes(type="log")
    notes = [f"{shown:,} of {words.count(total, 'point')}"] if shown < total else []
    table = pd.concat([line.data.assign(curve=line.label) for line in lines]) if lines else pd.DataFrame()
    return Picture(figure, (*notes, *_unusable(lines, log)), table)


def _line(line: Line, part: pd.DataFrame) -> go.Scatter:
    y = part["y"].where(np.isfinite(part["y"]))
    few = len(part) <= FEW_POINTS
    return go.Scatter(
        x=part["x"].to_numpy(),
        y=y.to_numpy(),
        name=words.in_figure(line.label),
        legendgroup=str(line.style),
        mode="lines+markers" if few else "lines",
        line={"color": colour(line.style), "dash": dash(line.style), "width": 2},
        marker={"symbol": marker(line.style), "size": 7},
        hovertemplate="%{y:.5g} at %{x:.6g}<extra>%{fullData.name}</extra>",
        _validate=False,  # it takes longer than all the rest where there are many lines
    )


def _faint(line: Line, part: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=part["x"].to_numpy(),
        y=part["y"].where(np.isfinite(part["y"])).to_numpy(),
        legendgroup=str(line.style),
        line={"color": colour(line.style), "width": 1},
        opacity=0.25,
        mode="lines",
        showlegend=False,
        hoverinfo="skip",
    )


def _band(part: pd.DataFrame, style: int) -> go.Scatter:
    part = part[part["low"].notna()]
    return go.Scatter(
        x=np.concatenate([part["x"], part["x"][::-1]]),
        y=np.concatenate([part["high"], part["low"][::-1]]),
        fill="toself",
        fillcolor=_see_through(colour(style), BAND_OPACITY),
        line={"width": 0},
        legendgroup=str(style),
        showlegend=False,
        hoverinfo="skip",
        mode="lines",
    )


def _marks(line: Line, part: pd.DataFrame) -> go.Scatter | None:
    """A cross at the last finite value before each NaN or infinity (the first one after, at the start)."""
    broken = ~np.isfinite(part["y"])
    if not broken.any() or broken.all():
        return None
    near = part["y"].where(~broken).ffill().bfill()[broken]
    return go.Scatter(
        x=part["x"][broken].to_numpy(),
        y=near.to_numpy(),
        text=[words.number(value) for value in part["y"][broken]],
        mode="markers",
        marker={"symbol": "x", "size": 10, "color": colour(line.style), "line": {"width": 1, "color": "#808080"}},
        legendgroup=str(line.style),
        showlegend=False,
        hovertemplate="%{text} at %{x:.6g}<extra>" + words.in_figure(line.label).replace("%", "%%") + "</extra>",
    )


def _unusable(lines: Sequence[Line], log: bool) -> list[str]:
    """What could not be drawn, in sentences."""
    notes = []
    values = np.concatenate([line.data["y"].to_numpy() for line in lines]) if lines else np.array([])
    if broken := int((~np.isfinite(values)).sum()):
        notes.append(f"{words.count(broken, 'value')} {'is' if broken == 1 else 'are'} NaN or infinite (marked ✕)")
    whole = [words.short(line.label, 40) for line in lines if len(line.data) and not np.isfinite(line.data["y"]).any()]
    if whole:
        notes.append(f"no finite value at all: {', '.join(whole[:5])}")
    if log and (below := int((values <= 0).sum())):
        notes.append(f"{words.count(below, 'value')} of 0 or less cannot stand on a logarithmic axis")
    return notes


def scatter(points: pd.DataFrame, x: str, y: str, labels: Sequence[str], front: np.ndarray | None = None) -> Picture:
    """Points (columns x and y, numbers or words), those on the Pareto front joined by a line and ringed."""
    on_front = front if front is not None else np.zeros(len(points), bool)
    figure = go.Figure(
        go.Scatter(
            x=points["x"],
            y=points["y"],
            text=[words.in_figure(label) for label in labels],
            mode="markers",
            marker={
                "size": np.where(on_front, 13, 9),
                "color": np.where(on_front, COLOURS[3], COLOURS[0]),
                "symbol": np.where(on_front, "diamond", "circle"),
            },
            hovertemplate="%{text}<br>%{y} at %{x}<extra></extra>",
            showlegend=False,
        )
    )
    if on_front.any():
        edge = points[on_front].sort_values("x")
        line = {"shape": "hv", "color": COLOURS[3], "dash": "dot"}
        figure.add_trace(go.Scatter(x=edge["x"], y=edge["y"], mode="lines", line=line, name="Pareto front"))
    _lay_out(figure, words.in_figure(y), words.in_figure(x))
    table = points.rename(columns={"x": x, "y": y if y != x else f"{y} (y)"}).assign(run=list(labels))
    return Picture(figure, (), table.assign(front=on_front) if front is not None else table)


def parallel(values: pd.DataFrame, metric: str) -> Picture:
    """Parallel coordinates of settings and a metric, coloured by the metric; words take a place each."""
    dimensions = []
    for name, column in values.items():
        label = words.in_figure(str(name), 24)
        if pd.api.types.is_numeric_dtype(column):
            dimensions.append({"label": label, "values": column.to_numpy(float)})
        else:
            codes, names = pd.factorize(column.astype(str))
            ticks = [words.in_figure(each, 16) for each in names]
            dimensions.append({"label": label, "values": codes, "tickvals": list(range(len(names))), "ticktext": ticks})
    line = {"color": values[metric].to_numpy(float), "colorscale": "Cividis", "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line))
    figure.update_layout(height=HEIGHT, margin={"l": 70, "r": 40, "t": 60, "b": 30})
    return Picture(figure, (), values.reset_index())


def confusion(counts: np.ndarray, names: Sequence[str]) -> Picture:
    """A confusion matrix: the shades are shares of a true class, the numbers are counts."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = [words.in_figure(str(name), 20) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=shown,
            y=shown,
            text=counts,
            texttemplate="%{text}" if len(names) <= 20 else "",
            colorscale="Cividis",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}: %{text} (%{z:.1%})<extra></extra>",
        )
    )
    _lay_out(figure, "true", "predicted")
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    table = pd.DataFrame(counts, index=[str(name) for name in names], columns=[str(name) for name in names])
    return Picture(figure, (), table.rename_axis("true ↓ predicted →").reset_index())


def _lay_out(figure: go.Figure, y: str, x: str) -> None:
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "font": {"size": 12}},
        xaxis_title=x,
        yaxis_title=y,
        hovermode="closest",
    )


def colour(style: int) -> str:
    """The colour of the n-th line."""
    return COLOURS[style % len(COLOURS)]


def dash(style: int) -> str:
    """The dash of the n-th line; with its colour, no two of the first 42 lines look the same."""
    return DASHES[style % len(DASHES)]


def marker(style: int) -> str:
    """The marker of the n-th line."""
    return MARKERS[style % len(MARKERS)]


def _see_through(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
