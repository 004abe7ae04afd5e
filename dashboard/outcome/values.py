"""Figures of predicted values: against the truth, what is left over, and forecasts with their bands."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import text
from dashboard.figures.chart import COLOURS, HEIGHT, Chart
from dashboard.outcome.reads import ValueOutputs

MAX_SAMPLES = 2_000  # that are drawn, evenly spread
MAX_STEPS = 240  # of the forecasts
GREY = COLOURS[-1]


def against_truth(outputs: ValueOutputs, target: str) -> Chart:
    """Predicted against true values of a target, with the widest band, and the diagonal on which they are equal."""
    rows = _rows(outputs, target)
    shown = _spread(rows)
    figure = go.Figure()
    ends = [float(np.nanmin(rows[["true", "predicted"]])), float(np.nanmax(rows[["true", "predicted"]]))]
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dot"}, hoverinfo="skip")
    figure.add_trace(_points(shown, "true", "predicted"))
    if "low" in rows:
        above, below = shown["high"] - shown["predicted"], shown["predicted"] - shown["low"]
        band = {"type": "data", "array": above, "arrayminus": below, "width": 0, "thickness": 0.7}
        figure.data[1].update(error_y=band)
    _lay_out(figure, "true", "predicted")
    band_name = [f"bars: {next(iter(outputs.bands))}"] if "low" in rows else []
    return Chart(figure, (*band_name, *_note(rows, shown)), rows)


def residuals(outputs: ValueOutputs, target: str) -> Chart:
    """Predicted minus true values against the predicted ones: without a pattern around 0 where nothing is missed."""
    rows = _rows(outputs, target)
    rows["residual"] = rows["predicted"] - rows["true"]
    shown = _spread(rows)
    figure = go.Figure([_points(shown, "predicted", "residual")])
    figure.add_hline(0, line={"color": GREY, "dash": "dot"})
    _lay_out(figure, "predicted", "predicted − true")
    mean, deviation = rows["residual"].mean(), rows["residual"].std()
    note = f"mean {text.number(mean)}, standard deviation {text.number(deviation)}"
    return Chart(figure, (note, *_note(rows, shown)), rows[["predicted", "residual"]])


def forecasts(outputs: ValueOutputs, target: str) -> Chart:
    """The last forecasts of the test split that follow each other without overlap, with bands and the truth."""
    steps = outputs.targets[target]
    horizon = steps.stop - steps.start
    chosen = np.arange(0, len(outputs.true), horizon)[-max(MAX_STEPS // horizon, 1) :]
    x = (chosen[:, None] + np.arange(horizon) + 1).ravel()

    def line(values: np.ndarray) -> np.ndarray:
        return values[chosen][:, steps].ravel()

    table = pd.DataFrame({"step": x, "true": line(outputs.true), "predicted": line(outputs.predicted)})
    figure = go.Figure()
    for name, (low, high) in outputs.bands.items():
        table[f"{name}, low"], table[f"{name}, high"] = line(low), line(high)
        figure.add_trace(_band(x, line(low), line(high), name))
    figure.add_scatter(x=x, y=table["true"], mode="lines", name="true", line={"color": GREY, "width": 2})
    figure.add_scatter(x=x, y=table["predicted"], mode="lines", name="predicted", line={"color": COLOURS[3]})
    _lay_out(figure, "step of the test split", text.escape_html(target, 40))
    figure.update_layout(showlegend=True, legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0})
    repeated = f"every {horizon} steps a new forecast" if horizon > 1 else "each step is forecast from those before it"
    return Chart(figure, (repeated, f"the last {len(x)} steps"), table)


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> go.Scatter:
    both, ends = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    fill = {"fill": "toself", "fillcolor": "rgba(0,128,200,0.18)", "line": {"width": 0}}
    return go.Scatter(x=both, y=ends, mode="lines", name=text.escape_html(name, 40), hoverinfo="skip", **fill)


def _rows(outputs: ValueOutputs, target: str) -> pd.DataFrame:
    """True and predicted values of all steps of a target, with the ends of the widest band where there is one."""
    steps = outputs.targets[target]
    values = {"true": outputs.true, "predicted": outputs.predicted}
    if outputs.bands:
        values["low"], values["high"] = next(iter(outputs.bands.values()))
    return pd.DataFrame({name: each[:, steps].ravel() for name, each in values.items()})


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_SAMPLES rows, evenly spread."""
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MAX_SAMPLES).astype(int))]


def _points(shown: pd.DataFrame, x: str, y: str) -> go.Scatter:
    labels = [f"value {index + 1}" for index in shown.index]
    marker = {"color": COLOURS[0], "size": 6, "opacity": 0.6}
    hover = "%{text}<br>%{y:.5g} at %{x:.5g}<extra></extra>"
    return go.Scatter(x=shown[x], y=shown[y], text=labels, mode="markers", marker=marker, hovertemplate=hover)


def _note(rows: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    return [f"{len(shown):,} of {text.count(len(rows), 'value')}"] if len(shown) < len(rows) else []


def _lay_out(figure: go.Figure, x: str, y: str) -> None:
    margin = {"l": 10, "r": 10, "t": 30, "b": 10}
    figure.update_layout(height=HEIGHT, margin=margin, xaxis_title=x, yaxis_title=y, showlegend=False)
