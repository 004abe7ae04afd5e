"""Plotly figures of what a test says class by class, or label by label."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import text
from dashboard.figures.chart import COLOURS, Chart, set_layout


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Chart:
    """A confusion matrix (true class, predicted class), coloured by the share of each true class.

    The colour is that of the root of the share, so that a few errors stand out; a cell without samples is empty.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ticks = [text.escape_html(name, 20) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=np.where(counts > 0, np.sqrt(shares), np.nan),
            x=ticks,
            y=ticks,
            text=[[f"{cell:g}" if cell else "" for cell in row] for row in counts],
            customdata=shares,
            texttemplate="%{text}" if len(names) <= 20 else "",
            colorscale="Cividis",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}: %{text} samples (%{customdata:.1%} of the class)<extra></extra>",
        )
    )
    set_layout(figure, "true", "predicted")
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    table = pd.DataFrame(counts, index=names, columns=names)
    return Chart(figure, (), table.rename_axis("true ↓ predicted →").reset_index())


def label_bars(scores: pd.DataFrame) -> Chart:
    """Precision, recall and F1 of each label, a group of bars each; `scores` has a row for each label."""
    ticks = [text.escape_html(name, 20) for name in scores["label"]]
    figure = go.Figure()
    for number, measure in enumerate(("precision", "recall", "f1")):
        figure.add_bar(
            x=ticks,
            y=scores[measure],
            name=measure,
            marker_color=COLOURS[number],
            customdata=scores["samples"],
            hovertemplate=f"%{{x}}: {measure} %{{y:.3f}}, %{{customdata:.0f}} samples have it<extra></extra>",
        )
    set_layout(figure, "in the test", "label")
    figure.update_xaxes(type="category")
    figure.update_yaxes(range=[0, 1])
    return Chart(figure, (), scores)
