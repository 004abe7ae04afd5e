"""The receptive field of a stack of convolutions: which inputs one output sees."""

import itertools

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import components
from dashboard.figures.chart import COLOURS, Chart, set_layout


def seen(kernel: int, layers: int, stride: int = 1, dilation: int = 1) -> list[NDArray[np.int64]]:
    """The positions of each layer that the output at position 0 depends on: the output first, the input last."""
    levels = [np.array([0])]
    for _ in range(layers):
        taps = dilation * np.arange(kernel)
        levels.append(np.unique(levels[-1][:, None] * stride + taps))
    return levels


def size(kernel: int, layers: int, stride: int = 1, dilation: int = 1) -> int:
    """Inputs from the first to the last that one output sees: 1 + d (k − 1) (1 + s + s² + ...)."""
    return 1 + dilation * (kernel - 1) * sum(stride**layer for layer in range(layers))


def chart(kernel: int, layers: int, stride: int, dilation: int) -> Chart:
    """A row of positions for each layer, the output on top."""
    levels = seen(kernel, layers, stride, dilation)
    figure = go.Figure()
    for number, (above, below) in enumerate(itertools.pairwise(levels)):
        # Around the middle of the field, so that the picture is a cone.
        x, y = _lines(above, below, kernel, stride, dilation, layers - number)
        line = {"color": COLOURS[6], "width": 1}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False))
    for number, level in enumerate(levels):
        marker = {"size": 9 if len(level) < 60 else 4, "color": COLOURS[3] if number == 0 else COLOURS[0]}
        row = np.full(len(level), layers - number)
        figure.add_trace(go.Scatter(x=_centred(level), y=row, mode="markers", marker=marker, showlegend=False))
    set_layout(figure, "", "position, from the middle")
    names = ["input", *(f"layer {layer}" for layer in range(1, layers + 1))]
    figure.update_yaxes(tickvals=list(range(layers + 1)), ticktext=names, showgrid=False, zeroline=False)
    inputs = levels[-1]
    notes = [f"an output sees {size(kernel, layers, stride, dilation)} inputs"]
    if len(inputs) < inputs[-1] + 1:
        notes.append(f"of which {inputs[-1] + 1 - len(inputs)} are skipped")
    table = pd.DataFrame({"layer": reversed(names), "positions": [len(level) for level in levels]})
    return Chart(figure, tuple(notes), table)


def _centred(level: NDArray[np.int64]) -> NDArray[np.float64]:
    return level - (level[0] + level[-1]) / 2


def _lines(
    above: NDArray[np.int64], below: NDArray[np.int64], kernel: int, stride: int, dilation: int, row: int
) -> tuple[list[float | None], list[float | None]]:
    """Each position with the ones below that it sees; None ends a line."""
    x: list[float | None] = []
    y: list[float | None] = []
    top, bottom = (above[0] + above[-1]) / 2, (below[0] + below[-1]) / 2
    for position in above:
        for tap in range(kernel):
            x += [float(position - top), float(position * stride + tap * dilation - bottom), None]
            y += [row, row - 1, None]
    return x, y


def show() -> None:
    """The chart and its controls."""
    place = st.container()
    left, right = st.columns(2)
    kernel = left.slider("Kernel", 2, 7, 3, key="kernel")
    layers = right.slider("Layers", 1, 4, 3, key="layers")
    stride = left.slider("Stride", 1, 3, 1, key="stride")
    dilation = right.slider("Dilation", 1, 4, 1, key="dilation")
    with place:
        found = chart(kernel, layers, stride, dilation)
        components.show_chart(found, "receptive-field", f"receptive field of {layers} convolutions of {kernel}")
