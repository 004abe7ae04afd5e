"""The store of runs: in one process beside others; where the files of a run can be opened."""

import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_runs import make_run
from mlflow.cli import cli

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


def test_the_place_of_a_file_in_the_local_store_is_a_path_as_a_shell_takes_it(workplace: Path) -> None:
    run = with_file("two words")
    assert Path(shlex.split(store.place_of("two words", run, "page.html"))[0]).read_text() == "<p>"


@pytest.mark.parametrize("address", ["", "sqlite:///elsewhere.db"])
def test_elsewhere_it_is_a_command_that_brings_the_file(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """In another store, and for a run of the local one that another tool put in a folder of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    run = with_file("mine")
    command = shlex.split(store.place_of("other" if not address else "mine", run, "page.html"))
    if not address:
        name, _, value = command.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    assert command[0] == ".venv/bin/mlflow"
    done = CliRunner().invoke(cli, command[1:])
    assert done.exit_code == 0, done.output
    assert Path("page.html").read_text() == "<p>"


def with_file(experiment: str) -> str:
    """A run that has a file page.html."""
    run = make_run(store.client(), experiment, "a run")
    store.client().log_text(run, "<p>", "page.html")
    return run
