"""The list of runs: which are shown, in which columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from dashboard import selection
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

FIRST = ("state", "name", "experiment")
TIMES = ("seconds", "started")
MOST_SETTINGS = 5
MOST_METRICS = 8
MAIN_METRICS = 2
WAYS = ("test/", "best/val/", "at_best/val/", "val/")
SETTINGS_FIRST = (selection.SEED, "optimizer.", "model.", "scheduler.")
TAG = "tag: "
METRIC = " (metric)"


@dataclass(frozen=True)
class Filters:
    """What a run must be to be shown; an empty filter lets all through."""

    experiments: Sequence[str] = ()
    states: Sequence[str] = ()
    kinds: Sequence[str] = ()
    text: str = ""
    tag: str = ""
    query: str = ""


def kinds(table: RunTable) -> pd.Series:
    """What each run is: a run, a study, a trial, ...; `other` where the lab did not write it."""
    if "lab.kind" not in table.tags:
        return pd.Series("other", index=table.info.index)
    return table.tags["lab.kind"].fillna("other")


def shown(table: RunTable, chosen: Filters) -> list[str]:
    """The ids of the runs that pass; raises LabError for a query that MLflow's filter language does not know."""
    mask = pd.Series(True, index=table.info.index)
    if chosen.experiments:
        mask &= table.info["experiment"].isin(chosen.experiments)
    if chosen.states:
        mask &= run_table.states(table).isin(chosen.states)
    if chosen.kinds:
        mask &= kinds(table).isin(chosen.kinds)
    if chosen.tag.strip():
        mask &= _tagged(table, chosen.tag)
    for word in chosen.text.lower().split():
        mask &= _contains(table, word)
    if chosen.query.strip():
        mask &= run_table.matching(table, chosen.query)
    return list(table.info.index[mask])


def _tagged(table: RunTable, text: str) -> "pd.Series[bool]":
    """Runs with a tag of that name, or with `name=part of its value`."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if key not in table.tags:
        return pd.Series(False, index=table.info.index)
    column = table.tags[key]
    return column.str.contains(value, case=False, regex=False, na=False) if equals else column.notna()


def _contains(table: RunTable, word: str) -> "pd.Series[bool]":
    """Runs with a word in their name, experiment, id, note, question, or a setting's value."""
    texts = [table.info["name"], table.info["experiment"]]
    texts += [table.tags[tag] for tag in ("mlflow.note.content", "lab.question") if tag in table.tags]
    texts += [column for _, column in settings(table).items() if not pd.api.types.is_numeric_dtype(column)]
    found = pd.Series(table.info.index.str.startswith(word), index=table.info.index)
    for column in texts:
        found |= column.str.contains(word, case=False, regex=False, na=False).astype(bool)
    return found


def columns(table: RunTable) -> list[str]:
    """Every column that there can be."""
    metrics = [_as_column(str(name), table) for name in table.metrics]
    return [*FIRST, "kind", *table.params, *metrics, *TIMES, *(f"{TAG}{name}" for name in table.tags), "id"]


@lru_cache(maxsize=2)
def settings(table: RunTable) -> pd.DataFrame:
    """The settings, as numbers where all values of one are."""
    return table.params.apply(selection.numeric)


@lru_cache(maxsize=2)
def default_columns(table: RunTable) -> list[str]:
    """The columns that say most: state, name, what differs, the main metrics in every way they are kept, times."""
    names = selection.differing(table.params)
    chosen = sorted(names, key=lambda name: (_place(name), int(table.params[name].isna().sum())))[:MOST_SETTINGS]
    filled = table.metrics.notna().sum()
    main = sorted(
        (str(name).removeprefix("val/") for name in filled.index if str(name).startswith("val/")),
        key=lambda name: (name.endswith("loss"), -filled[f"val/{name}"]),
    )[:MAIN_METRICS]
    ways = [f"{way}{name}" for name in main for way in WAYS if f"{way}{name}" in filled.index]
    metrics = ways or [str(name) for name in filled.sort_values(ascending=False).index[:MOST_METRICS]]
    return [*FIRST, *chosen, *(_as_column(name, table) for name in metrics[:MOST_METRICS]), *TIMES]


def _place(name: str) -> int:
    """Where a setting stands among the columns: the seed, then what people vary most."""
    return next((place for place, start in enumerate(SETTINGS_FIRST) if name.startswith(start)), len(SETTINGS_FIRST))


def _as_column(metric: str, table: RunTable) -> str:
    return f"{metric}{METRIC}" if metric in table.params else metric


def view(table: RunTable, ids: Sequence[str], wanted: Sequence[str]) -> pd.DataFrame:
    """The list with the wanted columns; settings that are all numbers are numbers, times are UTC."""
    info = table.info.loc[list(ids)]
    own = {
        "state": lambda: run_table.states(table).loc[info.index],
        "name": lambda: info["name"],
        "experiment": lambda: info["experiment"],
        "kind": lambda: kinds(table).loc[info.index],
        "seconds": lambda: run_table.seconds(info).round(1),
        "started": lambda: pd.to_datetime(info["started"], unit="ms", utc=True),
        "id": lambda: pd.Series(info.index, index=info.index),
    }
    found = {}
    for name in wanted:
        if name in own:
            found[name] = own[name]()
        elif name in table.params:
            found[name] = settings(table)[name].loc[info.index]
        elif name.startswith(TAG) and name.removeprefix(TAG) in table.tags:
            found[name] = table.tags[name.removeprefix(TAG)].loc[info.index]
        elif name.removesuffix(METRIC) in table.metrics:
            found[name] = table.metrics[name.removesuffix(METRIC)].loc[info.index]
    return pd.DataFrame(found, index=info.index)
