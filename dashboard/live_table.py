"""The runs of a store as they are now, read anew only where they changed."""

import threading
import time

import pandas as pd

from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import Tables

SECONDS_BETWEEN_POLLS = 1.0
SECONDS_BETWEEN_FULL_READS = 300.0  # for changes that others made to runs that had ended
MAX_CHANGED_RUNS = 300  # with more, reading all runs is faster


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
