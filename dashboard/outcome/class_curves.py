"""ROC, precision-recall and calibration of classes and labels, and the difference of two confusion matrices."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import text
from dashboard.figures.chart import COLOURS, HEIGHT, Chart, colour, dash
from dashboard.outcome.reads import ClassOutputs

MAX_CURVES = 8  # classes that are drawn, the hardest first
MAX_POINTS = 400  # of a curve
BINS = 10
Z = 1.959964  # the 97.5 % quantile of the normal distribution
Curve = tuple[np.ndarray, np.ndarray, float]  # x, y, and the area by which classes are ranked


def roc_curve(is_true: np.ndarray, score: np.ndarray) -> Curve:
    """False positive rate, true positive rate, and the area below; of (N,) truths and scores, both kinds present."""
    found, false = _counts_above(is_true, score)
    x, y = np.append(0, false / false[-1]), np.append(0, found / found[-1])
    return x, y, float(np.trapezoid(y, x))


def precision_curve(is_true: np.ndarray, score: np.ndarray) -> Curve:
    """Recall, precision, and the average precision (the sum over thresholds of the gain in recall times precision)."""
    found, false = _counts_above(is_true, score)
    recall, precision = found / found[-1], found / (found + false)
    return recall, precision, float(np.sum(np.diff(recall, prepend=0) * precision))


def _counts_above(is_true: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many true and how many false samples have at least each score, from the highest score to the lowest."""
    order = np.argsort(-score, kind="stable")
    last_of_its_score = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.cumsum(is_true[order])[last_of_its_score]
    return found, last_of_its_score + 1 - found


