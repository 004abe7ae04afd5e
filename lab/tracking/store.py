"""Where runs are kept: `mlruns/` here, or what MLFLOW_TRACKING_URI names."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.errors import LabError
from lab.files import locked

if TYPE_CHECKING:
    from mlflow import MlflowClient


SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")
JOURNAL_TAG = "lab.journal"  # the tracker's id
OUTBOX_TAG = "lab.outbox"  # the folder of the journal, on the machine that HOST names
HOST_TAG = "machine.host"
HEARTBEAT_TAG = "lab.heartbeat"  # when the run's sender last reported, in milliseconds since 1970


def root() -> Path:
    """The local store's folder, `mlruns/` where one works."""
    return Path("mlruns").absolute()


def database() -> Path:
    """The local store's SQLite file."""
    return root() / "mlflow.db"


def journals() -> Path:
    """The folder of the journals that are being written, or wait to be sent."""
    return root() / "journal"


def tracking_uri() -> str:
    """Where MLflow finds the runs; raises LabError for an address that MLflow cannot take."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _local_uri()
    if urlsplit(uri).scheme.partition("+")[0] not in SCHEMES:
        raise LabError(
            f"MLFLOW_TRACKING_URI: '{without_password(uri)}' is no address of a store; write "
            "http://host:port or sqlite:////path/mlflow.db, or unset it to use mlruns/"
        )
    return uri


def _local_uri() -> str:
    return f"sqlite:///{database()}"


def is_local() -> bool:
    """Whether runs go to `mlruns/mlflow.db`."""
    return tracking_uri() == _local_uri()


def without_password(uri: str) -> str:
    """An address without the user and password that it may hold."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def check_writable() -> None:
    """Raise LabError where a run could not be written down; leaves nothing behind."""
    tracking_uri()
    probe = journals() / f".probe-{os.getpid()}"
    try:
        journals().mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 65_536)
        probe.unlink()
        if is_local() and database().exists():
            with database().open("r+b"):
                pass
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        place = error.filename or probe
        raise LabError(f"{place}: cannot be written: {error.strerror}; free space or change permissions") from None


def client(retries: int = 1, timeout: int = 10) -> "MlflowClient":
    """A client of the store; a fresh local one is made first. Imports mlflow, about two seconds.

    `retries` and `timeout` (seconds) hold for each call to a server.
    """
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(retries)
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(timeout)
    quiet_mlflow()
    from mlflow import MlflowClient, set_tracking_uri

    uri = tracking_uri()
    set_tracking_uri(uri)
    if not is_local():
        return MlflowClient(uri)
    root().mkdir(parents=True, exist_ok=True)
    with locked(root() / ".lock"):
        if not database().exists():
            with sqlite3.connect(database()) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # persists; readers never block the writer
        made = MlflowClient(uri)
        made.search_experiments(max_results=1)  # creates the tables, which two processes cannot do at once
    return made


def quiet_mlflow() -> None:
    """Settings that mlflow reads while it is imported: no usage statistics, hints or bars."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
