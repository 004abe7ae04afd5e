"""Trials that were interrupted: who drives a study, and the retry of what a dead driver left RUNNING."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lab import files
from lab.errors import LabError
from lab.parallel.child_runs import driver_lock_path
from lab.studies import storage
from lab.studies.shared_lock import is_shared, shared_lock

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import TrialState

# User attributes of a study:
RETRIED = "lab.retried"  # the numbers of interrupted trials that were enqueued again
DRIVER = "lab.driver"  # the machine that runs it, and the lock file that its driver holds
RETRY_OF = "lab.retry_of"  # user attribute of a trial: the number of the interrupted one


def record_driver(study: "Study", name: str) -> None:
    """Record that this machine runs the study, under the driver lock `name`."""
    study.set_user_attr(DRIVER, {"host": platform.node(), "lock": str(driver_lock_path(name))})


def retry_abandoned_trials() -> list[str]:
    """Fail and enqueue again the trials that dead drivers of this machine left RUNNING; a line for each study.

    Raises LabError if the storage cannot be read.
    """
    if not storage.exists():
        return []
    storage.quiet_optuna()
    return [line for study in storage.load_studies() if (line := _retry_abandoned(study))]


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
    if is_shared(storage.address()):
        with shared_lock(storage.address(), study.study_name):
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
