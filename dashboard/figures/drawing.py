"""A plotly figure as a static SVG, drawn by matplotlib: small, printable, and without JavaScript."""

import html
import io
import re
import threading
import warnings
from typing import Any

import numpy as np

WIDTH, HEIGHT = 10.0, 4.2  # inches, without the legend
LEGEND_ROW = 0.21
LEGEND_COLUMNS = 2
DASHES = {"dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3)), "longdashdot": (0, (8, 3, 2, 3))}
MARKERS = {"square": "s", "diamond": "D", "cross": "P", "triangle-up": "^", "triangle-down": "v", "star": "*"}
MARKERS |= {"pentagon": "p", "x": "X"}
KINDS = ("scatter", "heatmap")
# Text as text, and literally; the same ids each time.
SETTINGS: Any = {"svg.fonttype": "none", "text.parse_math": False, "svg.hashsalt": "lab", "font.size": 9}
PATH, DECIMALS = re.compile(r' d="[^"]*"'), re.compile(r"(\.\d)\d+")
LOCK = threading.Lock()  # matplotlib's settings are those of the whole process


def can_draw(figure: Any) -> bool:
    """Whether a figure is of lines, points and matrices alone."""
    return bool(figure.data) and all(trace.type in KINDS for trace in figure.data)


def to_svg(figure: Any) -> str:
    """The figure as an SVG element; only of figures for which `can_draw` is true."""
    import matplotlib
    from matplotlib.figure import Figure

    with LOCK, matplotlib.rc_context(SETTINGS):
        rows = -(-len(_in_legend(figure)) // LEGEND_COLUMNS)
        picture = Figure(figsize=(WIDTH, HEIGHT + LEGEND_ROW * rows), layout="constrained")
        axes = picture.add_subplot()
        for trace in figure.data:
            (_matrix if trace.type == "heatmap" else _line)(axes, trace)
        _set_axes(axes, figure.layout)
        if figure.layout.showlegend is not False:
            _add_legend(picture, axes)
        _add_colour_bar(picture, axes, figure)
        buffer = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # the browser draws the text, with fonts of its own
            picture.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    return PATH.sub(_shorter, drawn[drawn.index("<svg") :])


def _shorter(path: re.Match[str]) -> str:
    """A path with a tenth of a point: a third less to store, and nothing that one could see."""
    return DECIMALS.sub(r"\1", path[0])


def _line(axes: Any, trace: Any) -> None:
    """A line with or without markers, points, or a filled band."""
    x, y = _positions(trace.x), _numbers(trace.y)
    if trace.fill:
        axes.fill(x, y, color=_colour(trace.fillcolor), linewidth=0, label="_")
        return
    mode = trace.mode or "lines"
    lines, points = "lines" in mode, "markers" in mode
    colour = _colour(trace.line.color) if lines else None
    options = {"alpha": trace.opacity, "zorder": 2}
    shown = trace.showlegend is not False and trace.name
    label = html.unescape(trace.name) if shown else "_"
    if lines:
        dashes: Any = DASHES.get(trace.line.dash or "solid", "-")
        step: Any = "steps-post" if trace.line.shape == "hv" else "default"
        options |= {"color": colour, "linestyle": dashes, "linewidth": 0.7 * (trace.line.width or 2), "drawstyle": step}
        if points:
            options |= {"marker": MARKERS.get(trace.marker.symbol, "o"), "markersize": 4}
        axes.plot(x, y, label=label, **options)
    elif np.isfinite(y).any():
        _points(axes, trace, x, y, label)


def _points(axes: Any, trace: Any, x: np.ndarray, y: np.ndarray, label: str) -> None:
    """Points; where each has a colour or symbol of its own, those of a colour and symbol together."""
    colours, symbols = (_each(value, len(x)) for value in (trace.marker.color, trace.marker.symbol))
    for colour, symbol in dict.fromkeys(zip(colours, symbols, strict=True)):
        chosen = [pair == (colour, symbol) for pair in zip(colours, symbols, strict=True)]
        marker, drawn = MARKERS.get(symbol, "o"), _colour(colour)
        axes.scatter(x[chosen], y[chosen], s=28, marker=marker, color=drawn, label=label, alpha=trace.opacity)


def _each(value: Any, amount: int) -> list[Any]:
    return [value] * amount if value is None or isinstance(value, str) else list(value)


def _matrix(axes: Any, trace: Any) -> None:
    """A heat map with the text of its cells."""
    z = np.asarray(trace.z, float)
    axes.imshow(z, cmap=_colour_map(trace.colorscale), vmin=trace.zmin, vmax=trace.zmax, aspect="auto")
    axes.set_xticks(range(z.shape[1]), [html.unescape(str(name)) for name in trace.x])
    axes.set_yticks(range(z.shape[0]), [html.unescape(str(name)) for name in trace.y])
    if trace.texttemplate:
        for (row, column), cell in np.ndenumerate(np.asarray(trace.text)):
            at = {"ha": "center", "va": "center"}
            if np.isfinite(z[row, column]):
                axes.text(column, row, str(cell), bbox=_PAPER, **at)


_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}  # behind a number on any colour


def _colour_map(scale: Any) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("scale", [(at, _colour(colour)) for at, colour in scale])


def _set_axes(axes: Any, layout: Any) -> None:
    """Titles, logarithmic axes, ranges, and a grid."""
    for name, axis in (("x", layout.xaxis), ("y", layout.yaxis)):
        getattr(axes, f"set_{name}label")(html.unescape(axis.title.text or ""))
        if axis.type == "log":
            getattr(axes, f"set_{name}scale")("log")
        if axis.range is not None and None not in axis.range:
            ends = [10.0**end for end in axis.range] if axis.type == "log" else list(axis.range)
            getattr(axes, f"set_{name}lim")(*ends)
    if layout.yaxis.type != "category":
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)


def _in_legend(figure: Any) -> list[Any]:
    hidden = figure.layout.showlegend is False
    return [] if hidden else [trace for trace in figure.data if trace.name and trace.showlegend is not False]


def _add_legend(picture: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        picture.legend(handles, labels, loc="outside lower left", ncols=LEGEND_COLUMNS, frameon=False)


def _add_colour_bar(picture: Any, axes: Any, figure: Any) -> None:
    """The scale of colours of a figure that has one in place of a legend."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    for trace in figure.data:
        if trace.type == "scatter" and trace.marker.showscale:
            ends, colours = Normalize(trace.marker.cmin, trace.marker.cmax), _colour_map(trace.marker.colorscale)
            bar = picture.colorbar(ScalarMappable(ends, colours), ax=axes)
            bar.set_label(html.unescape(trace.marker.colorbar.title.text or ""))


def _positions(values: Any) -> np.ndarray:
    """Values of the x axis: dates as they are, else numbers."""
    found = np.asarray(values)
    return found if found.dtype.kind == "M" else _numbers(values)


def _numbers(values: Any) -> np.ndarray:
    """Values as numbers; None as NaN, which is a gap."""
    return np.array([np.nan if value is None else value for value in values], float)


def _colour(name: str | None) -> Any:
    """A colour of plotly, such as `#0080C8` or `rgba(0,128,200,0.2)`, as matplotlib takes it."""
    if name is None or not name.startswith("rgb"):
        return name
    red, green, blue, *opacity = (float(part) for part in re.findall(r"[\d.]+", name))
    return (red / 255, green / 255, blue / 255, *opacity)
