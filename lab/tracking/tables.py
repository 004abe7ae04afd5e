"""Runs as tables: one way to read them, through SQL where the store is a database, else through MLflow's client."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from lab.errors import LabError
from lab.tracking import store, tags

INFO = ("name", "experiment", "status", "started", "ended", "reported", "heartbeat")
TIMES = ("started", "ended", "reported", "heartbeat")
HISTORY = ("run", "metric", "step", "time", "value")
LARGEST = np.finfo(np.float64).max  # what MLflow's tables hold in place of infinity


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


class Tables(Protocol):
    """Reads a store and changes nothing; every method raises LabError where the store does not answer."""

    def runs(self, ids: Collection[str] | None = None, archived: bool = False) -> RunTable:
        """All runs, or those of these ids; the archived ones instead where asked for."""

    def states(self) -> pd.DataFrame:
        """The columns name, status and ended of all runs: little enough to ask again and again."""

    def histories(
        self, ids: Sequence[str], metrics: Sequence[str], since: Mapping[str, int] | None = None
    ) -> pd.DataFrame:
        """Every recorded value of these metrics of these runs, in the columns of HISTORY, by step.

        `since` bounds a run's rows to those recorded at that time (milliseconds since 1970) or later.
        """


def open_tables() -> Tables:
    """The tables of the store that the lab writes to; raises LabError where there is none."""
    uri = store.tracking_uri()
    if store.is_local() and not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `make experiment NAME=lstm`")
    if urlsplit(uri).scheme.startswith(("http", "databricks")):
        from lab.tracking.client_tables import ClientTables

        return ClientTables(store.client())
    from lab.tracking.sql_tables import SqlTables

    return SqlTables(uri)


def run_table(
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
    for run, key, value, time, is_nan in metrics:
        place = places.get(run)
        if place is not None:
            values.append((run, key, np.nan if is_nan else value))
            if time is not None and not reported[place] >= time:
                reported[place] = time
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    filled = dict(zip(INFO, [*columns[1:], reported, np.nan], strict=True))
    frame = pd.DataFrame(filled, index=pd.Index(columns[0], name="run"))
    frame[list(TIMES)] = frame[list(TIMES)].astype("float64")
    kept_tags = _pivoted(tagged, places, frame.index)
    if tags.HEARTBEAT in kept_tags:
        frame["heartbeat"] = pd.to_numeric(kept_tags[tags.HEARTBEAT], errors="coerce").astype("float64")
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


def history_table(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A table of histories from rows in the columns of HISTORY, each with whether its value is NaN."""
    frame = pd.DataFrame(list(rows), columns=[*HISTORY, "is_nan"])
    frame = frame.astype({"step": "int64", "time": "int64", "value": "float64", "is_nan": "bool"})
    frame.loc[frame.pop("is_nan"), "value"] = np.nan
    frame["value"] = with_infinities(frame[["value"]])["value"]
    return frame.sort_values(["run", "metric", "step", "time"], ignore_index=True)


def with_infinities(values: pd.DataFrame) -> pd.DataFrame:
    """Metric values with infinity where MLflow's tables hold the largest number in its place."""
    return values.mask(values >= LARGEST, np.inf).mask(values <= -LARGEST, -np.inf)
