"""A comparison of runs: groups, their curves, tables of settings and results, and fairness checks. No Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from dashboard import selection, text
from dashboard.figures import curve_math
from lab.tracking.reading import run_frame, run_table
from lab.tracking.reading.run_table import RunTable

ALL_BUT_SEED = "all but the seed"
COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True)
class Group:
    """Runs that share settings."""

    label: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class CurveOptions:
    """How curves are drawn: x axis, smoothing weight (0: none), logarithmic y axis, range of the x axis."""

    axis: str = "step"
    smoothing: float = 0.0
    smooth_by: curve_math.Smoothing = "average"
    log: bool = False
    x_range: tuple[float, float] | None = None
    robust: bool = False  # a y range without outliers
    colour_by: str = ""  # a setting or metric, where there are too many groups for a legend


@lru_cache(maxsize=2)
def chosen_runs(table: RunTable, ids: tuple[str, ...]) -> RunTable:
    """These runs alone; the same object at each rerun of the page, so that what is made of them is made once."""
    return table.only(ids)


def group_runs(table: RunTable, by: Sequence[str]) -> list[Group]:
    """The runs grouped by the values of these settings; a group for each run if none is given."""
    if not by:
        return [Group(label, (run,)) for run, label in selection.run_labels(table).items()]
    if ALL_BUT_SEED in by:
        names = [name for name in selection.trained_otherwise(table.params) if name != selection.SEED]
    else:
        names = [name for name in by if name in table.params]
    keys = table.params[names].astype(object).where(table.params[names].notna(), None)
    keys.insert(0, "experiment", table.info["experiment"])
    several_experiments = keys["experiment"].nunique() > 1
    short = selection.short_names(names)
    groups = []
    for key, part in keys.groupby(list(keys), dropna=False, sort=False):
        experiment, *_ = key if isinstance(key, tuple) else (key,)
        settings = selection.format_settings(part[names].iloc[0], short)
        label = f"{experiment} {settings}" if several_experiments or not settings else settings
        groups.append(Group(text.truncate(label.strip(), selection.MAX_LABEL), tuple(part.index)))
    return groups


def colour_choices(table: RunTable) -> list[str]:
    """What many groups can be coloured by, as numbers: the optimizer's settings, others that differ, last values."""
    columns = scatter_columns(table)
    numeric = [str(name) for name in columns if pd.api.types.is_numeric_dtype(columns[name])]
    return sorted(numeric, key=lambda name: (name == selection.SEED, not name.startswith("optimizer.")))


def colour_values(table: RunTable, groups: Sequence[Group], name: str) -> dict[str, float]:
    """The mean value of a setting or metric over the runs of each group, by label."""
    column = scatter_columns(table)[name].astype(float)
    labels = {run: group.label for group in groups for run in group.ids}
    return column.groupby(column.index.map(labels)).mean().to_dict()


def settings_by_group(table: RunTable, groups: Sequence[Group]) -> pd.DataFrame:
    """The settings that differ, one row per group; `a | b` where the runs of a group differ."""
    names = selection.differing_settings(table.params)
    several = any(len(group.ids) > 1 for group in groups)
    settings = table.params[names].astype(object).to_dict("index")
    rows = []
    for group in groups:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)} if several else {"run": group.label}
        row |= {name: _join_values([settings[run][name] for run in group.ids]) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def _join_values(column: Sequence[object]) -> str:
    values = list(dict.fromkeys(str(value) for value in column if not pd.isna(value)))
    return " | ".join(values[:6]) + (" | …" if len(values) > 6 else "")


def results_by_group(table: RunTable, groups: Sequence[Group], metrics: Sequence[str]) -> pd.DataFrame:
    """The mean and the standard deviation of the last value of each metric, one row per group."""
    rows = []
    several = any(len(group.ids) > 1 for group in groups)
    for group in groups:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)} if several else {"run": group.label}
        for metric in metrics:
            if metric in table.metrics:
                values = table.metrics.loc[list(group.ids), metric].dropna()
                finite = values[np.isfinite(values)]
                row[metric] = finite.mean() if len(finite) else np.nan
                if len(group.ids) > 1:
                    row[f"{metric} ± sd"] = finite.std() if len(finite) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


@lru_cache(maxsize=4)
def scatter_columns(table: RunTable) -> pd.DataFrame:
    """What a scatter plot can show: settings that differ, last values of metrics, and the duration in seconds."""
    settings = table.params[selection.differing_settings(table.params)].apply(run_frame.to_numeric)
    columns = pd.concat([settings, table.metrics.loc[:, table.metrics.notna().any()]], axis=1)
    columns = columns.loc[:, ~columns.columns.duplicated()]
    columns["training seconds"] = run_table.seconds(table.info)
    return columns


def pareto_front(costs: np.ndarray, scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Whether each point is on the Pareto front of low cost and good score; non-finite points never are."""
    values = -scores if higher_is_better else scores
    usable = np.isfinite(costs) & np.isfinite(values)
    on_front = np.zeros(len(costs), bool)
    best = np.inf
    for index in sorted(np.flatnonzero(usable), key=lambda index: (costs[index], values[index])):
        if values[index] < best:
            on_front[index] = True
            best = values[index]
    return on_front
