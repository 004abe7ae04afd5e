"""The tables that the terminal shows: the result of a run, experiments, runs, a new experiment."""

import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.errors import LabError, did_you_mean
from lab.formatting import age, duration, number
from lab.tracking import store
from lab.tracking.reading import directions, run_table
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.stored_runs import StoredRun

if TYPE_CHECKING:
    from lab.config.experiment import Experiment
    from lab.scaffold.writing import Scaffold
    from lab.training.run import Result

SPLITS = ("train", "val", "test")
BASELINES = {
    "classification": "majority class",
    "regression": "training mean",
    "forecasting": "last value",
}
MAIN_METRICS = ("accuracy", "rmse")  # the first of them that a run has is shown
STATES = {
    mark.partition(" ")[2]: mark for mark in (*run_table.MARKS.values(), run_table.STALE, *run_table.TRIALS.values())
}
COLOURS = {"● running": "cyan", "✓ finished": "green", "✕ failed": "red", "■ stopped": "yellow", "◌ stale": "magenta"}
COLUMNS = ("run", "state", "experiment", "name", "seed", "best", "took", "started")
NARROW = 120  # characters; a narrower terminal gets two columns fewer, so that none is cut off
OTHER_COLUMNS = 94  # characters that the columns other than the name take


def run_summary(result: "Result") -> RenderableType:
    """The result of a run: every metric on every split, beside the trivial baseline."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(result.experiment.name)
    for split in SPLITS:
        table.add_column(split, justify="right")
    table.add_column("95 %", justify="right")
    table.add_column(f"baseline, test ({BASELINES[result.task]})", justify="right", style="dim")
    for name in _metric_names(result.metrics):
        cells = [number(result.metrics.get(f"{split}/{name}")) for split in SPLITS]
        cells[-1] = f"[bold]{cells[-1]}[/bold]"
        cells.append(_interval(result.intervals.get(f"test/{name}")))
        table.add_row(name, *cells, number(result.baseline.get(f"test/{name}")))
    lines = [f"[dim]{label:10}[/dim]  {text}" for label, text in _facts(result)]
    return Group("", table, "", *lines)


def _interval(ends: tuple[float, float] | None) -> str:
    return escape(f"[{number(ends[0])}, {number(ends[1])}]") if ends else ""


def _metric_names(metrics: dict[str, float]) -> list[str]:
    """The metrics without their split, the loss last."""
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics if name.startswith("test/")))
    return [name for name in names if name != "loss"] + ["loss"]


def _facts(result: "Result") -> Iterable[tuple[str, str]]:
    """Size, time, device, paths and the next commands, as (label, text)."""
    name, seed, run_id = result.experiment.name, result.experiment.seed, result.run_id
    yield from ((label, escape(text)) for label, text in result.notes)
    yield "best epoch", f"{result.best_epoch} of {result.epochs}, by val/loss"
    yield "model", f"{result.experiment.model.kind}, {result.parameters:,} parameters"
    threads = result.experiment.threads
    yield "time", f"{result.seconds:.1f} s on {result.device}, {threads} thread{'' if threads == 1 else 's'}"
    samples = f"{result.test_samples:,} sample{'' if result.test_samples == 1 else 's'}"
    yield "test", f"{samples}; 95 % intervals over test sets of this size, not over seeds"
    yield "seed", f"{seed}; a single seed is no evidence yet"
    if run_id:
        yield "run", run_id
        yield "checkpoint", _checkpoint_path(name, run_id)
    if result.delivery.pending:
        yield "tracking", f"[yellow]{result.delivery.message}[/yellow]"
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


def experiment_list(rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """The experiments, from rows of name, parts and question."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, parts, question in rows:
        table.add_row(name, Group(escape(question), f"[dim]{escape(parts)}[/dim]"))
    return table


def question_of(experiment: "Experiment") -> str:
    """The experiment's question, or how to write one."""
    return escape(experiment.question) or "(write the question as the file's first comment)"


