"""The heat map of a parameter's histograms over the epochs."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import text
from dashboard.figures.chart import Chart, set_layout

Rows = NDArray[np.float64]  # epoch, lowest, highest, number not finite, counts in equal bins between lowest and highest
BINS = 64  # of the picture
EDGE = 0.001  # of the values of an epoch, at either end, do not widen the picture
QUANTILES = {"5 %": 0.05, "median": 0.5, "95 %": 0.95}
COUNTS = 4  # the first column with a count


def heat_map(rows: Rows, y: str) -> Chart:
    """The share of values in each bin (y) after each number of finished epochs (x), coloured by its root."""
    edges = _edges(rows)
    shares = np.stack([rebinned(row, edges) for row in rows], axis=1)
    figure = go.Figure(
        go.Heatmap(
            z=np.where(shares > 0, np.sqrt(shares), np.nan),
            x=rows[:, 0],
            y=(edges[:-1] + edges[1:]) / 2,
            customdata=shares,
            colorscale="Cividis",
            zmin=0,
            showscale=False,
            hovertemplate="after %{x} epochs, near %{y:.3g}: %{customdata:.1%}<extra></extra>",
        )
    )
    set_layout(figure, text.escape_html(y), "finished epochs")
    figure.update_layout(height=260)
    figure.update_yaxes(range=[edges[0], edges[-1]], showgrid=False)
    figure.update_xaxes(showgrid=False)
    outside = int(rows[:, 3].sum())
    notes = (f"{text.count(outside, 'value')} not finite",) if outside else ()
    return Chart(figure, notes, _table(rows))


def _edges(rows: Rows) -> Rows:
    """The edges of the picture's bins, a little wider than all but a few values of every row."""
    low = min(_quantile(row, EDGE) for row in rows)
    high = max(_quantile(row, 1 - EDGE) for row in rows)
    margin = (high - low) / BINS or 0.5
    return np.linspace(low - margin, high + margin, BINS + 1)


def rebinned(row: Rows, edges: Rows) -> Rows:
    """The shares of a row's values between other edges (B + 1,), as (B,); values are spread evenly in their bins."""
    places, shares = _cumulated(row)
    return np.diff(np.interp(edges, places, shares, left=0, right=shares[-1]))


def _cumulated(row: Rows) -> tuple[Rows, Rows]:
    """The edges of a row's bins, and the share of values below each."""
    counts = row[COUNTS:]
    low, high = row[1], row[2]
    if low == high:  # a jump
        return np.array([np.nextafter(low, -np.inf), low]), np.array([0.0, min(counts.sum(), 1.0)])
    total = max(counts.sum(), 1)
    return np.linspace(low, high, len(counts) + 1), np.concatenate([[0], np.cumsum(counts)]) / total


def _quantile(row: Rows, share: float) -> float:
    places, shares = _cumulated(row)
    return float(np.interp(share, shares, places))


def _table(rows: Rows) -> pd.DataFrame:
    columns = {"finished epochs": rows[:, 0].astype(int), "lowest": rows[:, 1]}
    columns |= {name: np.array([_quantile(row, share) for row in rows]) for name, share in QUANTILES.items()}
    return pd.DataFrame(columns | {"highest": rows[:, 2], "not finite": rows[:, 3].astype(int)})
