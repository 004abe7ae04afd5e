"""Everything that the dashboard reads, cached in this one place."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import curves, studies, verdicts
from lab.errors import LabError
from lab.studies import storage
from lab.tracking import store
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.stored_runs import Artifacts
from lab.tracking.reading.tables import Tables, open_tables

SECONDS_BETWEEN = 1.0  # two looks at the store
SECONDS_BEFORE_ALL = 300.0  # after which everything is read again, for what others changed in runs that had ended
MOST_CHANGED = 300  # runs; where more changed, reading all is faster
HISTORIES = 20  # selections of runs and metrics whose histories are kept in memory
HISTORY_SECONDS = 3600


class LiveTable:
    """The runs of a store; one for all who look at the dashboard."""

    def __init__(self, tables: Tables):
        self._tables = tables
        self._lock = threading.Lock()
        self._table: RunTable | None = None
        self._read_all = self._looked = float("-inf")

    def current(self) -> RunTable:
        """The runs as they are now, give or take a second; raises LabError where the store does not answer."""
        with self._lock:
            now = time.monotonic()
            if self._table is None or now - self._read_all > SECONDS_BEFORE_ALL:
                return self._all(now)
            if now - self._looked >= SECONDS_BETWEEN:
                self._looked = now
                self._table = self._renewed(self._table)
            return self._table

    def forget(self) -> None:
        """Read everything again the next time."""
        with self._lock:
            self._table = None

    def _all(self, now: float) -> RunTable:
        self._table = self._tables.runs()
        self._read_all = self._looked = now
        return self._table

    def _renewed(self, known: RunTable) -> RunTable:
        """The table with the rows of new, changed and running runs read anew, and without those that are gone."""
        states = self._tables.states()
        before = known.info.reindex(states.index)[["name", "status", "ended"]]
        same = (before == states) | (before.isna() & states.isna())
        changed = states.index[~same.all(axis=1) | (states["status"] == "RUNNING")]
        staying = known.info.index.intersection(states.index).difference(changed, sort=False)
        if len(changed) == 0 and len(staying) == len(known.info):
            return known
        if len(changed) > MOST_CHANGED:
            return self._all(time.monotonic())
        return _joined(known, staying, self._tables.runs(list(changed)))


def _joined(known: RunTable, staying: pd.Index, fresh: RunTable) -> RunTable:
    info = pd.concat([fresh.info, known.info.loc[staying]])
    order = info["started"].sort_values(ascending=False, kind="stable").index

    def both(new: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
        joined = pd.concat([new, old.loc[staying]]).loc[order]
        return joined[sorted(joined)]

    return RunTable(
        info.loc[order],
        both(fresh.params, known.params),
        both(fresh.tags, known.tags),
        both(fresh.metrics, known.metrics),
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _tables(uri: str, exists: bool) -> Tables:
    return open_tables()


@st.cache_resource(max_entries=4, show_spinner=False)
def _live(uri: str, exists: bool) -> LiveTable:
    return LiveTable(_tables(uri, exists))


@st.cache_resource(max_entries=2, show_spinner=False)
def _artifacts(uri: str) -> Artifacts:
    return Artifacts()


def _place() -> tuple[str, bool]:
    """The store: its address, and whether it is there, so that one that comes into being is opened."""
    return store.tracking_uri(), not store.is_local() or store.database().exists()


def runs() -> RunTable:
    """All runs as they are now; raises LabError where the store does not answer."""
    uri, exists = _place()
    if not exists:
        return open_tables().runs()  # raises, and says what to do
    return _live(uri, exists).current()


def archived_runs() -> RunTable:
    """The archived runs; raises LabError."""
    return _tables(*_place()).runs(archived=True)


def forget_runs() -> None:
    """Read everything again: something was changed."""
    _live(*_place()).forget()


@st.cache_resource(max_entries=HISTORIES, ttl=HISTORY_SECONDS, show_spinner=False)
def _known(uri: str, ids: tuple[str, ...], metrics: tuple[str, ...]) -> dict[str, Any]:
    return {"histories": _tables(*_place()).histories(ids, metrics), "curves": {}}


def histories(table: RunTable, ids: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The histories of metrics of runs; those of running runs are extended by the rows newer than the known ones."""
    uri, exists = _place()
    entry = _known(uri, tuple(ids), tuple(metrics))
    going_on = {run for run in ids if table.info.at[run, "status"] == "RUNNING"}
    growing = entry.setdefault("growing", going_on)
    if growing:
        known = entry["histories"]
        latest = known.groupby("run")["time"].max()
        fresh = _tables(uri, exists).histories(
            list(growing), metrics, {run: int(latest.get(run, 0)) for run in growing}
        )
        joined = pd.concat([known, fresh]) if len(known) else fresh
        joined = joined.drop_duplicates().sort_values(["run", "metric", "step", "time"], ignore_index=True)
        entry |= {"histories": joined, "growing": going_on, "curves": {}}
    return entry["histories"]


