"""Databases of trackio as runs: one SQLite file per project, read by Python's own sqlite3."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lab.tracking.transfer.formats import programs
from lab.tracking.transfer.formats.runs import (
    Foreign,
    Value,
    flat,
    listed,
    milliseconds,
    number,
    without_media,
)

COLUMNS = {"timestamp", "run_name", "step", "metrics"}  # of the table metrics
MAGIC = b"SQLite format 3\0"  # starts every database
BESIDE = ("-wal", "-journal")  # what SQLite has not moved into the file yet
OWN = "_"  # starts the names of what trackio itself adds to the settings: _Username, _Created, _Group
CREATED = "_Created"


def is_one(path: Path) -> bool:
    """Whether a file has trackio's table of metrics; raises LabError for a database that is damaged."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
    with _opened(path) as connection:
        return _columns(connection, "metrics") >= COLUMNS


def read(path: Path) -> list[Foreign]:
    """The runs of a project, in the order in which they began; trackio stores no states: all are finished ones."""
    with _opened(path) as connection:
        key = "run_id" if "run_id" in _columns(connection, "metrics") else "run_name"  # early versions had no ids
        names = {}
        if _columns(connection, "configs"):
            names = dict(connection.execute(f"SELECT {key}, run_name FROM configs ORDER BY id").fetchall())
        names |= dict(connection.execute(f"SELECT {key}, run_name FROM metrics ORDER BY id").fetchall())
        return [_read(connection, path, key, each, name) for each, name in names.items()]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open it to read; raises LabError where it is not as expected.

    SQLite adds no files beside it: one that is being written, or was when its writer was killed, is read as a copy.
    """
    beside = [file for ending in BESIDE if (file := path.with_name(f"{path.name}{ending}")).exists()]
    with tempfile.TemporaryDirectory() as folder, programs.reading(path, "trackio"):
        for file in [path, *beside] if beside else ():
            shutil.copy(file, folder)
        uri = (Path(folder) / path.name if beside else path.absolute()).as_uri()
        try:
            with closing(sqlite3.connect(f"{uri}?{'mode=rw' if beside else 'immutable=1'}", uri=True)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise ValueError(error) from None


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _read(connection: sqlite3.Connection, path: Path, key: str, run: str, name: str) -> Foreign:
    rows = connection.execute(f"SELECT step, timestamp, metrics FROM metrics WHERE {key} = ? ORDER BY id", [run])
    values, others = _values(rows.fetchall())
    config = _config(connection, key, run)
    if _has_system_metrics(connection, key, run):
        others.add("system metrics")
    settings = {name: value for name, value in config.items() if not name.startswith(OWN)}
    started = milliseconds(config[CREATED]) if config.get(CREATED) else None
    return Foreign(name, "trackio", path, values, dict(flat(settings)), listed(others), started=started)


def _config(connection: sqlite3.Connection, key: str, run: str) -> dict[str, Any]:
    """The settings of a run, with those that trackio adds; early versions stored none."""
    if not _columns(connection, "configs"):
        return {}
    found = connection.execute(f"SELECT config FROM configs WHERE {key} = ?", [run]).fetchone()
    return dict(json.loads(found[0])) if found else {}


def _values(rows: Sequence[tuple[int, str, Any]]) -> tuple[list[Value], set[str]]:
    """The numbers in rows of JSON, and the names of what is none."""
    values: list[Value] = []
    others: set[str] = set()
    for step, time, content in rows:
        row = dict(flat(json.loads(content)))
        numbers = without_media(row)
        others |= {name.split(".")[0] for name in row.keys() - numbers.keys()}
        for name, value in numbers.items():
            if (found := number(value)) is None:
                others.add(name)
            else:
                values.append(Value(name, step, milliseconds(time), found))
    return values, others


def _has_system_metrics(connection: sqlite3.Connection, key: str, run: str) -> bool:
    if "run_name" not in _columns(connection, "system_metrics"):
        return False
    return connection.execute(f"SELECT 1 FROM system_metrics WHERE {key} = ? LIMIT 1", [run]).fetchone() is not None
