"""What all figures share: a plotly figure with its notes and table, colours, and the layout of the axes.

The colours can be told apart by colour-blind readers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

# The palette of Okabe and Ito, without the colours that vanish on a white or a black background.
COLOURS = ("#0080C8", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "triangle-down", "star", "pentagon")
SCALE = ((0.0, "#0080C8"), (0.5, "#8C8C8C"), (1.0, "#D55E00"))  # of lines: its ends show on white and on black
HEIGHT = 420
LEGEND_HEIGHT = 90  # pixels, of which more entries scroll: on a phone they would take the place of the picture


@dataclass(frozen=True)
class Chart:
    """A figure, the notes below it, and the same data as a table."""

    figure: go.Figure
    notes: tuple[str, ...]
    table: pd.DataFrame


def set_layout(figure: go.Figure, y: str, x: str) -> None:
    """The height, legend and titles of the axes that all figures share."""
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "x": 0,
            "font": {"size": 12},
            "maxheight": LEGEND_HEIGHT,
        },
        xaxis_title=x,
        yaxis_title=y,
        hovermode="closest",
    )
    figure.update_yaxes(exponentformat="power", minexponent=6, separatethousands=True)


def colour(style: int) -> str:
    """The colour of the n-th line."""
    return COLOURS[style % len(COLOURS)]


def shade(place: float) -> str:
    """The colour of the scale at a place from 0 to 1."""
    places, colours = [at for at, _ in SCALE], np.array([_channels(colour) for _, colour in SCALE])
    return f"rgb({','.join(f'{np.interp(place, places, channel):.0f}' for channel in colours.T)})"


def _channels(colour: str) -> list[int]:
    """Red, green and blue of a colour `#rrggbb`."""
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def dash(style: int) -> str:
    """The dash pattern of the n-th line; the first 42 lines differ in colour or pattern."""
    return DASHES[style % len(DASHES)]


def marker(style: int) -> str:
    """The marker of the n-th line."""
    return MARKERS[style % len(MARKERS)]


def rgba(colour: str, opacity: float) -> str:
    """A colour `#rrggbb` or `rgb(r,g,b)` with an opacity."""
    if colour.startswith("rgb("):
        red, green, blue = (int(part) for part in colour[4:-1].split(","))
    else:
        red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{opacity})"
