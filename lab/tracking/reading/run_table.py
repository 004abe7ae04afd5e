"""Runs as a table: their rows, the state of each, and MLflow's filter language applied to them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import LabError
from lab.tracking import store

INFO = ("name", "experiment", "status", "started", "ended", "reported", "heartbeat")
TIMES = ("started", "ended", "reported", "heartbeat")
HISTORY = ("run", "metric", "step", "time", "value")
LARGEST = np.finfo(np.float64).max  # what MLflow's tables hold in place of infinity
SILENT_SECONDS = 45  # after which a run with heartbeats, which come every 15 s, counts as stale
SILENT_SECONDS_WITHOUT_HEARTBEAT = 600  # the same for runs that the lab did not write: since their last metric
MARKS = {
    "RUNNING": "● running",
    "FINISHED": "✓ finished",
    "FAILED": "✕ failed",
    "KILLED": "■ stopped",
    "SCHEDULED": "○ scheduled",
}
STALE = "◌ stale"
TRIALS = {"pruned": "✂ pruned", "lost": "✕ lost"}
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
NUMERIC = (">", ">=", "=", "!=", "<=", "<")


@dataclass(frozen=True, eq=False)
class RunTable:
    """All runs, each a row under its id, the latest first; a cell is empty where a run has no such entry.

    `info` has the columns of INFO, times in milliseconds since 1970 (NaN: not yet); `metrics` holds last values.
    """

    info: pd.DataFrame
    params: pd.DataFrame
    tags: pd.DataFrame
    metrics: pd.DataFrame

    @cached_property
    def ids(self) -> list[str]:
        """The runs' ids."""
        return [str(run) for run in self.info.index.to_numpy()]

    def only(self, ids: Sequence[str]) -> "RunTable":
        """The runs of these ids, in that order, with the columns that they fill."""
        info = self.info.loc[list(ids)]
        others = (frame.loc[info.index].dropna(axis=1, how="all") for frame in (self.params, self.tags, self.metrics))
        return RunTable(info, *others)


def table_from_rows(
    info: Iterable[Sequence[Any]],
    params: Iterable[Sequence[Any]],
    tagged: Iterable[Sequence[Any]],
    metrics: Iterable[Sequence[Any]],
) -> RunTable:
    """A table from rows: of info (id, name, experiment, status, started, ended), of the others (id, key, value).

    Rows of metrics hold as well when the value was recorded and whether it is NaN. `reported` is the time of the
    last metric, `heartbeat` that of the last sign of life.
    """
    rows = sorted(info, key=lambda row: -(row[4] or 0))
    places = {row[0]: place for place, row in enumerate(rows)}
    reported: list[float] = [np.nan] * len(rows)
    values = []
    for run, key, value, recorded, is_nan in metrics:
        place = places.get(run)
        if place is not None:
            values.append((run, key, np.nan if is_nan else value))
            if recorded is not None and not reported[place] >= recorded:
                reported[place] = recorded
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    filled = dict(zip(INFO, [*columns[1:], reported, np.nan], strict=True))
    frame = pd.DataFrame(filled, index=pd.Index(columns[0], name="run"))
    frame[list(TIMES)] = frame[list(TIMES)].astype("float64")
    kept_tags = _pivoted(tagged, places, frame.index)
    if store.HEARTBEAT_TAG in kept_tags:
        frame["heartbeat"] = pd.to_numeric(kept_tags[store.HEARTBEAT_TAG], errors="coerce").astype("float64")
    return RunTable(
        frame,
        _pivoted(params, places, frame.index),
        kept_tags,
        with_infinities(_pivoted(values, places, frame.index).astype("float64")),
    )


def _pivoted(rows: Iterable[Sequence[Any]], places: Mapping[str, int], index: pd.Index) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {}
    for run, key, value in rows:
        place = places.get(run)
        if place is not None:
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * len(index)
            column[place] = value
    return pd.DataFrame({key: columns[key] for key in sorted(columns)}, index=index)


def history_from_rows(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A table of histories from rows in the columns of HISTORY, each with whether its value is NaN."""
    frame = pd.DataFrame(list(rows), columns=[*HISTORY, "is_nan"])
    frame = frame.astype({"step": "int64", "time": "int64", "value": "float64", "is_nan": "bool"})
    frame.loc[frame.pop("is_nan"), "value"] = np.nan
    frame["value"] = with_infinities(frame[["value"]])["value"]
    return frame.sort_values(["run", "metric", "step", "time"], ignore_index=True)


def with_infinities(values: pd.DataFrame) -> pd.DataFrame:
    """Metric values with infinity where MLflow's tables hold the largest number in its place."""
    return values.mask(values >= LARGEST, np.inf).mask(values <= -LARGEST, -np.inf)


@lru_cache(maxsize=2)
def states(table: RunTable) -> pd.Series:
    """A word with a mark for each run."""
    found = table.info["status"].map(MARKS).fillna(table.info["status"]).astype(object)
    if "lab.trial_state" in table.tags:
        found = table.tags["lab.trial_state"].map(TRIALS).astype(object).fillna(found)
    return found.mask(stale(table.info), STALE)


def last_report(info: pd.DataFrame) -> "pd.Series[float]":
    """When each run last reported, in milliseconds since 1970."""
    return info[["started", "reported", "heartbeat"]].max(axis=1)


def stale(info: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs claim to be running, and have not reported for long."""
    patience = info["heartbeat"].notna().map({True: SILENT_SECONDS, False: SILENT_SECONDS_WITHOUT_HEARTBEAT})
    return (info["status"] == "RUNNING") & (last_report(info) < time.time() * 1000 - patience * 1000)


def seconds(info: pd.DataFrame) -> pd.Series:
    """How long each run took, or has taken so far; a stale one until its last report."""
    until = info["ended"].fillna(last_report(info).where(stale(info), time.time() * 1000))
    return (until - info["started"]) / 1000


def matching(table: RunTable, text: str) -> "pd.Series[bool]":
    """Which runs a filter such as `metrics.loss < 0.5 and params.lr = '0.1'` names; raises LabError for a bad one."""
    store.quiet_mlflow()
    from mlflow.exceptions import MlflowException
    from mlflow.utils.search_utils import SearchUtils

    found = pd.Series(True, index=table.info.index)
    try:
        for clause in SearchUtils.parse_search_filter(text):
            compared = _filtered_column(table, clause["type"], clause["key"])
            found &= _holds(compared, clause["comparator"].upper(), clause["value"])
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
    from mlflow.utils.search_utils import SearchUtils

    present = column.notna()
    if comparator == "IS NULL":
        return ~present
    if comparator == "IS NOT NULL":
        return present
    if pd.api.types.is_numeric_dtype(column) and comparator in NUMERIC:
        value = float(str(value))
    try:
        compare = SearchUtils.get_comparison_func(comparator)
    except KeyError:
        raise LabError(f"filter: there is no comparison '{comparator}'") from None
    return pd.Series(
        [bool(there and compare(cell, value)) for cell, there in zip(column, present, strict=True)], index=column.index
    )
