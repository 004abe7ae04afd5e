"""Runs as a table: one row per run, the state of each, and filters in MLflow's language."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import LabError, did_you_mean
from lab.tracking import mlflow_internals, store

INFO = ("name", "experiment", "status", "started", "ended", "reported", "heartbeat")
TIMES = ("started", "ended", "reported", "heartbeat")
HISTORY = ("run", "metric", "step", "time", "value")
LARGEST = np.finfo(np.float64).max  # stored in MLflow's tables in place of infinity
SILENT_SECONDS = 45  # after which a run with heartbeats, which come every 15 s, counts as stale
SILENT_SECONDS_WITHOUT_HEARTBEAT = 600  # the same for runs of other tools: since their last metric
MARKS = {
    "RUNNING": "● running",
    "FINISHED": "✓ finished",
    "FAILED": "✕ failed",
    "KILLED": "■ stopped",
    "SCHEDULED": "○ scheduled",
}
STALE = "◌ stale"
# Kinds of runs that belong to a study, a comparison or a cross-validation.
PARTS = ("trial", "fresh seed", "tested seed", "replicate", "fold")
TRIALS = {"pruned": "✂ pruned", "lost": "✕ lost"}
STATES = {mark.partition(" ")[2]: mark for mark in (*MARKS.values(), STALE, *TRIALS.values())}
ATTRIBUTES = {
    "run_name": "name",
    "run name": "name",
    "Run name": "name",
    "Run Name": "name",
    "status": "status",
    "start_time": "started",
    "created": "started",
    "Created": "started",
    "end_time": "ended",
}
# A setting compared with a bare value, which MLflow's language wants in quotes.
UNQUOTED = re.compile(r"(\bparam(?:eter)?s?\.[\w./`-]+\s*(?:!=|=)\s*)([^\s'\"()]+)")
NUMERIC = (">", ">=", "=", "!=", "<=", "<")


@dataclass(frozen=True, eq=False)
class RunTable:
    """All runs, one row each with the run id as index, the latest first; a cell is empty where a run has no entry.

    `info` has the columns of INFO, with times in milliseconds since 1970 (NaN: not yet); `metrics` holds the last
    values, `not_a_number` the (run, metric) whose last value is NaN, which in `metrics` looks like none.
    """

    info: pd.DataFrame
    params: pd.DataFrame
    tags: pd.DataFrame
    metrics: pd.DataFrame
    not_a_number: frozenset[tuple[str, str]] = frozenset()

    def recorded(self, run: str) -> list[str]:
        """The metrics that a run recorded, whatever their last values are."""
        present = self.metrics.loc[run].notna()
        return [str(name) for name, there in present.items() if there or (run, name) in self.not_a_number]

    def coverage(self) -> "pd.Series[int]":
        """How many runs recorded each metric."""
        counts = self.metrics.notna().sum()
        for _, metric in self.not_a_number:
            counts[metric] += 1
        return counts

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the runs."""
        return [str(run) for run in self.info.index.to_numpy()]

    def only(self, ids: Sequence[str]) -> "RunTable":
        """The runs of these ids, in that order, without columns that are empty for all of them."""
        info = self.info.loc[list(ids)]
        chosen = set(ids)
        nan = frozenset((run, metric) for run, metric in self.not_a_number if run in chosen)
        params, tags = (frame.loc[info.index].dropna(axis=1, how="all") for frame in (self.params, self.tags))
        metrics = self.metrics.loc[info.index]
        recorded = metrics.notna().any() | metrics.columns.isin([metric for _, metric in nan])
        return RunTable(info, params, tags, metrics.loc[:, recorded], nan)


@lru_cache(maxsize=2)
def states(table: RunTable) -> pd.Series:
    """The state of each run as a symbol and a word."""
    found = table.info["status"].map(MARKS).fillna(table.info["status"]).astype(object)
    if "lab.trial_state" in table.tags:
        found = table.tags["lab.trial_state"].map(TRIALS).astype(object).fillna(found)
    return found.mask(stale(table.info), STALE)


