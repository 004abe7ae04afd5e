"""Runs read from the tables of MLflow's database, a read for each table; several times faster than its client."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from sqlalchemy import Connection, Engine, and_, column, create_engine, or_, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.tables import RunTable, history_table, run_table

SECONDS_TO_WAIT = 5  # for a database that another process holds, or that is far away


def _table(name: str, *columns: str) -> Any:
    return table(name, *(column(each) for each in columns))


RUNS = _table("runs", "run_uuid", "name", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage")
EXPERIMENTS = _table("experiments", "experiment_id", "name")
PARAMS = _table("params", "run_uuid", "key", "value")
TAGS = _table("tags", "run_uuid", "key", "value")
LATEST = _table("latest_metrics", "run_uuid", "key", "value", "timestamp", "is_nan")
METRICS = _table("metrics", "run_uuid", "key", "step", "timestamp", "value", "is_nan")


class SqlTables:
    """Reads MLflow's tables of a SQLite, PostgreSQL or other SQL database, without locking them."""

    def __init__(self, uri: str):
        self._uri = uri
        self._engine = _engine(uri)

    def runs(self, ids: Collection[str] | None = None, archived: bool = False) -> RunTable:
        """All runs, or those of these ids; the archived ones instead where asked for."""
        stage = "deleted" if archived else "active"
        joined = RUNS.join(EXPERIMENTS, RUNS.c.experiment_id == EXPERIMENTS.c.experiment_id)
        info = (
            select(RUNS.c.run_uuid, RUNS.c.name, EXPERIMENTS.c.name, RUNS.c.status, RUNS.c.start_time, RUNS.c.end_time)
            .select_from(joined)
            .where(RUNS.c.lifecycle_stage == stage)
        )
        queries = [info, *(select(*source.c) for source in (PARAMS, TAGS, LATEST))]
        if ids is not None:
            sources = (RUNS, PARAMS, TAGS, LATEST)
            wanted = list(ids)
            queries = [
                query.where(source.c.run_uuid.in_(wanted)) for query, source in zip(queries, sources, strict=True)
            ]
        with self._connection() as connection:
            return run_table(*(_rows(connection, query) for query in queries))

    def states(self) -> pd.DataFrame:
        """The columns name, status and ended of all runs: little enough to ask again and again."""
        query = select(RUNS.c.run_uuid, RUNS.c.name, RUNS.c.status, RUNS.c.end_time)
        with self._connection() as connection:
            rows = list(_rows(connection, query.where(RUNS.c.lifecycle_stage == "active")))
        frame = pd.DataFrame(rows, columns=["run", "name", "status", "ended"]).set_index("run")
        return frame.astype({"ended": "float64"})

    def histories(
        self, ids: Sequence[str], metrics: Sequence[str], since: Mapping[str, int] | None = None
    ) -> pd.DataFrame:
        """Every recorded value of these metrics of these runs, or only those recorded since a time."""
        known = {run: time for run, time in (since or {}).items() if run in ids}
        ways = [and_(METRICS.c.run_uuid == run, METRICS.c.timestamp >= time) for run, time in known.items()]
        ways.append(METRICS.c.run_uuid.in_([run for run in ids if run not in known]))
        columns = [METRICS.c[name] for name in ("run_uuid", "key", "step", "timestamp", "value", "is_nan")]
        query = select(*columns).where(METRICS.c.key.in_(list(metrics)), or_(*ways))
        with self._connection() as connection:
            return history_table(_rows(connection, query))

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            reason = str(cause).strip().partition("\n")[0][:200]
            raise LabError(f"the store {store.without_password(self._uri)} cannot be read: {reason}") from None


def _rows(connection: Connection, query: Any) -> Iterator[Any]:
    """The rows as the driver's plain tuples; SQLAlchemy's own rows would take twice the time."""
    result: Any = connection.execute(query)
    return iter(result.cursor)


def _engine(uri: str) -> Engine:
    """An engine that can read and not write."""
    url = make_url(uri)
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "").absolute()
        if not path.exists():
            raise LabError(f"no runs yet: there is no {path}")
        address = f"file:{quote(str(path))}?mode=ro"
        return create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(address, uri=True, timeout=SECONDS_TO_WAIT, check_same_thread=False),
            poolclass=NullPool,
        )
    postgresql = url.get_backend_name() == "postgresql"
    try:
        options = {"execution_options": {"postgresql_readonly": True}} if postgresql else {}
        waiting = {"connect_timeout": SECONDS_TO_WAIT}
        return create_engine(url, pool_pre_ping=True, connect_args=waiting, **options)
    except ModuleNotFoundError as error:
        extra = "; .venv/bin/pip install -c constraints.txt -e '.[postgresql]'" if postgresql else ""
        raise LabError(f"the store {store.without_password(uri)} needs the package {error.name}{extra}") from None
