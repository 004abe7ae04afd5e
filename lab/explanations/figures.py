"""Figures of an explanation. matplotlib takes a while to import, so import this late."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lab.explanations.attributions import Attribution
from lab.explanations.importance import Importance

SHOWN = 20  # parts in the bar chart
SMALLEST_SIDE, LARGEST_SIDE = 128, 256  # pixels of a thumbnail
RANGES = {"uint8": 255.0, "uint16": 65_535.0}  # of the pixels of an image file
BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe & Ito
DIVERGING = "RdBu"  # blue speaks for the output, red against it
Array = NDArray[np.floating[Any]]


def importance(found: Importance, metric: str) -> Figure:
    """The mean fall of the metric for each part, with one standard deviation, the most important on top."""
    chosen = found.order[:SHOWN][::-1]
    figure = Figure(figsize=(6.4, 1.2 + 0.28 * len(chosen)), layout="constrained")
    axes = figure.subplots()
    falls = found.falls[chosen]
    names = [found.parts[number].name for number in chosen]
    axes.barh(names, falls.mean(axis=1), xerr=falls.std(axis=1), color=BLUE, ecolor="grey", capsize=2)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set(xlabel=f"fall of {metric} when shuffled")
    return figure


def image(values: Array, kind: str = "") -> Image.Image:
    """Raw values (C, H, W) as a picture; `kind` is the type of a file's pixels, else the range is the sample's own."""
    low, high = (0.0, RANGES[kind]) if kind in RANGES else (float(values.min()), float(values.max()))
    pixels = np.clip((values - low) / ((high - low) or 1.0) * 255, 0, 255).round().astype(np.uint8)
    made = Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0])
    made.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    factor = max(1, SMALLEST_SIDE // max(made.size))
    return made.resize((factor * made.width, factor * made.height), Image.Resampling.NEAREST)


def sequence(values: Array) -> Figure:
    """Values (C, L) as lines."""
    figure, axes = _small()
    axes.plot(values.T, linewidth=1)
    return figure


def window(past: Array, true: Array, forecast: Array) -> Figure:
    """The past of the targets (C, window), and the next steps: true and forecast, (C, horizon)."""
    figure, axes = _small()
    next_steps = past.shape[1] + np.arange(true.shape[1])
    for channel in range(len(true)):
        axes.plot(past[channel], color="grey", linewidth=1)
        axes.plot(next_steps, true[channel], color=BLUE, linewidth=1.5, label="true")
        axes.plot(next_steps, forecast[channel], "--", color=ORANGE, linewidth=1.5, label="forecast")
    axes.legend(*_first(axes, 2), frameon=False, fontsize=7)
    return figure


def _small() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(3.2, 1.8))
    figure.subplots_adjust(0.15, 0.14, 0.98, 0.96)  # the constrained layout would take half of the time
    axes = figure.subplots()
    axes.tick_params(labelsize=7)
    return figure, axes


def _first(axes: Axes, count: int) -> tuple[Sequence[Any], Sequence[Any]]:
    handles, labels = axes.get_legend_handles_labels()
    return handles[:count], labels[:count]


def attribution(values: Array, found: Attribution, title: str) -> Figure:
    """A sample (C, L) or (C, H, W), and what each of its values adds to the output, by both methods."""
    draw = _attributed_image if values.ndim == 3 else _attributed_sequence
    figure = draw(values, {"integrated gradients": found.gradients, "occlusion": found.occlusion})
    figure.suptitle(title, fontsize=10)
    return figure


def _attributed_image(values: Array, maps: dict[str, Array]) -> Figure:
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(maps))
    first.imshow(np.asarray(image(values)), cmap="grey")
    first.set_title("input", fontsize=9)
    for axes, (name, found) in zip(others, maps.items(), strict=True):
        summed = found.sum(axis=0)
        limit = float(np.abs(summed).max()) or 1.0
        drawn = axes.imshow(summed, cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set_title(name, fontsize=9)
        figure.colorbar(drawn, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)
    for axes in (first, *others):
        axes.set(xticks=[], yticks=[])
    return figure


def _attributed_sequence(values: Array, maps: dict[str, Array]) -> Figure:
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    first, *others = figure.subplots(1 + len(maps), 1, sharex=True)
    first.plot(values.T, linewidth=1)
    first.set_ylabel("input", fontsize=8)
    for axes, (name, found) in zip(others, maps.items(), strict=True):
        summed = found.sum(axis=0)
        axes.bar(np.arange(len(summed)), summed, width=1.0, color=np.where(summed < 0, ORANGE, BLUE))
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set_ylabel(name, fontsize=8)
    for axes in (first, *others):
        axes.tick_params(labelsize=7)
    return figure


def save(picture: Figure | Image.Image, path: Path) -> None:
    """Write a PNG; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, Figure):
        picture.savefig(path, dpi=120)
    else:
        picture.save(path)
