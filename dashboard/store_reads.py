"""Cached reads from the store of runs: the live table, histories, artifacts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import verdicts
from dashboard.figures import curve_math
from dashboard.live_table import LiveTable
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading.artifacts import Artifacts
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import Tables, open_tables

MAX_HISTORIES = 20  # selections of runs and metrics whose histories stay in memory
HISTORY_SECONDS = 3600


# The cached objects. `exists` is part of their key, so that a store that is created later is opened again.
@st.cache_resource(max_entries=4, show_spinner=False)
def _tables(uri: str, exists: bool) -> Tables:
    return open_tables()


@st.cache_resource(max_entries=4, show_spinner=False)
def _live_table(uri: str, exists: bool) -> LiveTable:
    return LiveTable(_tables(uri, exists))


@st.cache_resource(max_entries=2, show_spinner=False)
def _artifacts(uri: str) -> Artifacts:
    return Artifacts()


def _store_key() -> tuple[str, bool]:
    """The address of the store, and whether it exists."""
    return store.tracking_uri(), not store.is_local() or store.database().exists()


def runs() -> RunTable:
    """All runs, at most about a second old; raises LabError if the store cannot be read."""
    uri, exists = _store_key()
    if not exists:
        return open_tables().runs()  # raises LabError, which says how to create the store
    return _live_table(uri, exists).current()


def archived_runs() -> RunTable:
    """The archived runs; raises LabError if the store cannot be read."""
    return _tables(*_store_key()).runs(archived=True)


def invalidate_runs() -> None:
    """Read all runs again: the dashboard has changed some."""
    _live_table(*_store_key()).invalidate()


@st.cache_resource(max_entries=MAX_HISTORIES, ttl=HISTORY_SECONDS, show_spinner=False)
def _history_entry(uri: str, ids: tuple[str, ...], metrics: tuple[str, ...]) -> dict[str, Any]:
    """What is cached of a selection: its histories, the curves made from them, and the runs that were running."""
    return {"histories": _tables(*_store_key()).histories(ids, metrics), "curves": {}}


def histories(table: RunTable, ids: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The histories of metrics of runs; of running runs only the rows newer than the cached ones are read."""
    uri, exists = _store_key()
    entry = _history_entry(uri, tuple(ids), tuple(metrics))
    running = {run for run in ids if table.info.at[run, "status"] == "RUNNING"}
    incomplete = entry.setdefault("running", running)
    if incomplete:
        known = entry["histories"]
        latest = known.groupby("run")["time"].max()
        since = {run: int(latest.get(run, 0)) for run in incomplete}
        fresh = _tables(uri, exists).histories(list(incomplete), metrics, since)
        joined = pd.concat([known, fresh]) if len(known) else fresh
        joined = joined.drop_duplicates().sort_values(["run", "metric", "step", "time"], ignore_index=True)
        entry |= {"histories": joined, "running": running, "curves": {}}
    return entry["histories"]


def metric_curves(table: RunTable, ids: Sequence[str], metric: str, axis: str) -> dict[str, pd.DataFrame]:
    """The curve of a metric for each run that recorded it."""
    metrics = sorted({metric, *_beside(axis)})
    known = histories(table, ids, metrics)
    cached = _history_entry(_store_key()[0], tuple(ids), tuple(metrics))["curves"]
    if (metric, axis) not in cached:
        cached[metric, axis] = _build_curves(table, known, metric, axis)
    found = cached[metric, axis]
    return {run: found[run] for run in ids if run in found}


def _beside(axis: str) -> tuple[str, ...]:
    """The metrics that an axis needs beside the one that is drawn."""
    if axis == "epoch":
        return curve_math.EPOCH_SECONDS, curve_math.EPOCH_METRIC
    return () if axis in curve_math.AXES else (axis,)


def _build_curves(table: RunTable, known: pd.DataFrame, metric: str, axis: str) -> dict[str, pd.DataFrame]:
    found = {}
    for run, history in known.groupby("run", sort=False):
        of_metric = history["metric"] == metric
        if of_metric.any():
            started = table.info.at[run, "started"]
            others = history if metric == axis else history[~of_metric]
            found[str(run)] = curve_math.build_curve(history[of_metric], axis, started, others)
    return found


@st.cache_data(ttl=5, max_entries=200, show_spinner=False)
def _sizes(uri: str, run: str) -> dict[str, int]:
    return _artifacts(uri).sizes(run)


def artifact_sizes(run: str) -> dict[str, int]:
    """The artifacts of a run with their sizes in bytes; raises LabError."""
    return _sizes(_store_key()[0], run)


@st.cache_data(ttl=600, max_entries=200, show_spinner=False)
def _text(uri: str, run: str, path: str, size: int) -> str:
    return _artifacts(uri).text(run, path)


def artifact_text(run: str, path: str) -> str:
    """An artifact as text, "" if the run has none at this path; raises LabError."""
    size = artifact_sizes(run).get(path)
    return "" if size is None else _text(_store_key()[0], run, path, size)


def artifact_file(run: str, path: str) -> Path:
    """A local copy of an artifact; raises LabError if the run has none at this path."""
    if path not in artifact_sizes(run):
        raise LabError(f"this run has no file {path}")
    return _artifacts(_store_key()[0]).file(run, path)


@st.cache_data(ttl=600, max_entries=300, show_spinner=False)
def _bytes(uri: str, run: str, path: str, size: int) -> bytes:
    return _artifacts(uri).file(run, path).read_bytes()


def artifact_bytes(run: str, path: str) -> bytes:
    """The content of an artifact; raises LabError if the run has none at this path."""
    size = artifact_sizes(run).get(path)
    if size is None:
        raise LabError(f"this run has no file {path}")
    return _bytes(_store_key()[0], run, path, size)


def comparison(run: str) -> dict[str, Any] | None:
    """The comparison.json of a run; None until the comparison has ended."""
    return verdicts.parse(artifact_text(run, "comparison.json"))
