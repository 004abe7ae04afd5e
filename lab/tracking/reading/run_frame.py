"""Runs as a plain DataFrame: the columns that the dashboard shows and `lab.runs` returns."""

from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

FIRST_COLUMNS = ("state", "name", "experiment")
LAST_COLUMNS = ("seconds", "started")
TAG_PREFIX = "tag: "
METRIC_SUFFIX = " (metric)"  # of a metric that has the name of a setting


def all_columns(table: RunTable) -> list[str]:
    """The names of all columns that can be shown."""
    metrics = [metric_column(str(name), table) for name in table.metrics]
    tags = [f"{TAG_PREFIX}{name}" for name in table.tags]
    return [*FIRST_COLUMNS, "kind", *table.params, *metrics, *LAST_COLUMNS, *tags, "id"]


def to_frame(table: RunTable, ids: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The runs with these columns; unknown columns are left out, times are in UTC, `seconds` is the duration."""
    info = table.info.loc[list(ids)]
    computed = {
        "state": lambda: run_table.states(table).loc[info.index],
        "name": lambda: info["name"],
        "experiment": lambda: info["experiment"],
        "kind": lambda: kinds(table).loc[info.index],
        "seconds": lambda: run_table.seconds(info).round(1),
        "started": lambda: pd.to_datetime(info["started"], unit="ms", utc=True),
        "id": lambda: pd.Series(info.index, index=info.index),
    }
    found = {}
    for name in columns:
        if name in computed:
            found[name] = computed[name]()
        elif name in table.params:
            found[name] = settings(table)[name].loc[info.index]
        elif name.startswith(TAG_PREFIX) and name.removeprefix(TAG_PREFIX) in table.tags:
            found[name] = table.tags[name.removeprefix(TAG_PREFIX)].loc[info.index]
        elif name.removesuffix(METRIC_SUFFIX) in table.metrics:
            found[name] = table.metrics[name.removesuffix(METRIC_SUFFIX)].loc[info.index]
    return pd.DataFrame(found, index=info.index)


@lru_cache(maxsize=2)
def settings(table: RunTable) -> pd.DataFrame:
    """The settings of all runs; a column is numeric if all of its values are."""
    return table.params.apply(to_numeric)


def to_numeric(column: pd.Series) -> pd.Series:
    """A column of settings as numbers if all of its values are, else unchanged."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().sum() == column.notna().sum() else column


def kinds(table: RunTable) -> pd.Series:
    """The kind of each run (run, study, trial, ...); `other` for runs that the lab did not write."""
    if "lab.kind" not in table.tags:
        return pd.Series("other", index=table.info.index)
    return table.tags["lab.kind"].fillna("other")


def metric_column(metric: str, table: RunTable) -> str:
    """The name of a metric's column."""
    return f"{metric}{METRIC_SUFFIX}" if metric in table.params else metric
