"""All reads of the dashboard from the store, cached: the live table of runs, histories, artifacts, studies."""

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

from dashboard import curve_math, studies, verdicts
from lab.errors import LabError
from lab.studies import storage
from lab.studies.importance import Importance, importance_of
from lab.tracking import store
from lab.tracking.reading.artifacts import Artifacts
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import Tables, open_tables

SECONDS_BETWEEN_POLLS = 1.0
SECONDS_BETWEEN_FULL_READS = 300.0  # for changes that others made to runs that had ended
MAX_CHANGED_RUNS = 300  # with more, reading all runs is faster
MAX_HISTORIES = 20  # selections of runs and metrics whose histories stay in memory
HISTORY_SECONDS = 3600


class LiveTable:
    """The runs of a store, kept up to date by reading only what changed; shared by all sessions of the dashboard."""

    def __init__(self, tables: Tables):
        self._tables = tables
        self._lock = threading.Lock()
        self._table: RunTable | None = None
        self._last_full_read = self._last_poll = float("-inf")

    def current(self) -> RunTable:
        """The runs, at most about a second old; raises LabError if the store cannot be read."""
        with self._lock:
            now = time.monotonic()
            if self._table is None or now - self._last_full_read > SECONDS_BETWEEN_FULL_READS:
                return self._read_all(now)
            if now - self._last_poll >= SECONDS_BETWEEN_POLLS:
                self._last_poll = now
                self._table = self._refresh(self._table)
            return self._table

    def invalidate(self) -> None:
        """Read all runs again at the next call of `current`."""
        with self._lock:
            self._table = None

    def _read_all(self, now: float) -> RunTable:
        self._table = self._tables.runs()
        self._last_full_read = self._last_poll = now
        return self._table

    def _refresh(self, known: RunTable) -> RunTable:
        """The table with new, changed and running runs read again, and deleted runs dropped."""
        states = self._tables.states()
        before = known.info.reindex(states.index)[["name", "status", "ended"]]
        same = (before == states) | (before.isna() & states.isna())
        changed = states.index[~same.all(axis=1) | (states["status"] == "RUNNING")]
        unchanged = known.info.index.intersection(states.index).difference(changed, sort=False)
        if len(changed) == 0 and len(unchanged) == len(known.info):
            return known
        if len(changed) > MAX_CHANGED_RUNS:
            return self._read_all(time.monotonic())
        return _merge(known, unchanged, self._tables.runs(list(changed)))


def _merge(known: RunTable, unchanged: pd.Index, fresh: RunTable) -> RunTable:
    """The unchanged rows of a table and the fresh ones, latest first."""
    info = pd.concat([fresh.info, known.info.loc[unchanged]])
    order = info["started"].sort_values(ascending=False, kind="stable").index

    def merged(new: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
        frame = pd.concat([new, old.loc[unchanged]]).loc[order]
        return frame[sorted(frame)]

    kept = set(unchanged)
    return RunTable(
        info.loc[order],
        merged(fresh.params, known.params),
        merged(fresh.tags, known.tags),
        merged(fresh.metrics, known.metrics),
        fresh.not_a_number | {pair for pair in known.not_a_number if pair[0] in kept},
    )


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


def metric_curves(table: RunTable, ids: Sequence[str], metric: str, axis: curve_math.Axis) -> dict[str, pd.DataFrame]:
    """The curve of a metric for each run that recorded it."""
    metrics = [metric] if axis != "epoch" else sorted({metric, curve_math.EPOCH_SECONDS, curve_math.EPOCH_METRIC})
    known = histories(table, ids, metrics)
    cached = _history_entry(_store_key()[0], tuple(ids), tuple(metrics))["curves"]
    if (metric, axis) not in cached:
        cached[metric, axis] = _build_curves(table, known, metric, axis)
    found = cached[metric, axis]
    return {run: found[run] for run in ids if run in found}


def _build_curves(table: RunTable, known: pd.DataFrame, metric: str, axis: curve_math.Axis) -> dict[str, pd.DataFrame]:
    found = {}
    for run, history in known.groupby("run", sort=False):
        of_metric = history["metric"] == metric
        if of_metric.any():
            started = table.info.at[run, "started"]
            found[str(run)] = curve_math.build_curve(history[of_metric], axis, started, history[~of_metric])
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


def confusion_matrix(run: str) -> tuple[np.ndarray, list[str]] | None:
    """The counts (true class, predicted class) and the class names of a run; None if it has no valid matrix."""
    try:
        content = json.loads(artifact_text(run, "confusion_matrix.json") or "null")
        counts = np.asarray(content["counts"], dtype=float)
        names = [str(name) for name in content["class_names"]]
    except (ValueError, TypeError, KeyError):
        return None
    return (counts, names) if counts.shape == (len(names), len(names)) else None


def label_scores(run: str) -> pd.DataFrame | None:
    """A row for each label of a run's test: label, samples, precision, recall, f1; None if it has no valid scores."""
    try:
        content = pd.DataFrame(json.loads(artifact_text(run, "labels.json") or "null"))
        numbers = content[["samples", "precision", "recall", "f1"]].astype(float)
        return pd.concat([content["labels"].astype(str).rename("label"), numbers], axis=1)
    except (ValueError, TypeError, KeyError):
        return None


def comparison(run: str) -> dict[str, Any] | None:
    """The comparison.json of a run; None until the comparison has ended."""
    return verdicts.parse(artifact_text(run, "comparison.json"))


@st.cache_data(ttl=5, max_entries=4, show_spinner=False)
def _study_names(address: str) -> list[str]:
    return studies.names()


def study_names() -> list[str]:
    """The names of all studies; raises LabError if their storage cannot be read."""
    return _study_names(storage.address())


@st.cache_resource(ttl=5, max_entries=8, show_spinner=False)
def _study(address: str, name: str) -> Any:
    return studies.load(name)


def study(name: str) -> Any:
    """An Optuna study; raises LabError."""
    return _study(storage.address(), name)


@st.cache_data(max_entries=16, show_spinner="estimating the importance of the settings")
def _importance(name: str, finished: int, _study: Any) -> Importance:
    return importance_of(_study)


def study_importance(study: Any) -> Importance:
    """How much each setting of a study matters; estimated again when a trial has finished."""
    finished = sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    return _importance(study.study_name, finished, study)


def study_metric(table: RunTable, name: str) -> str:
    """The metric that a study optimized: from its candidates.json, else validation accuracy or loss."""
    tags = table.tags
    if {"lab.kind", "lab.study"} <= set(tags):
        for run in tags.index[(tags["lab.kind"] == "study") & (tags["lab.study"] == name)]:
            with suppress(LabError, ValueError, KeyError, TypeError):
                return str(json.loads(artifact_text(run, "candidates.json"))["metric"])
    return "val/accuracy" if "val/accuracy" in table.metrics else "val/loss"
