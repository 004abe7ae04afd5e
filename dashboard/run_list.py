"""The table of runs: filters, and the columns that are shown at first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from dashboard import selection
from lab.tracking.edits import NOTE
from lab.tracking.reading import run_frame, run_table
from lab.tracking.reading.metric_names import TEST, VALIDATION, chart_of, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

MAX_SETTINGS = 5
MAX_METRICS = 8
MAX_MAIN_METRICS = 2
SETTING_ORDER = (selection.SEED, "optimizer.", "model.", "scheduler.")
SEARCHED_TAGS = (NOTE, "lab.question")
AROUND_EQUALS = re.compile(r"\s*=\s*")


@dataclass(frozen=True)
class Filters:
    """What a run has to match; an empty filter matches every run."""

    experiments: Sequence[str] = ()
    states: Sequence[str] = ()
    kinds: Sequence[str] = ()
    text: str = ""
    tag: str = ""
    query: str = ""


def filter_runs(table: RunTable, filters: Filters) -> list[str]:
    """The ids of the runs that match; raises LabError for a query that is not in MLflow's filter language."""
    mask = pd.Series(True, index=table.info.index)
    if filters.experiments:
        mask &= table.info["experiment"].isin(filters.experiments)
    if filters.states:
        mask &= run_table.states(table).isin(filters.states)
    if filters.kinds:
        mask &= run_frame.kinds(table).isin(filters.kinds)
    if filters.tag.strip():
        mask &= _has_tag(table, filters.tag)
    for word in AROUND_EQUALS.sub("=", filters.text.lower()).split():
        mask &= _contains(table, word)
    if filters.query.strip():
        mask &= run_table.matching(table, filters.query)
    return list(table.info.index[mask])


def _has_tag(table: RunTable, tag: str) -> "pd.Series[bool]":
    """Whether each run has the tag: `name`, or `name=part of its value`."""
    key, equals, value = (part.strip() for part in tag.partition("="))
    if key not in table.tags:
        return pd.Series(False, index=table.info.index)
    column = table.tags[key]
    return column.str.contains(value, case=False, regex=False, na=False) if equals else column.notna()


def _contains(table: RunTable, word: str) -> "pd.Series[bool]":
    """Whether each run has the word in its name, experiment, note, question or settings, or its id starts with it.

    A number is found among the settings, too, and `dropout=0.3` in the setting of that name.
    """
    columns = [table.info["name"], table.info["experiment"]]
    columns += [table.tags[tag] for tag in SEARCHED_TAGS if tag in table.tags]
    columns += [column for _, column in run_frame.settings(table).items() if not pd.api.types.is_numeric_dtype(column)]
    found = pd.Series(table.info.index.str.startswith(word), index=table.info.index)
    for column in columns:
        found |= column.str.contains(word, case=False, regex=False, na=False).astype(bool)
    return found | _has_setting(table, word)


def _has_setting(table: RunTable, word: str) -> "pd.Series[bool]":
    """Whether a setting of each run has this value; with `name=value`, the setting of that name or last part."""
    name, equals, value = word.rpartition("=")
    name, value = name.removeprefix("params."), value.strip("'\"")
    number = pd.to_numeric(value, errors="coerce")
    found = pd.Series(False, index=table.info.index)
    for column, cells in run_frame.settings(table).items():
        dotted = str(column).lower()
        if equals and name != dotted and not dotted.endswith(f".{name}"):
            continue
        if pd.api.types.is_numeric_dtype(cells):
            found |= (cells == number) if pd.notna(number) else False
        elif equals:
            found |= (cells.str.lower() == value).fillna(False).astype(bool)
    return found


def with_nan(table: RunTable, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `frame` with the metrics whose last value is NaN as such; in others NaN is an empty cell.

    Such a column is of pandas' masked type, which keeps NaN and missing apart, also on the way to the browser.
    """
    runs: dict[str, list[str]] = {}
    for run, metric in table.not_a_number:
        if run in frame.index:
            runs.setdefault(run_frame.metric_column(metric, table), []).append(run)
    changed = {}
    for column in set(runs) & set(frame):
        missing = frame[column].isna() & ~frame.index.isin(runs[column])
        changed[column] = pd.arrays.FloatingArray(frame[column].to_numpy(float), missing.to_numpy())
    return frame.assign(**changed)


@lru_cache(maxsize=2)
def default_columns(table: RunTable) -> list[str]:
    """State, name, experiment, the settings that differ, the main metrics, duration and start."""
    names = selection.differing_settings(table.params)
    shown = sorted(names, key=lambda name: (int(table.params[name].isna().sum()), _setting_rank(name)))[:MAX_SETTINGS]
    counts = table.coverage()
    metrics = _main_metrics(counts) or [str(name) for name in counts.sort_values(ascending=False).index]
    return [
        *run_frame.FIRST_COLUMNS,
        *shown,
        *(run_frame.metric_column(name, table) for name in metrics[:MAX_METRICS]),
        *run_frame.LAST_COLUMNS,
    ]


def _main_metrics(counts: pd.Series) -> list[str]:
    """The validation metrics that most runs have, the loss last, each after its test value and its best values."""
    names = [str(name) for name in counts.index]
    curves = [name for name in names if is_curve(name) and not name.endswith("_step")]
    validation = [name for name in curves if split_of(name)[0] == VALIDATION]
    main = sorted(validation, key=lambda name: (-counts[name], chart_of(name).endswith("loss")))[:MAX_MAIN_METRICS]
    found = []
    for name in main:
        tested = [other for other in curves if split_of(other)[0] == TEST and chart_of(other) == chart_of(name)]
        found += [*tested, *(each for each in (f"best/{name}", f"at_best/{name}", name) if each in names)]
    return found


def _setting_rank(name: str) -> int:
    """The position of a setting among the columns: the seed, then what is varied most."""
    prefixes = enumerate(SETTING_ORDER)
    return next((rank for rank, prefix in prefixes if name.startswith(prefix)), len(SETTING_ORDER))
