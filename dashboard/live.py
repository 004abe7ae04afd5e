"""A table of runs that is kept up to date by reading only what changed."""

import threading
import time

import pandas as pd

from lab.tracking.tables import RunTable, Tables

SECONDS_BETWEEN = 1.0  # two looks at the store
SECONDS_BEFORE_ALL = 300.0  # after which everything is read again, for what others changed in runs that had ended
MOST_CHANGED = 300  # runs; where more changed, reading all is faster


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
