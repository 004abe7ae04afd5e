"""What the terminal shows of experiments and results."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.experiment import Experiment
from lab.numbers import number
from lab.tracking import store
from lab.tracking.outbox import Delivery
from lab.training import SPLITS, Result

BASELINES = {
    "classification": "majority class",
    "regression": "training mean",
    "forecasting": "last value",
}


def outcome(result: Result) -> RenderableType:
    """The table at the end of a run: every metric on every split, beside the trivial baseline."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(result.experiment.name)
    for split in SPLITS:
        table.add_column(split, justify="right")
    table.add_column(f"baseline, test ({BASELINES[result.task]})", justify="right", style="dim")
    for name in _metric_names(result.metrics):
        cells = [number(result.metrics.get(f"{split}/{name}")) for split in SPLITS]
        cells[-1] = f"[bold]{cells[-1]}[/bold]"
        table.add_row(name, *cells, number(result.baseline.get(f"test/{name}")))
    lines = [f"[dim]{name:10}[/dim]  {value}" for name, value in _facts(result)]
    return Group("", table, "", *lines)


def _facts(result: Result) -> Iterable[tuple[str, str]]:
    """Size, time, device, where everything is, and what to try next."""
    name, seed, run_id = result.experiment.name, result.experiment.seed, result.run_id
    yield from ((about, escape(words)) for about, words in result.notes)
    yield "best epoch", f"{result.best_epoch} of {result.epochs}, by val/loss"
    yield "model", f"{result.experiment.model.kind}, {result.parameters:,} parameters"
    threads = result.experiment.threads
    yield "time", f"{result.seconds:.1f} s on {result.device}, {threads} thread{'' if threads == 1 else 's'}"
    yield "seed", f"{seed}; a single one, so no evidence yet"
    if run_id:
        yield "run", run_id
        yield "checkpoint", checkpoint_place(name, run_id)
    for line in waiting(result.delivery):
        yield "tracking", f"[yellow]{line}[/yellow]"
    others = [override for override in result.experiment.overrides if not override.startswith("seed=")]
    yield "next", escape(f'make experiment NAME={name} ARGS="{" ".join([*others, f"seed={seed + 1}"])}"')
    if run_id:
        yield "", f".venv/bin/lab test {run_id[:8]}"
        yield "", f".venv/bin/lab predict {run_id[:8]} new-data"
    yield "", "make dashboard"


def waiting(delivery: Delivery) -> Iterable[str]:
    """A line about records that could not be sent, if there are any."""
    if delivery.waiting:
        yield delivery.words


def checkpoint_place(experiment: str, run_id: str) -> str:
    """Where the best checkpoint of a run is, as a path where it is one."""
    if store.is_local():
        return str(Path("mlruns") / "artifacts" / experiment / run_id / "artifacts" / "checkpoints" / "best.ckpt")
    return f"runs:/{run_id}/checkpoints/best.ckpt"


def experiments(rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """The list of experiments: name, what it is made of, question."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, parts, question in rows:
        table.add_row(name, Group(question, f"[dim]{parts}[/dim]"))
    return table


def comparison(again: dict[str, float], logged: dict[str, float]) -> Table:
    """Test metrics measured again, beside those that the run logged."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    table.add_column("now", justify="right")
    table.add_column("logged", justify="right")
    table.add_column("")
    for name, value in again.items():
        same = value == logged.get(name)
        table.add_row(name, repr(value), repr(logged.get(name)), "equal" if same else "[bold red]differs[/]")
    return table


def _metric_names(metrics: dict[str, float]) -> list[str]:
    """The metrics without their split, the loss last."""
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics if name.startswith("test/")))
    return [name for name in names if name != "loss"] + ["loss"]


def error_console() -> Console:
    """Where mistakes are printed."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def question_of(experiment: Experiment) -> str:
    """The experiment's question, or a hint at how to give it one."""
    return experiment.question or "(write the question as the file's first comment)"
