"""Run ids in URLs, the settings in which runs differ, and labels made from those settings."""

import fnmatch
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from dashboard import text
from lab.tracking.reading import directions
from lab.tracking.reading.run_table import RunTable
from lab.tracking.store import RECORDING_PARAMS

SEED = "seed"
SHORT_ID = 8  # characters
MAX_LABEL = 60  # characters
LONG_NUMBER = 8  # characters of a number that is rounded in a label
MAX_MATCHING = 24  # names of a pattern
MAX_SETTINGS = 5  # in a label; a legend has no room for more


def parse_ids(table: RunTable, ids: str) -> tuple[list[str], list[str]]:
    """The runs that a list such as `5f7b7c1e,dedd5428` names, and the entries that name none."""
    entries = list(dict.fromkeys(entry for entry in ids.split(",") if entry))
    if not entries:
        return [], []
    by_prefix: dict[str, str] = {}
    for run in reversed(table.ids):
        by_prefix[run[:SHORT_ID]] = run
    found, missing = [], []
    for entry in entries:
        run = entry if entry in table.info.index else by_prefix.get(entry[:SHORT_ID], "")
        if run.startswith(entry) and len(entry) >= SHORT_ID:
            found.append(run)
        else:
            missing.append(text.truncate(entry, 32))
    return list(dict.fromkeys(found)), missing


def format_ids(ids: Iterable[str], table: RunTable) -> str:
    """A comma-separated list of ids for a URL, each as short as is unique."""
    ambiguous = _ambiguous(table)
    return ",".join(run if run[:SHORT_ID] in ambiguous else run[:SHORT_ID] for run in ids)


@lru_cache(maxsize=2)  # a page may link to many of 10,000 runs
def _ambiguous(table: RunTable) -> frozenset[str]:
    """The beginnings of ids that several runs share."""
    counts = Counter(run[:SHORT_ID] for run in table.ids)
    return frozenset(short for short, count in counts.items() if count > 1)


def run_address(table: RunTable, run: str) -> str:
    """The address of the page of a run, below that of the dashboard."""
    return f"/run?run={format_ids([run], table)}"


def compare_address(table: RunTable, ids: Sequence[str], **view: str) -> str:
    """The address of the page Compare with these runs, such as with `view="results"`."""
    return f"/compare?{urlencode({'runs': format_ids(ids, table), **view}, safe=',')}"


def differing_settings(params: pd.DataFrame) -> list[str]:
    """The settings that differ between the runs; one that only some runs have counts as different."""
    return [name for name in params if params[name].nunique(dropna=False) > 1]


def trained_otherwise(params: pd.DataFrame) -> list[str]:
    """The settings that differ between the runs, without those that change only what is recorded."""
    return differing_settings(params.drop(columns=list(RECORDING_PARAMS), errors="ignore"))


@lru_cache(maxsize=4)
def run_labels(table: RunTable) -> Mapping[str, str]:
    """A label for each run: the settings in which it differs from others of its experiment.

    Of runs of several experiments also the experiment; the name, or the id, where that does not tell them apart.
    """
    experiments = table.info.groupby("experiment", sort=False).groups
    differing = {name: _differing(table.params.loc[runs]) for name, runs in experiments.items()}
    found = {}
    for run in table.ids:
        experiment = table.info.at[run, "experiment"]
        parts = [experiment, differing[experiment][run]] if len(experiments) > 1 else [differing[experiment][run]]
        label = text.truncate(" ".join(part for part in parts if part), MAX_LABEL)
        found[run] = label or table.info.at[run, "name"] or run[:SHORT_ID]
    counts = Counter(found.values())
    return {run: f"{label} · {run[:SHORT_ID]}" if counts[label] > 1 else label for run, label in found.items()}


def _differing(params: pd.DataFrame) -> dict[str, str]:
    """The settings of each run in which these runs differ, as text."""
    names = [name for name in trained_otherwise(params) if not name.startswith("search.")]
    chosen = _most_common(params[names], MAX_SETTINGS)
    short = short_names(chosen)
    settings = params[chosen].astype(object).to_dict("index")
    return {str(run): format_settings(values, short) for run, values in settings.items()}


def _most_common(params: pd.DataFrame, limit: int) -> list[str]:
    """At most `limit` columns: those that most runs have first, the seed last."""
    return sorted(params, key=lambda name: (name == SEED, int(params[name].isna().sum())))[:limit]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name with its last part, or in full where two names share that part."""
    counts = Counter(name.rpartition(".")[2] for name in names)
    return {name: last if counts[last := name.rpartition(".")[2]] == 1 else name for name in names}


def format_settings(values: Mapping[Any, object] | pd.Series, names: dict[str, str]) -> str:
    """The settings of one run, such as `lr=0.01 hidden=64`."""
    present = {name: value for name, value in values.items() if not pd.isna(value)}
    return " ".join(f"{names[str(name)]}={_short_value(value)}" for name, value in present.items())


def _short_value(value: object) -> str:
    """A setting in a label: of a long decimal number four significant digits."""
    shown = str(value)
    if len(shown) > LONG_NUMBER and not shown.lstrip("-").isdigit():
        with suppress(ValueError):
            return text.number(float(shown))
    return text.truncate(shown, 24)


def matching(names: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """The chosen names, and those that match the chosen patterns such as `val/*`, at most MAX_MATCHING of each."""
    found: list[str] = []
    for pattern in chosen:
        found += [pattern] if pattern in names else fnmatch.filter(names, pattern)[:MAX_MATCHING] or [pattern]
    return list(dict.fromkeys(found))


def higher_is_better(table: RunTable, metric: str) -> bool | None:
    """Whether a higher value of the metric is better; None where neither the runs nor its name say so."""
    tags = table.tags[directions.TAG].dropna().unique() if directions.TAG in table.tags else ()
    return directions.of_tags(metric, tags)
