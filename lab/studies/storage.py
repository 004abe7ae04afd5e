"""Where studies are stored: `mlruns/optuna.db`, or what LAB_STUDY_STORAGE names; and trials whose driver is gone."""

import os
import platform
import sqlite3
import uuid
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lab import files
from lab.errors import LabError
from lab.parallel import child_runs
from lab.tracking import store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import TrialState


Sampler = Literal["tpe", "gp", "random", "cmaes"]
Pruner = Literal["hyperband", "median", "none"]
SAMPLERS: tuple[Sampler, ...] = ("tpe", "gp", "random", "cmaes")
PRUNERS: tuple[Pruner, ...] = ("hyperband", "median", "none")
SPACE = "lab.space"  # user attributes of a study
PARENT = "lab.journal"
RETRIED = "lab.retried"  # user attribute of a study: the numbers of trials that were cut off, and enqueued again
DRIVER = "lab.driver"  # user attribute of a study: the machine that drives it, and the lock that its driver holds


def address() -> str:
    """The storage's address."""
    return os.environ.get("LAB_STUDY_STORAGE") or f"sqlite:///{store.root() / 'optuna.db'}"


def open_study(name: str, higher_is_better: bool, space: str) -> "Study":
    """The study of that name, made where there is none; raises LabError where the storage cannot be used."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    shown = store.without_password(address())
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
            )
        if SPACE not in known:
            study.set_user_attr(SPACE, space)
            study.set_user_attr(PARENT, uuid.uuid4().hex)
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise LabError(f"the study storage {shown} cannot be used: {str(error).splitlines()[0]}") from None
    return study


def load_studies() -> "list[Study]":
    """All studies of the storage; raises LabError where it cannot be read."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        opened = _storage()
        return [optuna.load_study(study_name=name, storage=opened) for name in optuna.get_all_study_names(opened)]
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError) as error:
        shown = store.without_password(address())
        raise LabError(f"the study storage {shown} cannot be used: {str(error).splitlines()[0]}") from None


def _storage() -> Any:
    """Optuna's storage, its tables made; a local SQLite file in WAL mode, so that readers never wait."""
    import optuna

    url = address()
    if not os.environ.get("LAB_STUDY_STORAGE"):
        with sqlite3.connect(store.root() / "optuna.db") as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    return optuna.storages.RDBStorage(url)


def quiet_optuna() -> None:
    """Silence what Optuna says of its experimental parts and of every trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module=r"optuna\b.*")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def make_sampler(kind: Sampler, trials: int, seed: int) -> "BaseSampler":
    """Optuna's sampler of that name; `trials` is how many it is going to choose."""
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
    """Optuna's pruner of that name."""
    from optuna import pruners

    if kind == "none":
        return pruners.NopPruner()
    if kind == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, max_epochs // 10))
    return pruners.HyperbandPruner(min_resource=max(1, max_epochs // 9), max_resource=max_epochs, reduction_factor=3)


def fail_and_retry(study: "Study", number: int) -> None:
    """Fail a trial for no fault of its own, and enqueue its settings."""
    retried = study.user_attrs.get(RETRIED, [])
    params = study.get_trials(deepcopy=False)[number].params
    if number not in retried:
        if params:
            study.enqueue_trial(params, user_attrs={"lab.retry_of": number})
        study.set_user_attr(RETRIED, [*retried, number])
    study.tell(number, state=trial_state("FAIL"))


def fail_running(study: "Study") -> int:
    """Fail and enqueue again every trial that is RUNNING; how many there were. Its driver must be gone."""
    running = [trial.number for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]
    for number in running:
        fail_and_retry(study, number)
    return len(running)


def fail_interrupted() -> list[str]:
    """Close the trials that dead drivers of this machine left RUNNING; a line about each study. Raises LabError."""
    if not exists():
        return []
    quiet_optuna()
    found = load_studies()
    return [line for study in found if (line := _fail_interrupted(study))]


def exists() -> bool:
    """Whether there is a storage of studies."""
    return bool(os.environ.get("LAB_STUDY_STORAGE")) or (store.root() / "optuna.db").exists()


def note_driver(study: "Study", name: str) -> None:
    """Note who drives a study from now on."""
    study.set_user_attr(DRIVER, {"host": platform.node(), "lock": str(child_runs.driver_lock(name))})


def _fail_interrupted(study: "Study") -> str:
    driver = study.user_attrs.get(DRIVER, {})
    if driver.get("host") != platform.node() or not _running(study):
        return ""
    lock = Path(str(driver.get("lock")))
    try:
        # Without the file there is no driver: it was removed with the folder that was worked in.
        with files.held(lock, study.study_name) if lock.is_file() else nullcontext():
            count = fail_running(study)
    except LabError:  # its driver lives
        return ""
    return f"{count} trial{'s' if count > 1 else ''} of {study.study_name} failed with the driver, to be tried again"


def _running(study: "Study") -> bool:
    return any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False))


def trial_state(name: str) -> "TrialState":
    """Optuna's state of that name."""
    from optuna.trial import TrialState

    return TrialState[name]
