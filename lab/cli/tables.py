"""The tables that the terminal shows: results, experiments, runs, a new experiment."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.errors import LabError, did_you_mean
from lab.formatting import age, duration, number
from lab.tracking import store
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.stored_runs import StoredRun, higher_is_better

if TYPE_CHECKING:
    from lab.config.experiment import Experiment
    from lab.scaffold.writing import Scaffold
    from lab.tracking.writing.outbox import Delivery
    from lab.training.run import Result

SPLITS = ("train", "val", "test")
BASELINES = {
    "classification": "majority class",
    "regression": "training mean",
    "forecasting": "last value",
}
PARTS = ("trial", "fresh seed", "replicate")  # kinds of runs that are parts of others
USUAL = ("accuracy", "rmse")  # what a run is judged by, where it has it
WORDS = {
    mark.partition(" ")[2]: mark for mark in (*run_table.MARKS.values(), run_table.STALE, *run_table.TRIALS.values())
}
COLUMNS = ("run", "state", "experiment", "name", "seed", "best", "took", "begun")
NARROW = 120  # characters; in a terminal of less, two columns are left out, so that none is cut
BESIDE_NAME = 94  # characters that the other columns take
COLOURS = {"● running": "cyan", "✓ finished": "green", "✕ failed": "red", "■ stopped": "yellow", "◌ stale": "magenta"}


def outcome(result: "Result") -> RenderableType:
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


def _facts(result: "Result") -> Iterable[tuple[str, str]]:
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


def waiting(delivery: "Delivery") -> Iterable[str]:
    """A line about records that could not be sent, if there are any."""
    if delivery.pending:
        yield delivery.message


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


def retest(again: dict[str, float], logged: dict[str, float]) -> Table:
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


def question_of(experiment: "Experiment") -> str:
    """The experiment's question, or a hint at how to give it one."""
    return experiment.question or "(write the question as the file's first comment)"


def chosen_runs(
    table: RunTable, experiment: str = "", state: str = "", where: str = "", parts: bool = False
) -> list[str]:
    """The ids of the runs that pass, the latest first; raises LabError for a name that there is not."""
    mask = pd.Series(True, index=table.info.index)
    if experiment:
        known = table.info["experiment"].unique()
        if experiment not in known:
            raise LabError(f"no experiment '{experiment}' has runs; {did_you_mean(experiment, map(str, known))}")
        mask &= table.info["experiment"] == experiment
    if state:
        if state not in WORDS:
            raise LabError(f"--state: no such state '{state}'; {did_you_mean(state, WORDS)}")
        mask &= run_table.states(table) == WORDS[state]
    if where:
        mask &= run_table.matching(table, where)
    if not parts and "lab.kind" in table.tags:
        mask &= ~table.tags["lab.kind"].isin(PARTS)
    return [str(run) for run in table.info.index[mask]]


def runs_table(table: RunTable, ids: Sequence[str], more: int, width: int) -> Table:
    """A row a run, as many columns as fit in a terminal so many characters wide."""
    caption = f"and {more:,} more" if more > 0 else None
    shown = Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left")
    names = [name for name in COLUMNS if width >= NARROW or name not in ("name", "took")]
    for name in names:
        shown.add_column(name, no_wrap=True, justify="right" if name in ("seed", "took") else "left")
    some = table.only(ids)
    marks, spans = run_table.states(some), run_table.seconds(some.info)
    for run in ids:
        info = some.info.loc[run]
        mark = str(marks[run])
        cells = {
            "run": run[:8],
            "state": f"[{COLOURS.get(mark, 'default')}]{escape(mark)}[/]",
            "experiment": escape(str(info["experiment"])),
            "name": escape(_shortened(str(info["name"]), width - BESIDE_NAME)),
            "seed": _setting(some, run, "seed"),
            "best": _best_value(some, run),
            "took": duration(max(0.0, float(spans[run]))),
            "begun": age(float(info["started"])),
        }
        shown.add_row(*(cells[name] for name in names))
    return shown


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _setting(table: RunTable, run: str, name: str) -> str:
    value = table.params[name].get(run) if name in table.params else None
    return escape(value) if isinstance(value, str) else ""


def _best_value(table: RunTable, run: str) -> str:
    """The best validation metric of a run: of those that it is judged by the first that it has."""
    values = table.metrics.loc[run].dropna()
    names = [str(name).removeprefix("best/") for name in values.index if str(name).startswith("best/val/")]
    names = names or [str(name) for name in values.index if str(name).startswith("val/")]
    if not names:
        return ""
    name = min(names, key=lambda each: (_rank(each), each))
    value = values[f"best/{name}"] if f"best/{name}" in values.index else values[name]
    return f"{name} {value:.4g} {'↑' if higher_is_better(name) else '↓'}"


def _rank(name: str) -> int:
    metric = os.path.basename(name)  # noqa: PTH119 (no path, a metric's name)
    return USUAL.index(metric) if metric in USUAL else len(USUAL)


def best_runs(runs: Sequence[StoredRun], metric: str) -> RenderableType:
    """The best runs of an experiment by a metric at their best epochs, best first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("run", no_wrap=True)
    table.add_column("name")
    table.add_column(metric, justify="right")
    table.add_column("seed", justify="right")
    for rank, run in enumerate(runs, start=1):
        value = number(run.metrics[f"at_best/{metric}"])
        table.add_row(str(rank), run.id[:8], run.name, value, run.params.get("seed"))
    luck = "each value is of one seed, and the best of several is partly luck"
    return Group(table, "", f"best  {runs[0].id}", f"[dim]{luck}[/dim]")


def scaffold(made: "Scaffold") -> RenderableType:
    """What was found, what to look out for, what was chosen, and the next commands."""
    sections = made.choice.sections
    model = ", ".join(f"{name} {value}" for name, value in sections["model"].items() if name != "kind")
    budget = f"batches of {sections['data']['batch_size']}, {sections['trainer']['max_epochs']} epochs"
    name = made.path.stem
    lines = [_line(about, words) for about, words in made.look.facts]
    lines += [f"[yellow]{'look out':10}[/yellow]  {escape(warning)}" for warning in made.look.warnings]
    lines += [
        "",
        _line("model", f"{sections['model']['kind']} ({model or 'its defaults'}), {made.parameters:,} parameters"),
        _line("training", f"{sections['optimizer']['kind']}, {budget}"),
        _line("written", str(made.path)),
        _line("next", f"make experiment NAME={name}"),
        _line("", f"make study NAME={name} TRIALS=30"),
    ]
    return Group(*lines)


def _line(about: str, words: str) -> str:
    return f"[dim]{about:10}[/dim]  {escape(words)}"
