"""Databases of trackio as runs: one SQLite file per project, read by Python's own sqlite3."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lab.errors import LabError
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
OWN = "_"  # starts the names of what trackio itself adds to the settings: _Username, _Created, _Group
CREATED = "_Created"


def is_one(path: Path) -> bool:
    """Whether a file has trackio's table of metrics."""
    try:
        with closing(_open(path)) as connection:
            return _columns(connection, "metrics") >= COLUMNS
    except sqlite3.Error:
        return False


def read(path: Path) -> list[Foreign]:
    """The runs of a project, in the order in which they began; trackio stores no states: all are finished ones."""
    with closing(_open(path)) as connection:
        try:
            key = "run_id" if "run_id" in _columns(connection, "metrics") else "run_name"  # early versions had no ids
            names = {}
            if _columns(connection, "configs"):
                names = dict(connection.execute(f"SELECT {key}, run_name FROM configs ORDER BY id").fetchall())
            names |= dict(connection.execute(f"SELECT {key}, run_name FROM metrics ORDER BY id").fetchall())
            return [_read(connection, path, key, each, name) for each, name in names.items()]
        except (sqlite3.Error, ValueError, AttributeError) as error:
            raise LabError(
                f"{path}: is damaged, or of a version of trackio that the lab does not know: {error}"
            ) from None


def _open(path: Path) -> sqlite3.Connection:
    """Open it to read; one that nobody writes now is taken as it is, so that SQLite adds no files beside it."""
    is_written = path.with_name(f"{path.name}-wal").exists()
    return sqlite3.connect(f"{path.absolute().as_uri()}?{'mode=ro' if is_written else 'immutable=1'}", uri=True)


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
