"""What `lab check` prints."""

import math
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.display.numbers import duration
from lab.errors import abbreviated
from lab.training.rehearsal.check import Findings

LONGEST_REASON = 300  # characters
MOST_LAYERS = 24  # of a larger network, the first and the last half of them
GUESSES = {
    "classification": "the same probability for every class",
    "ordinal": "each class as often as in training",
    "multilabel": "a probability of one half for every label",
    "regression": "the mean of the training targets",
    "forecasting": "an output of 0",
    "language": "the same probability for every character",
}


def findings(found: Findings) -> RenderableType:
    """The figures of an experiment's first batch, the gradients of its layers, and notes."""
    lines = [f"[dim]{label:10}[/dim]  {escape(text)}" for label, text in _facts(found)]
    notes = [f"[yellow]{label:10}[/yellow]  {escape(text)}" for label, text in found.notes]
    layers: list[RenderableType] = ["", _layers(found.layers)] if found.layers else []
    return Group(*lines, *layers, *(["", *notes] if notes else []))


def _facts(found: Findings) -> Iterator[tuple[str, str]]:
    experiment = found.experiment
    frozen = found.parameters - found.trainable
    size = f"{found.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")
    yield "model", f"{experiment.network}, {size}"
    parts = ", ".join(f"{name} {_bytes(count)}" for name, count in found.memory.items())
    if parts:
        yield "memory", f"{_bytes(sum(found.memory.values()))} for a training step: {parts}"
    if found.seconds_per_step is not None:
        yield "time", _time(found, found.seconds_per_step)
    guess = "" if found.guess is None else f"; a guess, {GUESSES[found.task]}, costs {found.guess:.4f}"
    if not math.isnan(found.loss):
        yield "first loss", f"{found.loss:.4f}{guess}"
    reason = f"none: {abbreviated(found.not_exported, LONGEST_REASON)}"
    yield "export", reason if found.not_exported else "a model that predicts without the lab"
    yield "recorded", f"nothing; `lab run {experiment.name}` trains, tracks and tests it"


def _time(found: Findings, seconds: float) -> str:
    threads = f"{found.experiment.threads} thread{'' if found.experiment.threads == 1 else 's'}"
    epoch = f"{found.steps} steps, {_seconds(found.steps * seconds)} an epoch"
    return f"{_seconds(seconds)} a step on the CPU, {threads}; {epoch}"


def _layers(layers: Mapping[str, float | None]) -> Table:
    """The norm of each layer's gradient for the first batch."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    table.add_column("gradient norm", justify="right")
    rows = [(name, "none" if norm is None else f"{norm:.3g}") for name, norm in layers.items()]
    if len(rows) > MOST_LAYERS:
        half = MOST_LAYERS // 2
        rows = [*rows[:half], (f"... {len(rows) - MOST_LAYERS} more", ""), *rows[-half:]]
    for name, norm in rows:
        table.add_row(escape(name), norm)
    if 0.0 in layers.values():
        table.caption = "0 in the first step, as below a layer that starts at zero;\nnot so from the second step on"
        table.caption_justify = "left"
    return table


def _bytes(count: float) -> str:
    """A number of bytes in a unit that keeps it short."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else duration(seconds)
