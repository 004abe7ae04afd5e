"""The terminal output of a run: its metrics, where they are recorded, the next commands."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.display.numbers import number
from lab.tracking import store
from lab.training.run import SPLITS, Result

BASELINES = {
    "classification": "majority class",
    "regression": "training mean",
    "forecasting": "last value",
}


def summary(result: Result) -> RenderableType:
    """The metrics, the facts, and the next commands."""
    return Group("", outcome(result), *_lines(_next_commands(result)))


def outcome(result: Result) -> Group:
    """The metrics on every split, beside the trivial baseline, and the facts."""
    return Group(_metrics(result), "", *_lines(_facts(result)))


def _lines(labelled: Iterable[tuple[str, str]]) -> list[str]:
    return [f"[dim]{label:10}[/dim]  {text}" for label, text in labelled]


def _metrics(result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(escape(result.experiment.name))
    for split in SPLITS:
        table.add_column(split, justify="right")
    if result.intervals:
        table.add_column("95 %", justify="right")
    if result.baseline:
        baseline = result.baseline_name or BASELINES[result.task]
        table.add_column(f"baseline, test ({baseline})", justify="right", style="dim")
    for name in _metric_names(result.metrics):
        cells = [number(result.metrics.get(f"{split}/{name}")) for split in SPLITS]
        cells[-1] = f"[bold]{cells[-1]}[/bold]"
        if result.intervals:
            cells.append(_interval(result.intervals.get(f"test/{name}")))
        if result.baseline:
            cells.append(number(result.baseline.get(f"test/{name}")))
        table.add_row(escape(name), *cells)
    return table


def _interval(ends: tuple[float, float] | None) -> str:
    return escape(f"[{number(ends[0])}, {number(ends[1])}]") if ends else ""


def _metric_names(metrics: dict[str, float]) -> list[str]:
    """The metrics without their split, the loss last."""
    of_splits = [name.partition("/")[2] for name in metrics if name.partition("/")[0] in SPLITS]
    return sorted(dict.fromkeys(of_splits), key=lambda name: name == "loss")


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    """Size, time, device and paths, as (label, text)."""
    run_id = result.run_id
    yield from ((label, escape(text)) for label, text in result.notes)
    monitor = result.experiment.checkpoints["monitor"]
    yield "best epoch", f"{result.best_epoch} of {result.epochs}, {f'by {monitor}' if monitor else 'the last one'}"
    frozen = f", {result.frozen:,} of them frozen" if result.frozen else ""
    yield "model", f"{result.experiment.network}, {result.parameters:,} parameters{frozen}"
    threads = result.experiment.threads
    yield "time", f"{result.seconds:.1f} s on {result.device}, {threads} thread{'' if threads == 1 else 's'}"
    samples = f"{result.test_samples:,} sample{'' if result.test_samples == 1 else 's'}"
    intervals = "; 95 % intervals over test sets of this size, not over seeds" if result.intervals else ""
    if result.test_samples:
        yield "test", f"{samples}{intervals}"
    yield "seed", f"{result.experiment.seed}; a single seed is no evidence yet"
    if run_id:
        yield "run", run_id
        yield "checkpoint", _checkpoint_path(result.experiment.name, run_id)
    if result.delivery.pending:
        yield "tracking", f"[yellow]{result.delivery.message}[/yellow]"


def _next_commands(result: Result) -> Iterator[tuple[str, str]]:
    """The next commands, the first of them labelled."""
    name, seed, run_id = result.experiment.name, result.experiment.seed, result.run_id
    others = [override for override in result.experiment.overrides if not override.startswith("seed=")]
    yield "next", escape(f'make experiment NAME={name} ARGS="{" ".join([*others, f"seed={seed + 1}"])}"')
    if run_id:
        yield "", f".venv/bin/lab test {run_id[:8]}"
    if run_id and not any(about == "incomplete" for about, _ in result.notes):
        yield "", f".venv/bin/lab predict {run_id[:8]} new-data"
    yield "", "make dashboard"


def _checkpoint_path(experiment: str, run_id: str) -> str:
    """The best checkpoint of a run: a path in a local store, else its MLflow URI."""
    if store.is_local():
        return str(Path("mlruns") / "artifacts" / experiment / run_id / "artifacts" / "checkpoints" / "best.ckpt")
    return f"runs:/{run_id}/checkpoints/best.ckpt"
