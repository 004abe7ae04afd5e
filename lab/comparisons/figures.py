"""The picture of a comparison: differences by seed, and the interval as it narrowed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def figure(arm: str, rows: Sequence[Mapping[str, Any]], control: str, measure: str, margin: float) -> "Figure":
    """The differences by seed, and the confidence sequence as it narrowed."""
    import plotly.graph_objects as go

    seeds = list(range(1, len(rows) + 1))
    finite = [row for row in rows if abs(row["low"]) != float("inf")]
    at = seeds[len(rows) - len(finite) :]
    drawn = go.Figure()
    band = {"x": at + at[::-1], "y": [r["high"] for r in finite] + [r["low"] for r in finite][::-1]}
    drawn.add_scatter(**band, fill="toself", line={"width": 0}, fillcolor="rgba(0,114,178,0.2)", name="sequence")
    drawn.add_scatter(x=seeds, y=[r["mean"] for r in rows], mode="lines", line={"color": "#0072B2"}, name="mean")
    drawn.add_scatter(
        x=seeds, y=[r["difference"] for r in rows], mode="markers", marker={"color": "#D55E00"}, name="one seed"
    )
    drawn.add_hline(y=0, line_width=1)
    if margin:
        drawn.add_hrect(y0=-margin, y1=margin, line_width=0, fillcolor="rgba(128,128,128,0.15)")
    drawn.update_layout(
        title=f"{arm} − {control}", xaxis_title="seeds", yaxis_title=f"difference in {measure}", template="simple_white"
    )
    return drawn