def scaffold(made: "Scaffold") -> RenderableType:
    """The findings and warnings about the data, the chosen settings, and the next commands."""
    sections = made.choice.sections
    model = ", ".join(f"{name} {value}" for name, value in sections["model"].items() if name != "kind")
    budget = f"batches of {sections['data']['batch_size']}, {sections['trainer']['max_epochs']} epochs"
    name = made.path.stem
    lines = [_line(label, text) for label, text in made.inspection.facts]
    lines += [f"[yellow]{'warning':10}[/yellow]  {escape(warning)}" for warning in made.inspection.warnings]
    lines += [
        "",
        _line("model", f"{sections['model']['kind']} ({model or 'its defaults'}), {made.parameters:,} parameters"),
        _line("training", f"{sections['optimizer']['kind']}, {budget}"),
        _line("written", str(made.path)),
        _line("next", f"make experiment NAME={name}"),
        _line("", f"make study NAME={name} TRIALS=30"),
    ]
    return Group(*lines)


def _line(label: str, text: str) -> str:
    return f"[dim]{label:10}[/dim]  {escape(text)}"


def select_runs(
    table: RunTable, experiment: str = "", state: str = "", where: str = "", parts: bool = False
) -> list[str]:
    """The ids of the runs that match, latest first; raises LabError for an unknown experiment or state."""
    mask = pd.Series(True, index=table.info.index)
    if experiment:
        known = table.info["experiment"].unique()
        if experiment not in known:
            raise LabError(f"no experiment '{experiment}' has runs; {did_you_mean(experiment, map(str, known))}")
        mask &= table.info["experiment"] == experiment
    if state:
        if state not in STATES:
            raise LabError(f"--state: no such state '{state}'; {did_you_mean(state, STATES)}")
        mask &= run_table.states(table) == STATES[state]
    if where:
        mask &= run_table.matching(table, where)
    if not parts and "lab.kind" in table.tags:
        mask &= ~table.tags["lab.kind"].isin(run_table.PARTS)
    return [str(run) for run in table.info.index[mask]]


def runs_table(table: RunTable, ids: Sequence[str], more: int, width: int) -> Table:
    """A row per run, with the columns that fit into `width` characters; `more` runs are not shown."""
    caption = f"and {more:,} more" if more > 0 else None
    shown = Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left")
    names = [name for name in COLUMNS if width >= NARROW or name not in ("name", "took")]
    for name in names:
        shown.add_column(name, no_wrap=True, justify="right" if name in ("seed", "took") else "left")
    selected = table.only(ids)
    marks, spans = run_table.states(selected), run_table.seconds(selected.info)
    for run in ids:
        info = selected.info.loc[run]
        mark = str(marks[run])
        cells = {
            "run": run[:8],
            "state": f"[{COLOURS.get(mark, 'default')}]{escape(mark)}[/]",
            "experiment": escape(str(info["experiment"])),
            "name": escape(_truncated(str(info["name"]), width - OTHER_COLUMNS)),
            "seed": _setting(selected, run, "seed"),
            "best": _best_value(selected, run),
            "took": duration(max(0.0, float(spans[run]))),
            "started": age(float(info["started"])),
        }
        shown.add_row(*(cells[name] for name in names))
    return shown


def _truncated(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _setting(table: RunTable, run: str, name: str) -> str:
    value = table.params[name].get(run) if name in table.params else None
    return escape(value) if isinstance(value, str) else ""


def _best_value(table: RunTable, run: str) -> str:
    """The best value of a run's main validation metric."""
    values = table.metrics.loc[run].dropna()
    names = [str(name).removeprefix("best/") for name in values.index if str(name).startswith("best/val/")]
    names = names or [str(name) for name in values.index if str(name).startswith("val/")]
    if not names:
        return ""
    name = min(names, key=lambda each: (_rank(each), each))
    value = values[f"best/{name}"] if f"best/{name}" in values.index else values[name]
    tag = table.tags.at[run, directions.TAG] if directions.TAG in table.tags else None
    arrow = {True: " ↑", False: " ↓", None: ""}[directions.higher_is_better(name, directions.recorded([tag]))]
    return f"{name} {value:.4g}{arrow}"


def _rank(name: str) -> int:
    metric = posixpath.basename(name)
    return MAIN_METRICS.index(metric) if metric in MAIN_METRICS else len(MAIN_METRICS)


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
    caveat = "each value is of one seed, and the best of several is partly luck"
    return Group(table, "", f"best  {runs[0].id}", f"[dim]{caveat}[/dim]")
