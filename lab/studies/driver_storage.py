"""What the driver of a study reads and writes of Optuna's storage: reads from memory, writes in few transactions.

Optuna asks its database for all trials at every report, and commits every value by itself: 57 transactions a trial.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from optuna.storages import InMemoryStorage, RDBStorage

from lab.studies.optuna_internals import Changes, create_trial, joined, stored_id
from lab.studies.shared_lock import SharedLock

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

T = TypeVar("T")
PAUSE_SECONDS = 1.0  # between two transactions of reports alone, and two looks for enqueued trials


class DriverStorage(InMemoryStorage):
    """A stored study in memory, each change of which is written to the database.

    It stays equal to what is stored, since only who holds the study's lock changes trials; trials that others enqueue
    are found by `find_enqueued`. What is said about a trial in training waits for `flush`, or until a trial begins or
    ends. All that waits is written in one transaction, and the lock is checked before.
    """

    def __init__(self, database: RDBStorage, name: str, lock: SharedLock):
        super().__init__()
        self.lock = lock
        self._database = database
        self._stored_study = database.get_study_id_from_name(name)
        self._study = super().create_new_study(database.get_study_directions(self._stored_study), name)
        self._count = 0  # of trials
        self._stored_ids: dict[int, int] = {}  # of trials, by the id that they have in memory
        self._changes = Changes()
        self._written = self._looked = -math.inf  # when, of time.monotonic()
        for key, value in database.get_study_user_attrs(self._stored_study).items():
            super().set_study_user_attr(self._study, key, value)
        for key, value in database.get_study_system_attrs(self._stored_study).items():
            super().set_study_system_attr(self._study, key, value)
        for trial in database.get_all_trials(self._stored_study, deepcopy=False):
            self._add(stored_id(trial), trial)

    def find_enqueued(self) -> None:
        """Add the trials that another process has enqueued; looks for them at most once a second."""
        if time.monotonic() - self._looked < PAUSE_SECONDS:
            return
        self._looked = time.monotonic()
        self._find_enqueued()

    def _find_enqueued(self) -> None:
        try:
            while True:
                stored = self._database.get_trial_id_from_study_id_trial_number(self._stored_study, self._count)
                self._add(stored, self._database.get_trial(stored))
        except KeyError:  # there is none of that number
            return

    def flush(self) -> None:
        """Write all that waits."""
        if self._changes:
            self._write(lambda: None)

    def flush_now_and_then(self) -> None:
        """Write what waits where the last writing was a while ago; what else waits can be lost with the driver."""
        if time.monotonic() - self._written >= PAUSE_SECONDS:
            self.flush()

    def create_new_trial(self, study_id: int, template_trial: "FrozenTrial | None" = None) -> int:
        """Store a trial at once, and return its id."""
        stored, number = self._write(lambda: create_trial(self._database, self._stored_study, template_trial))
        if number > self._count:
            self._find_enqueued()
            return self.get_trial_id_from_study_id_trial_number(study_id, number)
        return self._add(stored, template_trial)

    def set_trial_state_values(self, trial_id: int, state: "TrialState", values: Sequence[float] | None = None) -> bool:
        """Store a state at once; False where another process has begun this trial before."""
        stored = self._stored_ids[trial_id]
        done = self._write(lambda: self._database.set_trial_state_values(stored, state, values), of=stored)
        return done and super().set_trial_state_values(trial_id, state, values)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: "BaseDistribution"
    ) -> None:
        """Set a parameter of a trial."""
        known = param_name in self.get_trial(trial_id).params
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        self._changes.param(self._stored_ids[trial_id], param_name, param_value_internal, distribution, known)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Set what a trial reports of an epoch."""
        known = step in self.get_trial(trial_id).intermediate_values
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._changes.report(self._stored_ids[trial_id], step, intermediate_value, known)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial."""
        known = key in self.get_trial(trial_id).user_attrs
        super().set_trial_user_attr(trial_id, key, value)
        self._changes.user_attribute(self._stored_ids[trial_id], key, value, known)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial that Optuna uses."""
        known = key in self.get_trial(trial_id).system_attrs
        super().set_trial_system_attr(trial_id, key, value)
        self._changes.system_attribute(self._stored_ids[trial_id], key, value, known)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store an attribute of the study at once."""
        self._write(lambda: self._database.set_study_user_attr(self._stored_study, key, value))
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store an attribute of the study that Optuna uses at once."""
        self._write(lambda: self._database.set_study_system_attr(self._stored_study, key, value))
        super().set_study_system_attr(study_id, key, value)

    def _add(self, stored: int, trial: "FrozenTrial | None") -> int:
        trial_id = super().create_new_trial(self._study, trial)
        self._stored_ids[trial_id] = stored
        self._count += 1
        return trial_id

    def _write(self, write: Callable[[], T], of: int | None = None) -> T:
        """Write what waits, then this; what cannot be written waits no more, since its study ends with the error.

        `of` is the trial in the database that is changed: Optuna itself finds out whether it has ended.
        """
        waiting, self._changes = self._changes, Changes()
        self._written = time.monotonic()
        with self.lock.transaction(self._database.engine) as connection, joined(self._database, connection):
            waiting.write(connection, of)
            return write()
