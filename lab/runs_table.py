"""The runs of a store as a short table for the terminal."""

import os
from collections.abc import Sequence

import pandas as pd
from rich.markup import escape
from rich.table import Table

from lab.errors import LabError, did_you_mean
from lab.times import age, duration
from lab.tracking import filters, states
from lab.tracking.names import higher_is_better
from lab.tracking.tables import RunTable

PARTS = ("trial", "fresh seed", "replicate")  # kinds of runs that are parts of others
USUAL = ("accuracy", "rmse")  # what a run is judged by, where it has it
WORDS = {mark.partition(" ")[2]: mark for mark in (*states.MARKS.values(), states.STALE, *states.TRIALS.values())}
COLUMNS = ("run", "state", "experiment", "name", "seed", "best", "took", "begun")
NARROW = 120  # characters; in a terminal of less, two columns are left out, so that none is cut
BESIDE_NAME = 94  # characters that the other columns take
COLOURS = {"● running": "cyan", "✓ finished": "green", "✕ failed": "red", "■ stopped": "yellow", "◌ stale": "magenta"}


def chosen(table: RunTable, experiment: str = "", state: str = "", where: str = "", parts: bool = False) -> list[str]:
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
        mask &= states.states(table) == WORDS[state]
    if where:
        mask &= filters.matching(table, where)
    if not parts and "lab.kind" in table.tags:
        mask &= ~table.tags["lab.kind"].isin(PARTS)
    return [str(run) for run in table.info.index[mask]]


def render(table: RunTable, ids: Sequence[str], more: int, width: int) -> Table:
    """A row a run, as many columns as fit in a terminal so many characters wide."""
    caption = f"and {more:,} more" if more > 0 else None
    shown = Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left")
    names = [name for name in COLUMNS if width >= NARROW or name not in ("name", "took")]
    for name in names:
        shown.add_column(name, no_wrap=True, justify="right" if name in ("seed", "took") else "left")
    some = table.only(ids)
    marks, spans = states.states(some), states.seconds(some.info)
    for run in ids:
        info = some.info.loc[run]
        mark = str(marks[run])
        cells = {
            "run": run[:8],
            "state": f"[{COLOURS.get(mark, 'default')}]{escape(mark)}[/]",
            "experiment": escape(str(info["experiment"])),
            "name": escape(_shortened(str(info["name"]), width - BESIDE_NAME)),
            "seed": _setting(some, run, "seed"),
            "best": _best(some, run),
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


def _best(table: RunTable, run: str) -> str:
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
