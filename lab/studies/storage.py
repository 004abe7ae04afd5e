"""Where studies are stored: `mlruns/optuna.db`, or what LAB_STUDY_STORAGE names."""

import os
import sqlite3
import uuid
import warnings
from typing import TYPE_CHECKING, Any, Literal

from lab.errors import LabError
from lab.tracking import store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

Sampler = Literal["tpe", "gp", "random", "cmaes"]
Pruner = Literal["hyperband", "median", "none"]
SAMPLERS: tuple[Sampler, ...] = ("tpe", "gp", "random", "cmaes")
PRUNERS: tuple[Pruner, ...] = ("hyperband", "median", "none")
SPACE = "lab.space"  # user attributes of a study
PARENT = "lab.journal"


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
