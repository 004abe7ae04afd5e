"""The store of runs: `mlruns/` in the working directory, or the address in MLFLOW_TRACKING_URI."""

import errno
import os
import shlex
import sqlite3
import uuid
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.errors import LabError, see, without_password
from lab.files import as_folder_name, atomic_write, locked
from lab.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient


SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")
JOURNAL_TAG = "lab.journal"  # the tracker's id
OUTBOX_TAG = "lab.outbox"  # the folder of the journal, on the machine in HOST_TAG
HOST_TAG = "machine.host"
HEARTBEAT_TAG = "lab.heartbeat"  # when the run's sender last reported, in milliseconds since 1970
THRESHOLD_TAG = "lab.threshold"  # of a run: above which probability a yes is said, in words
COMBINATION_TAG = "lab.combination"  # of a run: what its forecast is the mean of, in words
INCOMPLETE_TAG = "lab.incomplete"  # what a finished run could not keep, and why
PROBE_BYTES = 65_536
DATABASE = "mlflow.db"
JOURNALS = "journal"
# Settings that change what a run records, and no result.
RECORDING_PARAMS = ("trainer.histograms", "trainer.log_every_n_steps", "trainer.profiler", "checkpoints.every_seconds")
SEED_PARAMS = ("seed", "random_seed", "random_state")  # that hold the seed of a run, whoever recorded it


def client(retries: int = 1, timeout: int = 10) -> "MlflowClient":
    """A client of the store; creates the local store if necessary. Imports mlflow, which takes about two seconds.

    `retries` and `timeout` (seconds) apply to each call to a server.
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
        created = MlflowClient(uri)
        created.search_experiments(max_results=1)  # creates the tables, which two processes cannot do at once
    return created


def quiet_mlflow() -> None:
    """Turn off usage statistics, hints and progress bars of MLflow, which reads these settings when imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    warnings.filterwarnings("ignore", message="IProgress not found")  # of a notebook without ipywidgets


def check_writable(folder: Path | None = None) -> None:
    """Raise LabError where a run could not be recorded in the local store, or in that folder; leaves no file behind.

    Nor may a server refuse us; where it does not answer, a line says so.
    """
    if tracking_uri().startswith("http"):
        server.check_before_training(tracking_uri())
    local = folder or root()
    probe = local / JOURNALS / f".probe-{os.getpid()}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * PROBE_BYTES)
        probe.unlink()
        # Not opened: closing it would give up the locks that SQLite holds on it for connections of this process.
        if is_local() and (local / DATABASE).exists() and not os.access(local / DATABASE, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(local / DATABASE))
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        path = error.filename or probe
        why = f"{path}: cannot be written: {error.strerror}; free space or change permissions"
        raise LabError(f"{why}{see('disk-full')}") from None


def tracking_uri() -> str:
    """The address of the store; raises LabError for one that MLflow does not support."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _local_uri()
    if urlsplit(uri).scheme.partition("+")[0] not in SCHEMES:
        raise LabError(
            f"MLFLOW_TRACKING_URI: '{without_password(uri)}' is not the address of a store; write "
            "http://host:port or sqlite:////path/mlflow.db, or unset it to use mlruns/"
        )
    return uri


def is_local() -> bool:
    """Whether runs go to `mlruns/mlflow.db`."""
    return tracking_uri() == _local_uri()


def _local_uri() -> str:
    return f"sqlite:///{database()}"


def root() -> Path:
    """The folder of the local store, `mlruns/` in the working directory."""
    return Path("mlruns").absolute()


def folder_id() -> str:
    """A random id of `mlruns/`, made when it is first asked for: host names and paths repeat among containers."""
    path = root() / ".id"
    root().mkdir(parents=True, exist_ok=True)
    with locked(root() / ".lock"):
        if not path.exists():
            with atomic_write(path) as written:
                written.write_text(uuid.uuid4().hex, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def database() -> Path:
    """The SQLite file of the local store."""
    return root() / DATABASE


def files_of(experiment: str) -> Path:
    """The folder in the local store in which each run of an experiment has a folder of its files."""
    return root() / "artifacts" / as_folder_name(experiment)


def place_of(experiment: str, run_id: str, name: str = "") -> str:
    """Where a file of a run, or all of them, can be opened: a path below the working folder in the local store.

    Elsewhere, and where the file is not (yet) in its usual folder, the command that brings it here.
    """
    path = files_of(experiment) / run_id / "artifacts" / name
    if is_local() and path.exists():
        return shlex.quote(str(path.relative_to(Path.cwd())))
    address = f"MLFLOW_TRACKING_URI=sqlite:///{root().name}/{DATABASE} " if is_local() else ""
    part = f" --artifact-path {name}" if name else ""
    return f"{address}.venv/bin/mlflow artifacts download --run-id {run_id}{part} --dst-path ."


def journals() -> Path:
    """The folder of the journals that are being written or not sent yet."""
    return root() / JOURNALS
