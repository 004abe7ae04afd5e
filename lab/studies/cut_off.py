"""Trials that were cut off with their driver: failed, and tried again."""

import os
import platform
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lab import locks
from lab.errors import LabError
from lab.studies import storage
from lab.tracking import store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import TrialState

RETRIED = "lab.retried"  # user attribute of a study: the numbers of trials that were cut off, and enqueued again
DRIVER = "lab.driver"  # user attribute of a study: the machine that drives it, and the lock that its driver holds


def fail_and_retry(study: "Study", number: int) -> None:
    """Fail a trial for no fault of its own, and enqueue its settings."""
    retried = study.user_attrs.get(RETRIED, [])
    params = study.get_trials(deepcopy=False)[number].params
    if number not in retried:
        if params:
            study.enqueue_trial(params, user_attrs={"lab.retry_of": number})
        study.set_user_attr(RETRIED, [*retried, number])
    study.tell(number, state=trial_state("FAIL"))


def close_running(study: "Study") -> int:
    """Fail and enqueue again every trial that is RUNNING; how many there were. Its driver must be gone."""
    running = [trial.number for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]
    for number in running:
        fail_and_retry(study, number)
    return len(running)


def close_all() -> list[str]:
    """Close the trials that dead drivers of this machine left RUNNING; a line about each study. Raises LabError."""
    if not exists():
        return []
    storage.quiet_optuna()
    found = storage.load_studies()
    return [line for study in found if (line := _close(study))]


def exists() -> bool:
    """Whether there is a storage of studies."""
    return bool(os.environ.get("LAB_STUDY_STORAGE")) or (store.root() / "optuna.db").exists()


def note_driver(study: "Study", name: str) -> None:
    """Note who drives a study from now on."""
    study.set_user_attr(DRIVER, {"host": platform.node(), "lock": str(locks.path(name))})


def _close(study: "Study") -> str:
    driver = study.user_attrs.get(DRIVER, {})
    if driver.get("host") != platform.node() or not _running(study):
        return ""
    lock = Path(str(driver.get("lock")))
    try:
        # Without the file there is no driver: it was removed with the folder that was worked in.
        with locks.held(lock, study.study_name) if lock.is_file() else nullcontext():
            count = close_running(study)
    except LabError:  # its driver lives
        return ""
    return f"{count} trial{'s' if count > 1 else ''} of {study.study_name} failed with the driver, to be tried again"


def _running(study: "Study") -> bool:
    return any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False))


def trial_state(name: str) -> "TrialState":
    """Optuna's state of that name."""
    from optuna.trial import TrialState

    return TrialState[name]
