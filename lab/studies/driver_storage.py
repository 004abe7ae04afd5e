"""What the driver of a study reads and writes of Optuna's storage: reads from memory, writes in few transactions.

Optuna asks its database for all trials at every report, and commits every value by itself: 57 transactions a trial.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from optuna.storages import InMemoryStorage, RDBStorage

from lab.studies.shared_lock import SharedLock

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

T = TypeVar("T")


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
        self._waiting: list[Callable[[], object]] = []
        for key, value in database.get_study_user_attrs(self._stored_study).items():
            super().set_study_user_attr(self._study, key, value)
        for key, value in database.get_study_system_attrs(self._stored_study).items():
            super().set_study_system_attr(self._study, key, value)
        for trial in database.get_all_trials(self._stored_study, deepcopy=False):
            self._add(trial)

    def find_enqueued(self) -> None:
        """Add the trials that another process has enqueued."""
        try:
            while True:
                stored = self._database.get_trial_id_from_study_id_trial_number(self._stored_study, self._count)
                self._add(self._database.get_trial(stored))
        except KeyError:  # there is none of that number
            return

    def flush(self) -> None:
        """Write all that waits."""
        if self._waiting:
            self._write(lambda: None)

    def create_new_trial(self, study_id: int, template_trial: "FrozenTrial | None" = None) -> int:
        """Store a trial at once, and return its id."""
        stored = self._write(lambda: self._database.create_new_trial(self._stored_study, template_trial))
        number = self._database.get_trial_number_from_id(stored)
        if number > self._count:
            self.find_enqueued()
            return self.get_trial_id_from_study_id_trial_number(study_id, number)
        return self._add(template_trial)

    def set_trial_state_values(self, trial_id: int, state: "TrialState", values: Sequence[float] | None = None) -> bool:
        """Store a state at once; False where another process has begun this trial before."""
        stored = self._stored_id(trial_id)
        done = self._write(lambda: self._database.set_trial_state_values(stored, state, values))
        return done and super().set_trial_state_values(trial_id, state, values)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: "BaseDistribution"
    ) -> None:
        """Set a parameter of a trial."""
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        stored = self._stored_id(trial_id)
        self._later(lambda: self._database.set_trial_param(stored, param_name, param_value_internal, distribution))

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Set what a trial reports of an epoch."""
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        stored = self._stored_id(trial_id)
        self._later(lambda: self._database.set_trial_intermediate_value(stored, step, intermediate_value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial."""
        super().set_trial_user_attr(trial_id, key, value)
        stored = self._stored_id(trial_id)
        self._later(lambda: self._database.set_trial_user_attr(stored, key, value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial that Optuna uses."""
        super().set_trial_system_attr(trial_id, key, value)
        stored = self._stored_id(trial_id)
        self._later(lambda: self._database.set_trial_system_attr(stored, key, value))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store an attribute of the study at once."""
        self._write(lambda: self._database.set_study_user_attr(self._stored_study, key, value))
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store an attribute of the study that Optuna uses at once."""
        self._write(lambda: self._database.set_study_system_attr(self._stored_study, key, value))
        super().set_study_system_attr(study_id, key, value)

    def _add(self, trial: "FrozenTrial | None") -> int:
        self._count += 1
        return super().create_new_trial(self._study, trial)

    def _stored_id(self, trial_id: int) -> int:
        if trial_id not in self._stored_ids:
            number = self.get_trial_number_from_id(trial_id)
            stored = self._database.get_trial_id_from_study_id_trial_number(self._stored_study, number)
            self._stored_ids[trial_id] = stored
        return self._stored_ids[trial_id]

    def _later(self, write: Callable[[], object]) -> None:
        self._waiting.append(write)

    def _write(self, write: Callable[[], T]) -> T:
        """Write what waits, then this; what cannot be written waits no more, since its study ends with the error."""
        waiting, self._waiting = self._waiting, []
        self.lock.check()
        with _one_transaction(self._database):
            for each in waiting:
                each()
            return write()


@contextmanager
def _one_transaction(database: RDBStorage) -> Iterator[None]:
    """Let several writes be one transaction, which nothing public of Optuna does (tests: TestOptunasInternals)."""
    from sqlalchemy.orm import scoped_session, sessionmaker

    sessions = database.scoped_session
    with database.engine.begin() as connection:
        database.scoped_session = scoped_session(sessionmaker(bind=connection))
        try:
            yield
        finally:
            database.scoped_session = sessions
