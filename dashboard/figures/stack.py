"""Small multiples: the curves of several metrics over one x axis, with one legend and one cursor."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures.chart import Chart

ROW = 220  # pixels
GAP = 24
FRAME = 90  # above and below all rows


def stacked(charts: Sequence[tuple[str, Chart]]) -> Chart:
    """A row for each metric with its chart; a line is in the legend once, and zoom and cursor are those of all rows."""
    figure = go.Figure(layout=charts[0][1].figure.layout)
    height = len(charts) * ROW
    known: set[str] = set()
    traces = []
    for row, (_, chart) in enumerate(charts):
        axis = f"y{row + 1}" if row else "y"
        traces += [_placed(trace, axis, known) for trace in chart.figure.data if not (row and _is_colour_bar(trace))]
        ends = [1 - (row + 1) * ROW / height + GAP / height * (row + 1 < len(charts)), 1 - row * ROW / height]
        figure.layout[f"{axis[0]}axis{axis[1:]}"] = chart.figure.layout.yaxis.to_plotly_json() | {"domain": ends}
    figure.add_traces(traces)
    figure.update_layout(height=height + FRAME, hoversubplots="axis", hoverdistance=-1)
    # The dotted line at the cursor crosses all rows, since they share the axis.
    spike = {"spikemode": "across", "spikesnap": "cursor", "spikethickness": 1, "spikedash": "dot"}
    figure.update_xaxes(anchor=f"y{len(charts)}", showspikes=True, **spike)
    table = pd.concat([chart.table.assign(metric=metric) for metric, chart in charts])
    return Chart(figure, tuple(f"{metric}: {note}" for metric, chart in charts for note in chart.notes), table)


def _placed(trace: Any, axis: str, known: set[str]) -> dict[str, Any]:
    """A trace in its row; without an entry in the legend where a row above has one."""
    content: dict[str, Any] = trace.to_plotly_json() | {"xaxis": "x", "yaxis": axis}
    if content.get("name") in known:
        content["showlegend"] = False
    elif content.get("showlegend") is not False and "name" in content:
        known.add(content["name"])
    return content


def _is_colour_bar(trace: Any) -> bool:
    return bool(trace.marker.showscale)
