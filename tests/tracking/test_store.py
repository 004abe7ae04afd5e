"""The store of runs in one process beside others."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from lab.tracking import store

WRITE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("UPDATE experiments SET lifecycle_stage = ?", sys.argv[2:])
connection.close()
"""


def test_a_check_of_the_store_leaves_the_locks_of_open_connections_alone(workplace: Path) -> None:
    # Closing a file gives up all POSIX locks of the process on it: another process then takes itself for the last
    # one that has the database open, deletes its write-ahead log, and this one reads old rows for ever.
    store.client()
    with closing(sqlite3.connect(store.database())) as connection:
        stages = "SELECT DISTINCT lifecycle_stage FROM experiments"
        assert connection.execute(stages).fetchall() == [("active",)]
        store.check_writable()
        for stage in ("active", "deleted"):
            subprocess.run([sys.executable, "-c", WRITE, str(store.database()), stage], check=True)
        assert connection.execute(stages).fetchall() == [("deleted",)]
