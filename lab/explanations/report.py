"""The terminal output of an explanation: errors, importance, the worst samples, where everything is kept."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.display.numbers import counted, number, percent, signed
from lab.explanations.explanation import FOLDER, Explanation
from lab.explanations.importance import Importance
from lab.explanations.outcomes import BEST_LISTS
from lab.tracking import store

PARTS, SAMPLES = 12, 5  # rows shown; the files have all
SHARED = "Inputs that say the same share their importance: shuffling one of them costs little while the others remain."


def outcome(explanation: Explanation) -> RenderableType:
    """The whole output."""
    parts: list[RenderableType] = [_errors(explanation)]
    if explanation.importance is not None:
        parts += ["", _importance(explanation.importance, explanation.metric), SHARED]
    shown: list[list[int]] = [[]]
    for title, positions in explanation.lists.items():
        first = positions[:SAMPLES]
        if title not in BEST_LISTS and first not in shown:  # of two classes the same errors may be in both lists
            parts += ["", _samples(title, [explanation.samples[position] for position in first])]
            shown.append(first)
    return Group(*parts, "", *(f"[dim]{label:10}[/dim]  {escape(text)}" for label, text in _facts(explanation)))


def _errors(explanation: Explanation) -> str:
    score = f"{explanation.metric} {number(explanation.score)} on {counted(explanation.size, 'sample')}"
    if explanation.errors is None:
        return score
    share = percent(explanation.errors / explanation.size)
    return f"[bold]{counted(explanation.errors, 'error')}[/bold] ({share}); {score}"


def _importance(found: Importance, metric: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("shuffled", no_wrap=True)
    table.add_column(f"{metric} falls by", justify="right")
    table.add_column("sd", justify="right")
    for index in found.order[:PARTS]:
        falls = found.falls[index]
        table.add_row(escape(found.parts[index].name), signed(falls.mean()), number(falls.std()))
    if (more := len(found.parts) - PARTS) > 0:
        table.add_row(f"[dim]and {more} more[/dim]", "", "")
    return table


def _samples(title: str, samples: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, no_wrap=True)
    confident = "confidence" in samples[0]
    about = ["label"] if "label" in samples[0] else []
    for name in ("true", "predicted", *about, *(["confidence"] if confident else []), "loss"):
        table.add_column(name, justify="right")
    for sample in samples:
        confidence = [f"{sample['confidence']:.1%}"] if confident else []
        said = [_value(sample[name]) for name in ("true", "predicted", *about)]
        cells = (*said, *confidence, number(sample["loss"]))
        table.add_row(escape(sample["id"]), *map(escape, cells))
    return table


def _value(value: Any) -> str:
    """A class, a number, or the first and the last of several."""
    if isinstance(value, list):
        return " .. ".join(_value(each) for each in ([value[0], value[-1]] if len(value) > 2 else value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _facts(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """Notes and files, as (label, text)."""
    yield from (("note", note) for note in explanation.notes)
    attributed = [sample["attribution"] for sample in explanation.samples if "attribution" in sample]
    if attributed:
        yield "saliency", f"of {counted(len(attributed), 'sample')}, such as {attributed[0]['figure']}"
    if explanation.importance is not None:
        repeats = explanation.importance.falls.shape[1]
        yield "shuffled", f"{repeats} times each, seed {explanation.seed}, on the {explanation.split} split"
    yield "run", f"{explanation.run_id[:8]} ({explanation.run_name})"
    yield "files", store.place_of(explanation.experiment, explanation.run_id, FOLDER)
    yield "next", "make dashboard"
