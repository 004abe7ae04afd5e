"""Batch against layer norm: over which values mean and deviation are taken."""

from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import components
from dashboard.figures.chart import COLOURS, Chart, set_layout

Norm = Literal["none", "batch", "layer"]
NORMS: tuple[Norm, ...] = ("none", "batch", "layer")
CHANNELS = 10
EPSILON = 1e-5  # PyTorch's
GROUP = {"none": "", "batch": "one channel, over the batch", "layer": "one sample, over its channels"}


def features(samples: int) -> NDArray[np.float64]:
    """Features (samples, channels) of which channels and samples differ in mean and size."""
    random = np.random.default_rng(1)
    size, mean = random.uniform(0.3, 2, CHANNELS), random.normal(0, 2, CHANNELS)
    return (random.normal(size=(8, CHANNELS)) * size + mean + random.normal(0, 1, (8, 1)))[:samples]


def normalised(x: NDArray[np.float64], norm: Norm) -> NDArray[np.float64]:
    """Features (N, C) after batch norm in training, or layer norm, without learned scale and shift."""
    if norm == "none":
        return x
    axis = 0 if norm == "batch" else 1
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + EPSILON)


def chart(norm: Norm, samples: int) -> Chart:
    """The features as a matrix, with a frame around values that share a mean."""
    values = normalised(features(samples), norm)
    scale = [[0, COLOURS[0]], [0.5, "#F5F5F5"], [1, COLOURS[3]]]
    figure = go.Figure(go.Heatmap(z=values, colorscale=scale, zmid=0, zmin=-4, zmax=4, xgap=1, ygap=1))
    set_layout(figure, "sample", "channel")
    figure.update_yaxes(dtick=1, showgrid=False, zeroline=False)
    figure.update_xaxes(dtick=1, showgrid=False)
    line = {"color": COLOURS[2], "width": 4}
    if norm == "batch":
        figure.add_shape(type="rect", x0=1.5, x1=2.5, y0=-0.5, y1=samples - 0.5, line=line)
    elif norm == "layer":
        figure.add_shape(type="rect", x0=-0.5, x1=CHANNELS - 0.5, y0=-0.5, y1=0.5, line=line)
    notes = [f"framed: {GROUP[norm]}: mean 0, deviation 1" if norm != "none" else "as the layer before left them"]
    if norm == "batch" and samples == 2:
        notes.append("of two samples only the sign is left")
    return Chart(figure, tuple(notes), pd.DataFrame(values, columns=[f"channel {index}" for index in range(CHANNELS)]))


def show() -> None:
    """The chart and its controls."""
    place = st.container()
    norm = st.segmented_control("Normalisation", NORMS, default="batch", required=True, key="norm")
    samples = st.slider("Batch size", 2, 8, 8, key="samples")
    with place:
        components.show_chart(chart(norm, samples), "norms", f"features after normalisation: {norm}")
