"""What dropout does to activations: some become 0, the others grow, and their mean stays."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import components
from dashboard.figures.chart import COLOURS, Chart, set_layout

UNITS, SAMPLES = 24, 12


def activations() -> NDArray[np.float64]:
    """What a layer with ReLU might say, (samples, units)."""
    return np.maximum(np.random.default_rng(0).normal(0.5, 1, (SAMPLES, UNITS)), 0)


def dropped(x: NDArray[np.float64], p: float, seed: int, training: bool = True) -> NDArray[np.float64]:
    """Activations after dropout: 0 with probability p, else divided by 1 − p; in evaluation as they are."""
    if not training:
        return x
    kept = np.random.default_rng(seed).random(x.shape) >= p
    return x * kept / (1 - p)


def chart(p: float, draw: int, training: bool) -> Chart:
    """The activations after dropout, as a matrix."""
    before = activations()
    after = dropped(before, p, draw, training)
    # Those that are 0 are left out of the picture, whatever its background.
    shown = np.where(after == 0, np.nan, after)
    scale = [[0, COLOURS[5]], [1, COLOURS[3]]]
    figure = go.Figure(go.Heatmap(z=shown, colorscale=scale, zmin=0, zmax=6, xgap=1, ygap=1, hoverongaps=False))
    set_layout(figure, "sample", "unit")
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    notes = (
        f"mean {after.mean():.2f}, before {before.mean():.2f}",
        f"standard deviation {after.std():.2f}, before {before.std():.2f}",
        f"{(after == 0).mean():.0%} are 0 (blank), before {(before == 0).mean():.0%}",
    )
    return Chart(figure, notes, pd.DataFrame(after, columns=[f"unit {unit}" for unit in range(UNITS)]))


def show() -> None:
    """The chart and its controls."""
    place = st.container()
    p = st.slider("Dropout p", 0.0, 0.9, 0.5, 0.05, key="p")
    draw = st.slider("Training step (each draws anew)", 1, 20, 1, key="draw")
    training = not st.toggle("eval()", key="evaluation")
    with place:
        components.show_chart(chart(p, draw, training), "dropout", f"activations after dropout with p = {p}")
