"""The gradient of a function at a point, as the slope of its tangent."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import components
from dashboard.figures.chart import COLOURS, Chart, set_layout

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
LIMIT = 3.0


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


# Name to the function and its derivative.
FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "x²": (np.square, lambda x: 2 * x),
    "x³ − 3x": (lambda x: x**3 - 3 * x, lambda x: 3 * x**2 - 3),
    "sin x": (np.sin, np.cos),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "ReLU": (lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(float)),
    "leaky ReLU": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1.0, 0.01)),
}


def slope(name: str, point: float) -> float:
    """The derivative of a function at a point."""
    return float(FUNCTIONS[name][1](np.array(point)))


def tangent(name: str, point: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line that touches the function at a point."""
    value = float(FUNCTIONS[name][0](np.array(point)))
    return value + slope(name, point) * (x - point)


def chart(name: str, point: float) -> Chart:
    """The function and its tangent."""
    x = np.linspace(-LIMIT, LIMIT, 241)
    near = np.linspace(point - 1, point + 1, 3)
    y = FUNCTIONS[name][0](x)
    figure = go.Figure(go.Scatter(x=x, y=y, mode="lines", name=name, line={"color": COLOURS[0]}))
    line = {"color": COLOURS[3], "dash": "dash"}
    label = f"slope {slope(name, point):.3g}"
    figure.add_trace(go.Scatter(x=near, y=tangent(name, point, near), mode="lines", name=label, line=line))
    touched = tangent(name, point, np.array([point]))
    dot = {"color": COLOURS[3], "size": 10}
    figure.add_trace(go.Scatter(x=[point], y=touched, mode="markers", marker=dot, showlegend=False))
    set_layout(figure, "y", "x")
    note = "a step against the slope goes downhill" if slope(name, point) else "the slope is 0: no step goes anywhere"
    return Chart(figure, (note,), pd.DataFrame({"x": x, name: y}))


def show() -> None:
    """The chart and its controls."""
    place = st.container()
    name = st.selectbox("Function", list(FUNCTIONS), key="function")
    point = st.slider("Point", -LIMIT, LIMIT, 1.0, 0.1, key="point")
    with place:
        components.show_chart(chart(name, point), "gradient", f"{name} with its tangent at {point}")
