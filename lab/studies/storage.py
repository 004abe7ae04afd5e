"""Where studies are stored: `mlruns/optuna.db`, or what LAB_STUDY_STORAGE names."""

import os
import sqlite3
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import files
from lab.errors import LabError, TrainingFailed, see, without_password
from lab.studies.shared_lock import SharedLock, impatience, shared_lock
from lab.tracking import store

if TYPE_CHECKING:
    from optuna import Study
    from sqlalchemy.exc import DBAPIError

    from lab.studies.driver_storage import DriverStorage

# User attributes of a study:
SPACE = "lab.space"  # the fingerprint of its search space
SETTINGS = "lab.settings"  # the fingerprint of all settings but the space
PARENT = "lab.journal"  # the tracker id of its own run
SECONDS_TO_CREATE = 4.0  # for others that create the tables at the same time; SQLite waits 5 s for a locked file
POLL_SECONDS = 0.1
EXISTS = ("23505", "42P07", "42710")  # unique_violation, duplicate_table, duplicate_object


def open_study(name: str, higher_is_better: bool, space: str) -> "Study":
    """Load the study of that name, or create it; raises LabError if the storage cannot be used."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    shown = without_password(address())
    try:
        study = optuna.create_study(
            storage=_storage(),
            study_name=name,
            direction="maximize" if higher_is_better else "minimize",
            load_if_exists=True,
        )
        known = study.user_attrs
        if known.get(SPACE, space) != space or (SPACE not in known and study.get_trials(deepcopy=False)):
            raise LabError(
                f"{shown} holds a study {name} of another space; set LAB_STUDY_STORAGE to another "
                f"storage, or delete it: optuna delete-study --storage {shown} --study-name {name}"
                f"{see('study-storage')}"
            )
        if SPACE not in known:
            study.set_user_attr(SPACE, space)
            study.set_user_attr(PARENT, uuid.uuid4().hex)
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise _unusable(error) from None
    return study


def driven(name: str, lock: SharedLock) -> "tuple[Study, DriverStorage]":
    """A stored study as the holder of its lock uses it; raises LabError if the storage cannot be read."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    from lab.studies.driver_storage import DriverStorage

    try:
        stored = DriverStorage(_storage(), name, lock)
    except (OptunaError, SQLAlchemyError, OSError) as error:
        raise _unusable(error) from None
    return optuna.load_study(study_name=name, storage=stored), stored


@contextmanager
def study_lock(name: str) -> Iterator[SharedLock]:
    """Hold the lock of a study where it is stored; raises LabError where another driver holds it."""
    from sqlalchemy.exc import SQLAlchemyError

    with ExitStack() as stack:
        try:
            lock = stack.enter_context(shared_lock(address(), name))
        except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
            raise _unusable(error) from None
        yield lock


@contextmanager
def losses_in_one_line() -> Iterator[None]:
    """Raise TrainingFailed where the storage is lost while a study runs."""
    from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except UpdateFinishedTrialError:
        raise TrainingFailed("another driver has ended a trial of this one; the same command continues") from None
    except (StorageInternalError, SQLAlchemyError) as error:
        raise TrainingFailed(str(_unusable(error, "; the same command continues the study"))) from error


def load_studies() -> "list[Study]":
    """All studies of the storage; raises LabError if it cannot be read."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        opened = _storage()
        return [optuna.load_study(study_name=name, storage=opened) for name in optuna.get_all_study_names(opened)]
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise _unusable(error) from None


def _storage() -> Any:
    """Optuna's storage with its tables created, tried again where another program creates them at the same time."""
    from sqlalchemy.exc import DBAPIError

    deadline = time.monotonic() + SECONDS_TO_CREATE
    while True:
        try:
            return _opened()
        except DBAPIError as error:
            if not _creates_it_too(error) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _opened() -> Any:
    """Optuna's storage; a local SQLite file in WAL mode, so that readers never block.

    A local file is not forced to the disk by each transaction: after a power failure, the last trials are repeated.
    """
    from optuna.storages import RDBStorage

    url = address()
    if os.environ.get("LAB_STUDY_STORAGE"):  # a server may be restarted
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": impatience(url)})
    with files.locked(store.root() / ".lock"):  # of several studies that start, one creates the tables
        return RDBStorage(url, engine_kwargs={"creator": _open_database})


def _creates_it_too(error: "DBAPIError") -> bool:
    """Whether another process may be creating its tables at this moment, which Optuna does not expect."""
    code = getattr(error.orig, "sqlstate", None)  # of PostgreSQL, which may say it in another language
    return code in EXISTS or any(words in str(error) for words in ("UNIQUE", "already exists", "database is locked"))


def _open_database() -> sqlite3.Connection:
    connection = sqlite3.connect(_database(), check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def address() -> str:
    """The storage's URL."""
    return os.environ.get("LAB_STUDY_STORAGE") or f"sqlite:///{_database()}"


def exists() -> bool:
    """Whether LAB_STUDY_STORAGE is set or the local file is there."""
    return bool(os.environ.get("LAB_STUDY_STORAGE")) or _database().exists()


def _database() -> Path:
    return store.root() / "optuna.db"


def _unusable(error: Exception, then: str = "") -> LabError:
    cause = error.__cause__ or error.__context__ if type(error).__name__ == "StorageInternalError" else None
    shown = without_password(address())
    why = str(cause or error).splitlines()[0]
    return LabError(f"the study storage {shown} cannot be used: {why}{then}{see('study-storage')}")


def quiet_optuna() -> None:
    """Silence Optuna's log of every trial and its warnings about experimental features."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module=r"optuna\b.*")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
