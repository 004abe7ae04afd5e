"""The figure of a comparison, from plain rows: pure plotly, which the dashboard and the HTML page share."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MEAN, SEED = "#0072B2", "#D55E00"  # blue and vermilion of the colour-blind-safe palette of Okabe and Ito
BAND, EQUAL = "rgba(0,114,178,0.2)", "rgba(128,128,128,0.25)"
ZERO = "#808080"  # seen on a white and on a dark page


def figure(arm: str, rows: Sequence[Mapping[str, Any]], control: str, measure: str, margin: float) -> "Figure":
    """The differences by seed, their mean, and its interval.

    Each row has the keys difference, mean, low and high; bounds that are infinite, or None in a file, are not drawn.
    """
    import plotly.graph_objects as go

    seeds = list(range(1, len(rows) + 1))
    finite = [row for row in rows if _is_finite(row["low"]) and _is_finite(row["high"])]
    at = seeds[len(rows) - len(finite) :]
    drawn = go.Figure()
    band = {"x": at + at[::-1], "y": [r["high"] for r in finite] + [r["low"] for r in finite][::-1]}
    drawn.add_scatter(**band, mode="lines", fill="toself", line={"width": 0}, fillcolor=BAND, name="interval")
    drawn.add_scatter(x=seeds, y=[r["mean"] for r in rows], mode="lines", line={"color": MEAN}, name="mean")
    drawn.add_scatter(x=seeds, y=[r["difference"] for r in rows], mode="markers", marker={"color": SEED}, name="seed")
    drawn.add_hline(y=0, line_width=1, line_color=ZERO)
    if margin:
        equal = {"name": "no difference that matters", "showlegend": True}
        drawn.add_hrect(y0=-margin, y1=margin, line_width=0, fillcolor=EQUAL, **equal)
    drawn.update_yaxes(range=_shown(rows, margin))  # the first intervals are many times wider
    drawn.update_layout(
        title=f"{arm} − {control}", xaxis_title="seeds", yaxis_title=f"difference in {measure}", template="simple_white"
    )
    return drawn


def _shown(rows: Sequence[Mapping[str, Any]], margin: float) -> list[float] | None:
    """The range of y that shows every difference, the margin, and the last interval."""
    values = [value for row in rows for value in (row["difference"], row["mean"])] + [0.0, -margin, margin]
    values += [value for row in rows[-1:] for value in (row["low"], row["high"])]
    finite = [value for value in values if _is_finite(value)]
    room = 0.1 * (max(finite) - min(finite))
    return [min(finite) - room, max(finite) + room] if room else None


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
