"""Figures of a run: data in, a matplotlib figure out. matplotlib takes a while to import, so import this late."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe & Ito (2008): distinguishable with any colour vision.
COLOURS = {"train": "#0072B2", "val": "#D55E00"}
CELL = (4.2, 3.4)  # inches of one learning curve
TICKS = 4  # intervals between them at most; drawing them takes most of a figure's time
MOST_TARGETS = 4  # in the figure of a forecast
MOST_STEPS = 240
INTERVAL = "interval"  # a band of this name, where there are quantiles too, is drawn as two lines
Band = tuple[str, NDArray[np.floating], NDArray[np.floating]]  # label, lower and upper ends (N, T)
OF_MEASURES = ("#56B4E9", "#E69F00", "#009E73")
STYLES = {"train": "-", "val": "--"}


def learning_curves(history: Sequence[dict[str, float]], best_epoch: int) -> Figure:
    """Loss and metrics by epoch, training solid and validation dashed, the best epoch marked."""
    names = [name.removeprefix("val/") for name in history[-1] if name.startswith("val/")] or ["loss"]
    figure = Figure(figsize=(CELL[0] * len(names), CELL[1]))
    cells = _side_by_side(figure, len(names))
    for axes, name in zip(cells, names, strict=True):
        for split, colour in COLOURS.items():
            points = [(row["epoch"], row[f"{split}/{name}"]) for row in history if f"{split}/{name}" in row]
            if points:
                marker = "." if len(points) == 1 else None  # a line of one epoch is not seen
                axes.plot(*zip(*points, strict=True), STYLES[split], marker=marker, color=colour, label=split)
        axes.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label=f"best, {best_epoch}")
        axes.set(xlabel="epoch", title=name)
        axes.locator_params("y", nbins=TICKS)
        axes.locator_params("x", nbins=TICKS, integer=True)
    max(cells, key=lambda axes: len(axes.lines)).legend(frameon=False)  # one is enough, and takes time
    return figure


def _side_by_side(figure: Figure, count: int) -> list[Axes]:
    """Axes in a row, with room in inches for the numbers beside and below them.

    Without a layout engine, which draws everything twice: a tenth of the time of a small run.
    """
    (width, height), left, right, bottom, top = CELL, 0.7, 0.15, 0.5, 0.35
    figure.subplots_adjust(
        left=left / (width * count),
        right=1 - right / (width * count),
        bottom=bottom / height,
        top=1 - top / height,
        wspace=(left + right) / (width - left - right),
    )
    return list(figure.subplots(1, count, squeeze=False)[0])


def confusion_matrix(counts: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Counts (true class, predicted class) but zeros, shaded by the share of the true class."""
    size = 2.4 + 0.42 * len(class_names)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.argwhere(counts):
        colour = "white" if shares[true, predicted] > 0.5 else "black"
        count = axes.text(predicted, true, str(counts[true, predicted]), ha="center", va="center", color=colour)
        count.set(fontsize=8, in_layout=False)
    ticks = range(len(class_names))
    axes.set(xlabel="predicted", ylabel="true", xticks=ticks, yticks=ticks, yticklabels=class_names)
    _name_columns(axes, class_names, slanted=max(map(len, class_names)) > 3)
    return figure


def _name_columns(axes: Axes, names: Sequence[str], slanted: bool) -> None:
    """Write the names below the ticks; slanted ones end there."""
    slant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticklabels(names, **slant)


def label_bars(scores: Mapping[str, Sequence[Any]]) -> Figure:
    """Precision, recall and F1 of each label, a group of bars each, with the number of samples that have it."""
    labels, measures = scores["labels"], [name for name in ("precision", "recall", "f1") if name in scores]
    figure = Figure(figsize=(max(4.4, 1.6 + 0.8 * len(labels)), 3.6), layout="constrained")
    axes = figure.subplots()
    places, width = np.arange(len(labels)), 0.8 / len(measures)
    for number, (measure, colour) in enumerate(zip(measures, OF_MEASURES, strict=False)):
        values = [0.0 if value is None else value for value in scores[measure]]
        axes.bar(places + (number - (len(measures) - 1) / 2) * width, values, width, color=colour, label=measure)
    names = [f"{name}\n{count:,}" for name, count in zip(labels, scores["samples"], strict=True)]
    axes.set(ylim=(0, 1), xticks=places, ylabel="in the test")
    _name_columns(axes, names, slanted=max(map(len, labels)) > 10)
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def predicted_against_true(
    predicted: NDArray[np.floating], true: NDArray[np.floating], bands: Sequence[Band] = ()
) -> Figure:
    """Predictions (N, T) against true values (N, T), with the widest band, and the line on which they are equal."""
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for label, lower, upper in bands[:1]:
        axes.vlines(true.ravel(), lower.ravel(), upper.ravel(), color=COLOURS["train"], alpha=0.25, label=label)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    axes.plot(true.ravel(), predicted.ravel(), ".", color=COLOURS["train"], alpha=0.6)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="true", ylabel="predicted")
    return figure


def forecast(
    true: NDArray[np.floating],
    predicted: NDArray[np.floating],
    bands: Sequence[Band],
    columns: Mapping[str, slice],
) -> Figure:
    """Forecasts (N, T) of the test split that follow each other without overlap, with bands, for each target.

    `columns` are the steps of each target. A dotted line stands where a forecast begins.
    """
    shown = dict(list(columns.items())[:MOST_TARGETS])
    figure = Figure(figsize=(9.0, 2.8 * len(shown)), layout="constrained")
    for axes, (name, steps) in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown.items(), strict=True):
        horizon = true[:, steps].shape[1]
        rows = np.arange(0, len(true), horizon)[-max(MOST_STEPS // horizon, 1) :]
        at = np.arange(len(rows) * horizon) + 1

        def line(values: NDArray[np.floating], rows: Any = rows, steps: slice = steps) -> NDArray[np.floating]:
            return values[rows][:, steps].ravel()

        for number, (label, lower, upper) in enumerate(bands):
            ends = line(lower), line(upper)
            if label.startswith(INTERVAL) and len(bands) > 1:  # nearly the same as the outer quantiles
                axes.plot(at, np.stack(ends, axis=1), "--", color=COLOURS["train"], linewidth=0.8, label=[label, None])
                continue
            axes.fill_between(at, *ends, color=COLOURS["train"], alpha=0.15 + 0.1 * number, linewidth=0, label=label)
        axes.plot(at, line(true), color="black", linewidth=1.2, label="true")
        axes.plot(at, line(predicted), color=COLOURS["val"], linewidth=1.2, label="predicted")
        for begin in at[::horizon] if horizon > 1 else ():
            axes.axvline(begin - 0.5, color="grey", linewidth=0.5, linestyle=":")
        axes.set(xlabel="step of the test split", ylabel=name, xlim=(0.5, len(at) + 0.5))
        axes.legend(frameon=False, ncols=2 + len(bands), loc="lower left", bbox_to_anchor=(0, 1))
    return figure