def stale(info: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs have status RUNNING, but have not reported for a long time."""
    patience = info["heartbeat"].notna().map({True: SILENT_SECONDS, False: SILENT_SECONDS_WITHOUT_HEARTBEAT})
    return (info["status"] == "RUNNING") & (last_report(info) < time.time() * 1000 - patience * 1000)


def last_report(info: pd.DataFrame) -> "pd.Series[float]":
    """When each run last reported, in milliseconds since 1970."""
    return info[["started", "reported", "heartbeat"]].max(axis=1)


def seconds(info: pd.DataFrame) -> pd.Series:
    """The duration of each run so far; of a stale one, until its last report."""
    until = info["ended"].fillna(last_report(info).where(stale(info), time.time() * 1000))
    return (until - info["started"]) / 1000


def select(table: RunTable, experiment: str = "", state: str = "", where: str = "", parts: bool = False) -> list[str]:
    """The ids of the runs that match, latest first; raises LabError for an unknown experiment or state.

    `where` is a filter in MLflow's language; with `parts`, trials, fresh seeds, replicates and folds are included.
    """
    mask = pd.Series(True, index=table.info.index)
    if experiment:
        known = table.info["experiment"].unique()
        if experiment not in known:
            raise LabError(f"no experiment '{experiment}' has runs; {did_you_mean(experiment, map(str, known))}")
        mask &= table.info["experiment"] == experiment
    if state:
        if state not in STATES:
            raise LabError(f"--state: no such state '{state}'; {did_you_mean(state, STATES)}")
        mask &= states(table) == STATES[state]
    if where:
        mask &= matching(table, where)
    if not parts and "lab.kind" in table.tags:
        mask &= ~table.tags["lab.kind"].isin(PARTS)
    return [str(run) for run in table.info.index[mask]]


def matching(table: RunTable, text: str) -> "pd.Series[bool]":
    """Which runs match a filter such as `metrics.loss < 0.5 and params.lr = '0.1'`; raises LabError for a bad one."""
    store.quiet_mlflow()
    from mlflow.exceptions import MlflowException

    found = pd.Series(True, index=table.info.index)
    try:
        for clause in mlflow_internals.parse_filter(UNQUOTED.sub(r"\1'\2'", text)):
            found &= _holds(_filtered_column(table, clause.kind, clause.key), clause.comparator, clause.value)
    except (MlflowException, ValueError) as error:
        raise LabError(f"filter: {str(error).partition(chr(10))[0]}") from None
    return found


def _filtered_column(table: RunTable, kind: str, key: str) -> pd.Series:
    frames = {"metric": table.metrics, "parameter": table.params, "tag": table.tags}
    if kind == "attribute" and key in ("run_id", "Run ID"):
        return pd.Series(table.info.index, index=table.info.index)
    if kind == "attribute" and key in ATTRIBUTES:
        return table.info[ATTRIBUTES[key]]
    if kind not in frames:
        raise LabError(f"filter: {kind} {key} cannot be filtered here; metrics, params, tags and attributes can")
    frame = frames[kind]
    return frame[key] if key in frame else pd.Series(None, index=frame.index, dtype=object)


def _holds(column: pd.Series, comparator: str, value: object) -> "pd.Series[bool]":
    present = column.notna()
    if comparator == "IS NULL":
        return ~present
    if comparator == "IS NOT NULL":
        return present
    if pd.api.types.is_numeric_dtype(column) and comparator in NUMERIC:
        value = float(str(value))
    try:
        compare = mlflow_internals.comparison(comparator)
    except KeyError:
        raise LabError(f"filter: there is no comparison '{comparator}'") from None
    return pd.Series(
        [bool(known and compare(cell, value)) for cell, known in zip(column, present, strict=True)], index=column.index
    )


def table_from_rows(
    info: Iterable[Sequence[Any]],
    params: Iterable[Sequence[Any]],
    tags: Iterable[Sequence[Any]],
    metrics: Iterable[Sequence[Any]],
) -> RunTable:
    """A table from rows: of info (id, name, experiment, status, started, ended), of the others (id, key, value).

    Rows of metrics also hold the time of the value and whether it is NaN. `reported` is the time of the last metric,
    `heartbeat` that of the last heartbeat.
    """
    rows = sorted(info, key=lambda row: -(row[4] or 0))
    positions = {row[0]: position for position, row in enumerate(rows)}
    reported: list[float] = [np.nan] * len(rows)
    values, not_a_number = [], []
    for run, key, value, recorded, is_nan in metrics:
        position = positions.get(run)
        if position is not None:
            values.append((run, key, np.nan if is_nan else value))
            if is_nan:
                not_a_number.append((run, key))
            if recorded is not None and not reported[position] >= recorded:
                reported[position] = recorded
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    filled = dict(zip(INFO, [*columns[1:], reported, np.nan], strict=True))
    frame = pd.DataFrame(filled, index=pd.Index(columns[0], name="run"))
    frame[list(TIMES)] = frame[list(TIMES)].astype("float64")
    tag_columns = _pivoted(tags, positions, frame.index)
    if store.HEARTBEAT_TAG in tag_columns:
        frame["heartbeat"] = pd.to_numeric(tag_columns[store.HEARTBEAT_TAG], errors="coerce").astype("float64")
    return RunTable(
        frame,
        _pivoted(params, positions, frame.index),
        tag_columns,
        with_infinities(_pivoted(values, positions, frame.index).astype("float64")),
        frozenset(not_a_number),
    )


def _pivoted(rows: Iterable[Sequence[Any]], positions: Mapping[str, int], index: pd.Index) -> pd.DataFrame:
    """Rows of (id, key, value) as a table with a column per key."""
    columns: dict[str, list[Any]] = {}
    for run, key, value in rows:
        position = positions.get(run)
        if position is not None:
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * len(index)
            column[position] = value
    return pd.DataFrame({key: columns[key] for key in sorted(columns)}, index=index)


def history_from_rows(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A table of histories from rows with the columns of HISTORY and whether the value is NaN."""
    frame = pd.DataFrame(list(rows), columns=[*HISTORY, "is_nan"])
    frame = frame.astype({"step": "int64", "time": "int64", "value": "float64", "is_nan": "bool"})
    frame.loc[frame.pop("is_nan"), "value"] = np.nan
    frame["value"] = with_infinities(frame[["value"]])["value"]
    return frame.sort_values(["run", "metric", "step", "time"], ignore_index=True)


def with_infinities(values: pd.DataFrame) -> pd.DataFrame:
    """Metric values with infinity restored, for which MLflow's tables hold the largest number."""
    return values.mask(values >= LARGEST, np.inf).mask(values <= -LARGEST, -np.inf)