def curves_of(table: RunTable, ids: Sequence[str], metric: str, axis: curves.Axis) -> dict[str, pd.DataFrame]:
    """The curve of a metric for each run that recorded it."""
    metrics = [metric] if axis != "epoch" else sorted({metric, curves.EPOCH_CLOCK, curves.EPOCH_METRIC})
    known = histories(table, ids, metrics)
    made = _known(_place()[0], tuple(ids), tuple(metrics))["curves"]
    if (metric, axis) not in made:
        made[metric, axis] = _curves(table, known, metric, axis)
    found = made[metric, axis]
    return {run: found[run] for run in ids if run in found}


def _curves(table: RunTable, known: pd.DataFrame, metric: str, axis: curves.Axis) -> dict[str, pd.DataFrame]:
    found = {}
    for run, history in known.groupby("run", sort=False):
        of_metric = history["metric"] == metric
        if of_metric.any():
            started = table.info.at[run, "started"]
            found[str(run)] = curves.curve(history[of_metric], axis, started, history[~of_metric])
    return found


@st.cache_data(ttl=5, max_entries=200, show_spinner=False)
def _sizes(uri: str, run: str) -> dict[str, int]:
    return _artifacts(uri).sizes(run)


def artifact_sizes(run: str) -> dict[str, int]:
    """The files of a run with their sizes; raises LabError."""
    return _sizes(_place()[0], run)


@st.cache_data(ttl=600, max_entries=200, show_spinner=False)
def _text(uri: str, run: str, path: str, size: int) -> str:
    return _artifacts(uri).text(run, path)


def artifact_text(run: str, path: str) -> str:
    """A file of a run as text, "" where it has none of that name; raises LabError."""
    size = artifact_sizes(run).get(path)
    return "" if size is None else _text(_place()[0], run, path, size)


def artifact_file(run: str, path: str) -> Path:
    """A local copy of a file of a run; raises LabError where the run has none of that name."""
    if path not in artifact_sizes(run):
        raise LabError(f"this run has no file {path}")
    return _artifacts(_place()[0]).file(run, path)


def confusion(run: str) -> tuple[np.ndarray, list[str]] | None:
    """The confusion matrix of a run and the names of its classes, where it has one that can be read."""
    try:
        content = json.loads(artifact_text(run, "confusion_matrix.json") or "null")
        counts = np.asarray(content["counts"], dtype=float)
        names = [str(name) for name in content["class_names"]]
    except (ValueError, TypeError, KeyError):
        return None
    return (counts, names) if counts.shape == (len(names), len(names)) else None


def comparison(run: str) -> dict[str, Any] | None:
    """A comparison as its run keeps it; None before it has ended."""
    return verdicts.parsed(artifact_text(run, "comparison.json"))


@st.cache_data(ttl=5, max_entries=4, show_spinner=False)
def _study_names(address: str) -> list[str]:
    return studies.names()


def study_names() -> list[str]:
    """The names of all studies; raises LabError where their storage cannot be read."""
    return _study_names(storage.address())


@st.cache_resource(ttl=5, max_entries=8, show_spinner=False)
def _study(address: str, name: str) -> Any:
    return studies.load(name)


def study(name: str) -> Any:
    """An Optuna study; raises LabError."""
    return _study(storage.address(), name)


def study_metric(table: RunTable, name: str) -> str:
    """The metric that a study was about, as its run's candidates.json says, else validation accuracy or loss."""
    tags = table.tags
    if {"lab.kind", "lab.study"} <= set(tags):
        for run in tags.index[(tags["lab.kind"] == "study") & (tags["lab.study"] == name)]:
            with suppress(LabError, ValueError, KeyError, TypeError):
                return str(json.loads(artifact_text(run, "candidates.json"))["metric"])
    return "val/accuracy" if "val/accuracy" in table.metrics else "val/loss"
