"""The lock of a study whose storage several folders or machines share: held where the study is stored.

An advisory lock of PostgreSQL ends with the connection that holds it, so a driver that is killed lets go of it.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import files
from lab.errors import LabError, TrainingFailed, see
from lab.parallel.child_runs import LOCK_TIMEOUT, this_driver
from lab.tracking import store

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# The server drops a driver that vanished after a minute (seconds, seconds, times), instead of after two hours.
KEEP_ALIVE = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
CONNECT_SECONDS = 10  # for a server that does not answer
STAY = "SET idle_session_timeout = 0"  # the lock is held by a connection that is idle while trials are trained
HAS_IDLE_TIMEOUT = 140_000  # the version of PostgreSQL
LONGEST_NAME = 63  # bytes of an application's name in PostgreSQL
POLL_SECONDS = 0.1  # `lab runs --reap` holds the lock of a dead driver only for a moment
ALIVE = "SELECT 1"
TAKE = "SELECT pg_try_advisory_lock(:key)"
HOLDER = """
SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI') FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = :key AND application_name <> ''
"""


class SharedLock:
    """A lock that is held."""

    def check(self) -> None:
        """Raise TrainingFailed where another driver has the study now."""

    @contextmanager
    def transaction(self, engine: "Engine") -> Iterator["Connection"]:
        """A transaction of the holder of the lock in the study's database; raises what `check` raises."""
        self.check()
        with engine.begin() as connection:
            yield connection


@contextmanager
def shared_lock(address: str, name: str) -> Iterator[SharedLock]:
    """Hold the lock of the study `name` at a storage; raises LabError where another driver holds it.

    A storage in the working folder needs none beside that of the folder, and one of another database has none.
    """
    from sqlalchemy import make_url

    url = make_url(address)
    beside = Path(url.database or "").absolute().parent
    if url.get_backend_name() == "postgresql":
        lock = _AdvisoryLock(address, name)
        try:
            yield lock
        finally:
            lock.release()
    elif url.get_backend_name() == "sqlite" and beside != store.root():
        path = beside / f".{name}.lock"
        with files.held(path, name):
            path.write_text(this_driver(), encoding="utf-8")
            yield SharedLock()
    else:
        yield SharedLock()


def is_shared(address: str) -> bool:
    """Whether the lock at a storage says of every machine whether a driver is alive."""
    from sqlalchemy import make_url

    url = make_url(address)
    return url.get_backend_name() == "postgresql" or (
        url.get_backend_name() == "sqlite" and Path(url.database or "").absolute().parent != store.root()
    )


class _AdvisoryLock(SharedLock):
    """An advisory lock, on a connection of its own."""

    def __init__(self, address: str, name: str):
        self._name = name
        self._key = int.from_bytes(hashlib.sha256(f"lab study {name}".encode()).digest()[:8], "big", signed=True)
        self._engine = _engine(address)
        self._connection: Connection | None = None
        try:
            self._take()
        except BaseException:
            self.release()
            raise

    def _take(self) -> None:
        from sqlalchemy import text

        connection = self._engine.connect()
        if int(connection.execute(text("SHOW server_version_num")).scalar() or 0) >= HAS_IDLE_TIMEOUT:
            connection.execute(text(STAY))
        deadline = time.monotonic() + LOCK_TIMEOUT
        while not connection.execute(text(TAKE), {"key": self._key}).scalar():
            if time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                continue
            row = connection.execute(text(HOLDER), {"key": self._key}).first()
            connection.close()
            who = f"{row[0]}, since {row[1]}" if row else "another process"
            raise LabError(f"{self._name} is being run by {who}; wait for it, or stop it first{see('already-running')}")
        connection.commit()
        self._connection = connection

    def check(self) -> None:
        """Take the lock again after a restart of the server; raises TrainingFailed where somebody else was faster."""
        with self.transaction(self._engine):
            pass

    @contextmanager
    def transaction(self, engine: "Engine") -> Iterator["Connection"]:
        """A transaction on the connection that holds the lock, so that nobody writes without it."""
        connection = self._begun()
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()

    def _begun(self) -> "Connection":
        """The connection that holds the lock, in a transaction."""
        if self._is_held() and self._connection:
            return self._connection
        try:
            self._take()
        except LabError as error:
            raise TrainingFailed(f"the connection to the study storage was lost, and {error}") from None
        return self._begun()

    def _is_held(self) -> bool:
        """Whether the connection that holds the lock is alive; a dead one would connect again, without the lock."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        if self._connection is None:
            return False
        try:
            self._connection.execute(text(ALIVE))
        except SQLAlchemyError:
            self._connection = None
            return False
        return True

    def release(self) -> None:
        """Let go of the lock, by closing its connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._engine.dispose()


def _engine(address: str) -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    options = " ".join(f"-c {name}={value}" for name, value in KEEP_ALIVE.items())
    shown = this_driver(since=False).encode()[:LONGEST_NAME].decode(errors="ignore")
    arguments = {"application_name": shown, "options": options, **impatience(address)}
    return create_engine(address, poolclass=NullPool, connect_args=arguments)


def impatience(address: str) -> dict[str, Any]:
    """The arguments of a connection that give up on a server which does not answer, where the URL sets no time."""
    from sqlalchemy import make_url

    url = make_url(address)
    given = url.get_backend_name() != "postgresql" or "connect_timeout" in url.query
    return {} if given else {"connect_timeout": CONNECT_SECONDS}
