"""In what state a run is, and whether one that claims to be running still reports."""

import time
from functools import lru_cache

import pandas as pd

from dashboard import words
from lab.tracking.tables import RunTable

SILENT_MINUTES = 10  # after which a run that reports nothing counts as stale
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


def stale(info: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs claim to be running, and have not reported for long."""
    last = info[["started", "reported"]].max(axis=1)
    return (info["status"] == "RUNNING") & (last < time.time() * 1000 - SILENT_MINUTES * 60_000)


def seconds(info: pd.DataFrame) -> pd.Series:
    """How long each run took, or has taken so far; a stale one until its last report."""
    until = info["ended"].fillna(info["reported"].where(stale(info), time.time() * 1000))
    return (until - info["started"]) / 1000


def sentence(info: pd.Series, state: str) -> str:
    """The state of one run with its times."""
    span = words.duration(float(seconds(info.to_frame().T.infer_objects()).iloc[0]))
    if state == STALE:
        return f"{state}: no report for {words.age(info[['started', 'reported']].max())[:-4]}, `lab sync` may close it"
    return f"{state}, {'for' if info['status'] == 'RUNNING' else 'took'} {span}, begun {words.age(info['started'])}"