def calibration(said: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Of equally wide bins of a probability: its mean, how often it came true (low to high, Wilson 95 %), samples."""
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    per_bin = pd.DataFrame({"said": said, "happened": happened.astype(float)}).groupby(bins)
    rows = per_bin.agg(said=("said", "mean"), happened=("happened", "mean"), samples=("said", "size"))
    n, share = rows["samples"], rows["happened"]
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return rows.assign(low=centre - half, high=centre + half).reset_index(drop=True)


def roc_chart(outputs: ClassOutputs) -> Chart:
    """The ROC curve of each class or label; of two classes that of the second."""
    return _curves(outputs, roc_curve, "area", ("false positive rate", "true positive rate"), diagonal=True)


def precision_chart(outputs: ClassOutputs) -> Chart:
    """The precision-recall curve of each class or label; of two classes that of the second."""
    return _curves(outputs, precision_curve, "average precision", ("recall", "precision"), diagonal=False)


def _curves(
    outputs: ClassOutputs, curve: Callable[..., Curve], area: str, titles: tuple[str, str], diagonal: bool
) -> Chart:
    found = {}
    for number in _drawn_classes(outputs):
        is_true = outputs.is_true(number)
        if is_true.any() and not is_true.all():
            found[outputs.names[number]] = curve(is_true, outputs.probabilities[:, number])
    ranked = sorted(found.items(), key=lambda item: item[1][2])
    figure = go.Figure()
    if diagonal:
        figure.add_trace(_diagonal(0, 1))
    for style, (name, (x, y, value)) in enumerate(ranked[:MAX_CURVES]):
        kept = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).astype(int))
        line = {"color": colour(style), "dash": dash(style)}
        label = f"{text.escape_html(name, 24)} ({text.number(value)})"
        figure.add_scatter(x=x[kept], y=y[kept], mode="lines", name=label, line=line)
    _lay_out(figure, *titles)
    figure.update_yaxes(range=[0, 1.02])
    rows = pd.DataFrame([{"class": name, area: each[2]} for name, each in ranked], columns=["class", area])
    more = [f"the {MAX_CURVES} lowest of {len(ranked)}"] if len(ranked) > MAX_CURVES else []
    return Chart(figure, (*more, f"in brackets: {area}", *_part(outputs)), rows)


def _drawn_classes(outputs: ClassOutputs) -> Sequence[int]:
    """All classes and labels, but of two classes the second: the first one's curves say the same."""
    count = len(outputs.names)
    return range(count) if outputs.labels or count != 2 else [1]


def calibration_chart(outputs: ClassOutputs) -> Chart:
    """How often what was said with a probability came true.

    Of several classes, the probability of the most probable one; else that of the second class, or of all labels.
    """
    probabilities = outputs.probabilities
    if outputs.labels:
        said, happened, what = probabilities.ravel(), outputs.true.ravel() == 1, "the label"
    elif len(outputs.names) == 2:
        said, happened, what = probabilities[:, 1], outputs.is_true(1), text.escape_html(outputs.names[1], 24)
    else:
        said, happened, what = probabilities.max(axis=1), probabilities.argmax(axis=1) == outputs.true, "what was said"
    rows = calibration(said, happened)
    figure = go.Figure([_diagonal(0, 1)])
    figure.add_scatter(
        x=rows["said"],
        y=rows["happened"],
        error_y={
            "type": "data",
            "array": rows["high"] - rows["happened"],
            "arrayminus": rows["happened"] - rows["low"],
        },
        customdata=rows["samples"],
        mode="lines+markers",
        line={"color": colour(0)},
        hovertemplate="said %{x:.3f}, true %{y:.3f}, %{customdata:,} samples<extra></extra>",
        showlegend=False,
    )
    _lay_out(figure, "mean probability", f"share for which {what} is true")
    figure.update_layout(xaxis_range=[0, 1.02], yaxis_range=[0, 1.02])
    below = "below the line: overconfident" if len(outputs.names) > 2 and not outputs.labels else "on the line: exact"
    return Chart(figure, (below, "bars: 95 %", *_part(outputs)), rows)


def difference_chart(first: np.ndarray, second: np.ndarray, names: Sequence[str]) -> Chart:
    """A confusion matrix minus another: counts, or shares of each true class where the classes' sizes differ.

    Blue is better (more that are right, fewer errors), orange is worse.
    """
    same_size = np.array_equal(first.sum(axis=1), second.sum(axis=1))
    first_shares, second_shares = (each / np.maximum(each.sum(axis=1, keepdims=True), 1) for each in (first, second))
    change = first - second if same_size else 100 * (first_shares - second_shares)
    better = np.where(np.eye(len(names), dtype=bool), change, -change)
    limit = max(np.abs(change).max(), 1e-12)
    ticks = [text.escape_html(name, 20) for name in names]
    said = np.array([[f"{cell:+.4g}" if cell else "" for cell in row] for row in change])
    figure = go.Figure(
        go.Heatmap(
            z=np.where(change == 0, np.nan, np.sign(better) * np.sqrt(np.abs(better) / limit)),
            x=ticks,
            y=ticks,
            text=said,
            texttemplate="%{text}" if len(names) <= 20 else "",
            colorscale=[[0, COLOURS[1]], [0.5, "#FFFFFF"], [1, COLOURS[5]]],
            zmin=-1,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        )
    )
    _lay_out(figure, "predicted", "true")
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    unit = "samples" if same_size else "percentage points of the true class"
    table = pd.DataFrame(change, index=list(names), columns=list(names)).rename_axis("true ↓ predicted →")
    return Chart(figure, (f"in {unit}; blue: better, orange: worse",), table.reset_index())


def _diagonal(low: float, high: float) -> go.Scatter:
    line = {"color": COLOURS[-1], "dash": "dot", "width": 1}
    return go.Scatter(x=[low, high], y=[low, high], mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _part(outputs: ClassOutputs) -> list[str]:
    shown = len(outputs.true)
    return [f"{shown:,} of {outputs.total:,} samples"] if shown < outputs.total else []


def _lay_out(figure: go.Figure, x: str, y: str) -> None:
    legend = {"orientation": "v", "yanchor": "bottom", "y": 0.02, "xanchor": "right", "x": 1, "font": {"size": 12}}
    margin = {"l": 10, "r": 10, "t": 10, "b": 10}
    figure.update_layout(height=HEIGHT, margin=margin, legend=legend, xaxis_title=x, yaxis_title=y)
