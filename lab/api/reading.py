"""`lab.runs` and `lab.curves`: stored runs as tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from lab.errors import LabError, did_you_mean
from lab.tracking.reading import run_frame, run_table, stored_runs
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import open_tables

CURVE = ["run", "name", "step", "value"]


def runs(
    experiment: str = "",
    *,
    filter: str = "",
    state: str = "",
    metrics: str | Sequence[str] | None = None,
    parts: bool = False,
) -> pd.DataFrame:
    """The stored runs, latest first, with the id as index: state, name, settings, metrics, seconds, start.

    The arguments are those of `lab runs`: an experiment, a filter in MLflow's language ("params.seed = '1' and
    metrics.`val/loss` < 0.5"), a state such as "finished", with `parts` also trials, fresh seeds, replicates and folds.
    `metrics` are those to show, by default all. A column is numeric if all of its values are. Raises LabError.
    """
    for name, text in (("experiment", experiment), ("filter", filter), ("state", state)):
        if not isinstance(text, str):
            raise LabError(f"{name}: must be text, not {type(text).__name__}")
    table = open_tables().runs()
    ids = run_table.select(table, experiment, state, filter, parts)
    wanted = _metrics(table, metrics)
    shown = table.only(ids)
    measured = [run_frame.metric_column(name, shown) for name in (shown.metrics if wanted is None else wanted)]
    columns = [*run_frame.FIRST_COLUMNS, "kind", *shown.params, *measured, *run_frame.LAST_COLUMNS]
    return run_frame.to_frame(shown, ids, columns).reindex(columns=list(dict.fromkeys(columns)))


def _metrics(table: RunTable, metrics: str | Sequence[str] | None) -> list[str] | None:
    if metrics is None:
        return None
    if not isinstance(metrics, Iterable):
        raise LabError(f"metrics: must be names of metrics, not {metrics!r}")
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in table.metrics:
            raise LabError(f"metrics: no run has '{name}'; {did_you_mean(str(name), map(str, table.metrics))}")
    return names


def curves(runs: Any, metric: str) -> pd.DataFrame:
    """Every recorded value of a metric: a row per run and step, with the columns run, name, step and value.

    `runs` is a DataFrame from `lab.runs`, a result of `lab.run`, or a run as on the command line (an id, a name,
    latest:lstm), or several of these. Steps of epochs begin at 1. Raises LabError.
    """
    ids = _ids(runs)
    tables = open_tables()
    table = tables.runs(ids)
    if missing := [run for run in ids if run not in table.info.index]:
        raise LabError(f"there is no run {missing[0]}")
    if metric not in table.metrics:
        raise LabError(f"metric: the runs have no '{metric}'; {did_you_mean(str(metric), map(str, table.metrics))}")
    found = tables.histories(ids, [metric])
    order = {run: position for position, run in enumerate(ids)}
    found = found.sort_values("run", key=lambda column: column.map(order), kind="stable", ignore_index=True)
    return found.assign(name=found["run"].map(table.info["name"]))[CURVE]


def _ids(runs: Any) -> list[str]:
    """The ids of what a caller names; raises LabError where that is no run."""
    if isinstance(runs, pd.DataFrame):
        if runs.index.name != "run" and "run" not in runs:
            raise LabError("runs: the DataFrame must have the ids of the runs as index, as from lab.runs()")
        runs = runs.index if runs.index.name == "run" else runs["run"]
    several = isinstance(runs, Iterable) and not isinstance(runs, str)
    found = [_id(run) for run in (runs if several else [runs])]
    if not found:
        raise LabError("runs: there are none")
    return list(dict.fromkeys(found))


def _id(run: Any) -> str:
    name = getattr(run, "run_id", run)
    if not isinstance(name, str):
        raise LabError(f"runs: {name!r} is no run; {stored_runs.HOW}")
    return name if len(name) == stored_runs.ID_LENGTH and name.isalnum() else stored_runs.find(name).id
