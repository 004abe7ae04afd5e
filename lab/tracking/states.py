"""In what state a run is, and whether one that claims to be running still reports."""

import time
from functools import lru_cache

import pandas as pd

from lab.tracking.tables import RunTable

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
