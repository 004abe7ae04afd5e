"""Where studies are stored: `mlruns/optuna.db`, or what LAB_STUDY_STORAGE names.

Also the samplers and pruners by name, and the retry of trials whose driver died.
"""

import os
import platform
import sqlite3
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lab import files
from lab.errors import LabError, TrainingFailed, see, without_password
from lab.parallel.child_runs import driver_lock_path
from lab.studies.shared_lock import SharedLock, impatience, is_shared, shared_lock
from lab.tracking import store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import TrialState
    from sqlalchemy.exc import DBAPIError

    from lab.studies.driver_storage import DriverStorage

Sampler = Literal["tpe", "gp", "random", "cmaes"]
Pruner = Literal["hyperband", "median", "none"]
SAMPLERS: tuple[Sampler, ...] = ("tpe", "gp", "random", "cmaes")
PRUNERS: tuple[Pruner, ...] = ("hyperband", "median", "none")
# User attributes of a study:
SPACE = "lab.space"  # the fingerprint of its search space
SETTINGS = "lab.settings"  # the fingerprint of all settings but the space
PARENT = "lab.journal"  # the tracker id of its own run
RETRIED = "lab.retried"  # the numbers of interrupted trials that were enqueued again
DRIVER = "lab.driver"  # the machine that runs it, and the lock file that its driver holds
SECONDS_BETWEEN_ATTEMPTS = (0.1, 0.2, 0.5, 1.0, 2.0)  # to open a storage that others create at the same time
EXISTS = ("23505", "42P07", "42710")  # unique_violation, duplicate_table, duplicate_object
RETRY_OF = "lab.retry_of"  # user attribute of a trial: the number of the interrupted one


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
    """Optuna's storage with its tables created; a local SQLite file in WAL mode, so that readers never block.

    A local file is not forced to the disk by each transaction: after a power failure, the last trials are repeated.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DBAPIError

    url = address()
    if not os.environ.get("LAB_STUDY_STORAGE"):
        with files.locked(store.root() / ".lock"):  # two processes cannot create the tables at once
            return RDBStorage(url, engine_kwargs={"creator": _open_database})
    options = {"pool_pre_ping": True, "connect_args": impatience(url)}  # a server may be restarted
    for seconds in SECONDS_BETWEEN_ATTEMPTS:
        try:
            return RDBStorage(url, engine_kwargs=options)
        except DBAPIError as error:
            if not _creates_it_too(error):
                raise
            time.sleep(seconds)
    return RDBStorage(url, engine_kwargs=options)


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


def make_sampler(kind: Sampler, trials: int, seed: int) -> "BaseSampler":
    """Optuna's sampler of that name, for a study of `trials` trials."""
    from optuna import samplers

    if kind == "gp":
        return samplers.GPSampler(seed=seed, independent_sampler=samplers.RandomSampler(seed=seed))
    if kind == "random":
        return samplers.RandomSampler(seed=seed)
    if kind == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    startup = min(10, max(4, trials // 3))
    return samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)


def make_pruner(kind: Pruner, max_epochs: int) -> "BasePruner":
    """Optuna's pruner of that name, for trials of `max_epochs` epochs."""
    from optuna import pruners

    if kind == "none":
        return pruners.NopPruner()
    if kind == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, max_epochs // 10))
    return pruners.HyperbandPruner(min_resource=max(1, max_epochs // 9), max_resource=max_epochs, reduction_factor=3)


def record_driver(study: "Study", name: str) -> None:
    """Record that this machine runs the study, under the driver lock `name`."""
    study.set_user_attr(DRIVER, {"host": platform.node(), "lock": str(driver_lock_path(name))})


def retry_abandoned_trials() -> list[str]:
    """Fail and enqueue again the trials that dead drivers of this machine left RUNNING; a line for each study.

    Raises LabError if the storage cannot be read.
    """
    if not exists():
        return []
    quiet_optuna()
    return [line for study in load_studies() if (line := _retry_abandoned(study))]


def _retry_abandoned(study: "Study") -> str:
    if not _running(study):
        return ""
    try:
        with _without_driver(study) as dead:
            count = fail_running_trials(study) if dead else 0
    except LabError:  # its driver is alive
        return ""
    if not count:
        return ""
    return f"{count} trial{'s' if count > 1 else ''} of {study.study_name} failed with the driver, will be retried"


@contextmanager
def _without_driver(study: "Study") -> Iterator[bool]:
    """Keep drivers off a study, and tell whether it has none; raises LabError where it has.

    Where only a lock file says so, it says nothing of other machines. Without the file no driver is alive: it was
    removed together with its folder.
    """
    if is_shared(address()):
        with shared_lock(address(), study.study_name):
            yield True
        return
    driver = study.user_attrs.get(DRIVER, {})
    lock = Path(str(driver.get("lock")))
    with files.held(lock, study.study_name) if lock.is_file() else nullcontext():
        yield driver.get("host") == platform.node()


def fail_running_trials(study: "Study") -> int:
    """Fail and enqueue again every RUNNING trial; returns their number. The study's driver must be dead."""
    running = _running(study)
    for number in running:
        fail_and_retry(study, number)
    return len(running)


def _running(study: "Study") -> list[int]:
    return [trial.number for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]


def places_taken(study: "Study") -> int:
    """How many trials have been asked for, of which a retry and what it repeats are one."""
    retried = study.user_attrs.get(RETRIED, [])
    trials = study.get_trials(deepcopy=False)
    return sum(trial.number not in retried and trial.state.name != "WAITING" for trial in trials)


def fail_and_retry(study: "Study", number: int) -> None:
    """Fail a trial that was interrupted, and enqueue its settings again; may itself be interrupted and repeated."""
    retried = study.user_attrs.get(RETRIED, [])
    trials = study.get_trials(deepcopy=False)
    params = trials[number].params
    if params and not any(trial.user_attrs.get(RETRY_OF) == number for trial in trials):
        study.enqueue_trial(params, user_attrs={RETRY_OF: number})
    if number not in retried:
        study.set_user_attr(RETRIED, [*retried, number])
    study.tell(number, state=trial_state("FAIL"))


def trial_state(name: str) -> "TrialState":
    """Optuna's trial state of that name."""
    from optuna.trial import TrialState

    return TrialState[name]
