"""The tables that the terminal shows: experiments, runs, a new experiment."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.display.numbers import age, duration, number
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.stored_runs import Ranking
from lab.tracking.reading.summaries import Best

if TYPE_CHECKING:
    from lab.config.experiment import Experiment
    from lab.scaffold.writing import Scaffold

COLOURS = {"● running": "cyan", "✓ finished": "green", "✕ failed": "red", "■ stopped": "yellow", "◌ stale": "magenta"}
COLUMNS = ("run", "state", "experiment", "name", "seed", "best", "took", "started")
NARROW = 120  # characters; a narrower terminal gets two columns fewer, so that none is cut off
OTHER_COLUMNS = 94  # characters that the columns other than the name take


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


def runs_table(table: RunTable, ids: Sequence[str], best: Mapping[str, Best], more: int, width: int) -> Table:
    """A row per run, with the columns that fit into `width` characters; `more` runs are not shown."""
    caption = f"and {more:,} more" if more > 0 else None
    shown = Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left")
    names = [name for name in COLUMNS if width >= NARROW or name not in ("name", "took")]
    for name in names:
        shown.add_column(
            name, no_wrap=True, min_width=len(name), justify="right" if name in ("seed", "took") else "left"
        )
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
            "best": _best_value(best.get(run)),
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


def _best_value(best: Best | None) -> str:
    """The best value of a run's main metric, or the last where nobody says which is better."""
    if best is None:
        return ""
    arrow = {True: " ↑", False: " ↓", None: ""}[best.higher_is_better]
    return escape(f"{best.metric} {best.value:.4g}{arrow}")


def best_runs(ranking: Ranking) -> RenderableType:
    """The best runs of an experiment, best first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("run", no_wrap=True)
    table.add_column("name")
    table.add_column(escape(ranking.metric), justify="right")
    table.add_column("seed", justify="right")
    for rank, (run, value) in enumerate(ranking.runs, start=1):
        table.add_row(str(rank), run.id[:8], escape(run.name), number(value), run.params.get("seed"))
    best, _ = ranking.runs[0]
    caveat = "each value is of one seed, and the best of several is partly luck"
    if any(f"at_best/{ranking.metric}" not in run.metrics for run, _ in ranking.runs):
        caveat += "; of runs that do not say which epoch is their best, the best of all"
    return Group(table, "", f"best  {best.id}", f"[dim]{caveat}[/dim]")
