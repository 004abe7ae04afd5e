"""Scatter plots of runs, with the Pareto front."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import text
from dashboard.figures.chart import COLOURS, Chart, set_layout


def scatter(points: pd.DataFrame, x: str, y: str, labels: Sequence[str], front: np.ndarray | None = None) -> Chart:
    """A scatter plot of the columns x and y, titled `x` and `y`; `front` marks those on the Pareto front.

    The index of `points` goes with each point.
    """
    on_front = front if front is not None else np.zeros(len(points), bool)
    figure = go.Figure(
        go.Scatter(
            x=points["x"],
            y=points["y"],
            customdata=list(points.index),
            text=[text.escape_html(label) for label in labels],
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
    set_layout(figure, text.escape_html(y), text.escape_html(x))
    table = points.rename(columns={"x": x, "y": y if y != x else f"{y} (y)"}).assign(run=list(labels))
    return Chart(figure, (), table.assign(front=on_front) if front is not None else table)
