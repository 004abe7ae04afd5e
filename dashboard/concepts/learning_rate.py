"""The learning rate on a parabola: too small, right, too large."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import components
from dashboard.figures.chart import COLOURS, Chart, set_layout

STEPS = 20
START = -2.0
LIMIT = 4.0  # of the picture


def path(lr: float, momentum: float = 0.0, steps: int = STEPS) -> NDArray[np.float64]:
    """The weight after 0, 1, ... steps of SGD on w² / 2, whose slope is w; momentum as in PyTorch."""
    weight, velocity, weights = START, 0.0, [START]
    for _ in range(steps):
        velocity = momentum * velocity + weight
        weight -= lr * velocity
        weights.append(weight)
    return np.array(weights)


def behaviour(lr: float, momentum: float = 0.0) -> str:
    """How such a training ends, by the eigenvalues of the step from (w, w before) to (next w, w)."""
    values = np.linalg.eigvals(np.array([[1 + momentum - lr, -momentum], [1, 0]]))
    size = np.abs(values).max()
    if size > 1 + 1e-9:
        return "diverges"
    if size > 1 - 1e-9:
        return "neither converges nor diverges"
    return "oscillates and converges" if np.any(values.real < -1e-9) or np.any(values.imag) else "converges"


def chart(lr: float, momentum: float) -> Chart:
    """The parabola with the steps on it."""
    weights = path(lr, momentum)
    x = np.linspace(-LIMIT, LIMIT, 161)
    figure = go.Figure(go.Scatter(x=x, y=x**2 / 2, mode="lines", name="loss w² / 2", line={"color": COLOURS[6]}))
    inside = np.cumsum(np.abs(weights) > LIMIT) == 0
    seen = weights[inside]
    figure.add_trace(
        go.Scatter(x=seen, y=seen**2 / 2, mode="lines+markers", name="steps", line={"color": COLOURS[3], "width": 1})
    )
    set_layout(figure, "loss", "weight")
    figure.update_yaxes(range=[-0.4, LIMIT**2 / 2])
    notes = [behaviour(lr, momentum), f"after {STEPS} steps the loss is {weights[-1] ** 2 / 2:.2g}, at first 2"]
    if not inside.all():
        notes.append("steps that leave the picture are not drawn")
    table = pd.DataFrame({"step": range(STEPS + 1), "weight": weights, "loss": weights**2 / 2})
    return Chart(figure, tuple(notes), table)


def show() -> None:
    """The chart and its controls."""
    place = st.container()
    lr = st.slider("Learning rate", 0.05, 2.5, 0.3, 0.05, key="lr")
    momentum = st.slider("Momentum", 0.0, 0.95, 0.0, 0.05, key="momentum")
    with place:
        components.show_chart(chart(lr, momentum), "learning-rate", f"steps of SGD with a learning rate of {lr}")
