"""Parallel coordinates: every row of a table is drawn, also one in which a setting is not set."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import selection, text
from dashboard.figures.chart import HEIGHT, SCALE, Chart

UNSET = "unset"
BELOW = 0.15  # of the range of an axis, where the tick of rows without the setting lies
LOG_DECADES = 2  # positive numbers that span so many are on a logarithmic axis
TICKS = 5


def parallel_coordinates(values: pd.DataFrame, metric: str) -> Chart:
    """A line per row through its values in all columns, coloured by the metric.

    Text is a categorical axis; numbers over two decades or more are on a logarithmic one. plotly draws no line for a
    row with a NaN, so that a cell without a value has a tick of its own, `unset`.
    """
    short = selection.short_names([str(name) for name in values])
    dimensions = [
        {
            "label": text.escape_html(short[str(name)], 24),
            **(_numbers(column) if _is_number(column) else _names(column)),
        }
        for name, column in values.items()
    ]
    line = {"color": values[metric].to_numpy(float), "colorscale": SCALE, "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line))
    figure.update_layout(height=HEIGHT, margin={"l": 70, "r": 40, "t": 60, "b": 30})
    return Chart(figure, (), values.reset_index())


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _names(column: pd.Series) -> dict[str, Any]:
    """An axis of names, `unset` the first."""
    present = column.notna()
    codes, names = pd.factorize(column[present].astype(str), sort=True)
    shown = [text.escape_html(name, 16) for name in names]
    positions = np.full(len(column), -1)
    positions[present] = codes
    ticks = dict(enumerate(shown)) | ({} if present.all() else {-1: UNSET})
    return {"values": positions, "tickvals": list(ticks), "ticktext": list(ticks.values())}


def _numbers(column: pd.Series) -> dict[str, Any]:
    """An axis of numbers, linear or logarithmic, `unset` below the smallest."""
    numbers = column.to_numpy(float, na_value=np.nan)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return {"values": np.zeros(len(numbers)), "tickvals": [0], "ticktext": [UNSET]}
    log = finite.min() > 0 and finite.max() >= 10**LOG_DECADES * finite.min()
    with np.errstate(divide="ignore", invalid="ignore"):
        positions = np.log10(numbers) if log else numbers.copy()
    ticks = _log_ticks(finite) if log else _ticks(finite)
    missing = ~np.isfinite(positions)
    if missing.any():
        low, high = np.log10([finite.min(), finite.max()]) if log else (finite.min(), finite.max())
        positions[missing] = low - BELOW * ((high - low) or 1.0)
        ticks = {float(positions[missing][0]): UNSET, **ticks}
    return {"values": positions, "tickvals": list(ticks), "ticktext": list(ticks.values())}


def _ticks(finite: np.ndarray) -> Mapping[float, str]:
    """Positions of labels from the smallest to the largest number; the numbers themselves where they are few."""
    distinct = np.unique(finite)
    shown = distinct if len(distinct) <= TICKS else np.linspace(finite.min(), finite.max(), TICKS)
    return {float(value): text.number(float(value)) for value in shown}


def _log_ticks(finite: np.ndarray) -> Mapping[float, str]:
    """The ends and the powers of ten between them, as positions on a logarithmic axis."""
    low, high = math.log10(finite.min()), math.log10(finite.max())
    powers = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    step = max(1, len(powers) // TICKS)
    return {position: text.number(10**position) for position in sorted({low, *powers[::step], high})}
