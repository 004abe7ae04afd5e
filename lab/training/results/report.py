"""The terminal output of a run: its metrics, where they are recorded, the next commands.

A run of a shipped experiment fits one screen of 80 columns and 24 lines, prompt included: a test counts.
"""

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.data.base import SPLITS
from lab.display.numbers import counted, number
from lab.display.standing import COLOURS, Baseline, standing
from lab.tracking import store
from lab.training.run import Result

OF_EACH = {
    "recall": "test/recall_",
    "f1": "test/f1_",
    "auroc": "test/auroc_",
}
MOST_SHOWN = 4  # classes or labels in one line; the run records all


def summary(result: Result) -> RenderableType:
    """The metrics, the facts, and the next commands."""
    return Group(outcome(result), *_lines(_next_commands(result)))


def outcome(result: Result) -> Group:
    """How the result stands against its baselines; the metrics on every split, beside theirs; the facts."""
    return Group(*_standing(result), _metrics(result), "", *_lines(_facts(result)))


def _standing(result: Result) -> list[str]:
    """The sentence and an empty line; nothing where there is no baseline."""
    metric = f"test/{result.main_metric}"
    values = ((f"the {result.baseline_name}", result.baseline), (result.quick_baseline_name, result.quick_baseline))
    found = [Baseline(name, of[metric]) for name, of in values if metric in of]
    value, interval = result.metrics.get(metric, math.nan), result.intervals.get(metric)
    shown = standing(metric, value, interval, found, result.higher_is_better)
    return [f"[{COLOURS[shown.state]}]{escape(shown.sentence)}[/]", ""] if shown else []


def _lines(labelled: Iterable[tuple[str, str]]) -> list[str]:
    return [f"[dim]{label:10}[/dim]  {text}" for label, text in labelled]


def _metrics(result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(escape(result.experiment.name), no_wrap=True)
    for split in SPLITS:
        table.add_column(split, justify="right")
    if result.intervals:
        table.add_column("95 %", justify="right", no_wrap=True)
    for title in _baselines(result):
        table.add_column(title, justify="right", style="dim")
    for name in _metric_names(result.metrics):
        cells = [number(result.metrics.get(f"{split}/{name}")) for split in SPLITS]
        cells[-1] = f"[bold]{cells[-1]}[/bold]"
        if result.intervals:
            cells.append(_interval(result.intervals.get(f"test/{name}")))
        cells += [number(of.get(f"test/{name}")) for of in _baselines(result).values()]
        table.add_row(escape(name), *cells)
    return table


def _baselines(result: Result) -> dict[str, Mapping[str, float]]:
    """The test metrics of each baseline that there is, by its name."""
    of = ((result.baseline_name, result.baseline), (result.quick_baseline_name, result.quick_baseline))
    return {name: metrics for name, metrics in of if metrics}


def _interval(ends: tuple[float, float] | None) -> str:
    return escape(f"[{_rounded(ends[0])}, {_rounded(ends[1])}]") if ends else ""


def _rounded(value: float) -> str:
    """An end of an interval, a digit less than a metric has."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _metric_names(metrics: dict[str, float]) -> list[str]:
    """The metrics without their split, the loss last; without those of single classes."""
    of_splits = [name.partition("/")[2] for name in metrics if name.partition("/")[0] in SPLITS]
    single = {name for measure in OF_EACH for name in _of_each(metrics, measure)}
    shown = [name for name in of_splits if f"test/{name}" not in single]
    return sorted(dict.fromkeys(shown), key=lambda name: name == "loss")


def _of_each(metrics: dict[str, float], measure: str) -> dict[str, float]:
    """The measure of each class or label in the test, which no other split has, the lowest first."""
    found = {
        name: value
        for name, value in metrics.items()
        if name.startswith(OF_EACH[measure]) and name.replace("test/", "val/") not in metrics
    }
    return dict(sorted(found.items(), key=lambda item: (math.isnan(item[1]), item[1])))


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    """Size, time, device and files, as (label, text)."""
    run_id, name = result.run_id, result.experiment.name
    yield from ((label, escape(text)) for label, text in result.notes)
    threads = result.experiment.threads
    took = f"{result.seconds:.1f} s on {result.device}, {threads} thread{'' if threads == 1 else 's'}"
    yield "best epoch", f"{result.best_epoch} of {result.epochs}, {_chosen_by(result)}; {took}"
    frozen = f", {result.frozen:,} of them frozen" if result.frozen else ""
    yield "model", f"{result.experiment.network}, {result.parameters:,} parameters{frozen}"
    intervals = "; 95 % is over test sets of this size, not over seeds" if result.intervals else ""
    if result.test_samples:
        yield "test", f"{counted(result.test_samples, 'sample')}{intervals}"
    yield from _measures_of_each(result)
    yield "seed", f"{result.experiment.seed}; a single seed is no evidence yet"
    if run_id:
        yield "run", run_id
        yield "files", escape(store.place_of(name, run_id))
    if result.delivery.pending:
        yield "tracking", f"[yellow]{result.delivery.message}[/yellow]"


def _measures_of_each(result: Result) -> Iterator[tuple[str, str]]:
    """The lowest recalls, or other measures, of single classes or labels, as (measure, text)."""
    what = "label" if result.task == "multilabel" else "class"
    for measure, start in OF_EACH.items():
        found = {name.removeprefix(start): value for name, value in _of_each(result.metrics, measure).items()}
        if not found:
            continue
        absent = [name for name, value in found.items() if math.isnan(value)]
        ranked = [f"{name} {value:.3f}" for name, value in found.items() if not math.isnan(value)]
        more = f"; not in the test: {_first(absent)}" if absent else ""
        yield measure, escape(f"by {what}, the lowest first: {_first(ranked)}{more}")


def _first(texts: Sequence[str]) -> str:
    """All of them, or where they are more than one line shows, the first ones and how many there are besides."""
    shown = len(texts) if len(texts) <= MOST_SHOWN else MOST_SHOWN - 1
    return ", ".join([*texts[:shown], *([f"and {len(texts) - shown} more"] if shown < len(texts) else [])])


def _chosen_by(result: Result) -> str:
    """How the best epoch was chosen: where what is monitored was never a number, it was not."""
    monitor = result.experiment.checkpoints["monitor"]
    if monitor is None:
        return "the last one"
    known = math.isfinite(result.metrics.get(monitor, 0.0))  # of that epoch, the best of all
    return f"by {monitor}" if known else f"the last one: {monitor} was never a finite number"


def _next_commands(result: Result) -> Iterator[tuple[str, str]]:
    """The next commands, the first of them labelled."""
    name, seed, run_id = result.experiment.name, result.experiment.seed, result.run_id
    others = [override for override in result.experiment.overrides if not override.startswith("seed=")]
    yield "next", escape(_again(name, [*others, f"seed={seed + 1}"]))
    if run_id and not any(about == "incomplete" for about, _ in result.notes):
        what = "--prompt ..." if result.task == "language" else "new-data"
        yield "", f".venv/bin/lab predict {run_id[:8]} {what}"
    yield "", "make dashboard"


def _again(name: str, overrides: list[str]) -> str:
    """The command that runs an experiment with these overrides, as a shell takes it."""
    if shlex.join(overrides) == " ".join(overrides):
        return f'make experiment NAME={name} ARGS="{" ".join(overrides)}"'
    return f".venv/bin/lab run {name} {shlex.join(overrides)}"
