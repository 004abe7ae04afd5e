"""What dead processes left open, closed as what it is: in MLflow and in Optuna."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

from lab.errors import LabError
from lab.tracking import store, waiting


def close_dead(host: str | None = None) -> tuple[list[str], bool]:
    """Send what waits, close dead runs and the trials of dead studies: lines about it, and whether all went well.

    `host` is another machine whose silent runs are closed too.
    """
    from lab.studies import cut_off
    from lab.tracking import orphans

    lines, complete = waiting.send_all()
    found = [line for line in lines if line != waiting.NOTHING]
    if store.is_local() and not store.database().exists():
        return found, complete
    for close in (cut_off.close_all, orphans.close, *([lambda: orphans.close(host)] if host else [])):
        try:
            found += close()
        except LabError as error:
            found += error.lines
            complete = False
    return found, complete


def start_in_background() -> None:
    """Close what dead processes of this machine left open, beside what is going on, where there is anything."""
    if waiting.abandoned() or _cut_off_trials():
        subprocess.Popen(
            [sys.executable, "-m", "lab.reaping"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _cut_off_trials() -> bool:
    """Whether the local storage of studies holds a trial that claims to run."""
    database = store.root() / "optuna.db"
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as connection:
            return bool(connection.execute("SELECT 1 FROM trials WHERE state = 'RUNNING' LIMIT 1").fetchone())
    except sqlite3.Error:
        return False


if __name__ == "__main__":
    os.nice(15)
    close_dead()
