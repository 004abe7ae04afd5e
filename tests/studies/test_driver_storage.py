"""What a driver keeps in memory is what is stored, and it is stored in few transactions."""

import math
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from lab.errors import TrainingFailed
from lab.studies import samplers, storage
from lab.studies.driver_storage import DriverStorage
from lab.studies.shared_lock import SharedLock

NAME = "tiny"
SPACE = {"x": optuna.distributions.FloatDistribution(0, 1), "kind": optuna.distributions.CategoricalDistribution("ab")}


class LostLock(SharedLock):
    """A lock that another driver takes."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise TrainingFailed("another driver has the study")


@pytest.fixture
def stored(workplace: Path) -> tuple[optuna.Study, DriverStorage]:
    storage.quiet_optuna()
    storage.open_study(NAME, True, "space")
    study, driver = storage.driven(NAME, LostLock())
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    study.pruner = samplers.make_pruner("hyperband", 9)
    return study, driver


def as_stored() -> list[optuna.trial.FrozenTrial]:
    """The trials as another process reads them."""
    return optuna.load_study(study_name=NAME, storage=storage.address()).trials


def contents(trial: optuna.trial.FrozenTrial) -> tuple[object, ...]:
    attributes = trial.user_attrs, trial.system_attrs
    return (
        trial.number,
        trial.state,
        trial.values,
        trial.params,
        trial.distributions,
        trial.intermediate_values,
        attributes,
    )


def train(study: optuna.Study, epochs: int = 9) -> optuna.Trial:
    trial = study.ask(SPACE)
    for epoch in range(1, epochs + 1):
        trial.report(trial.params["x"] * epoch, epoch)
        trial.should_prune()
    return trial


def test_another_process_reads_what_the_driver_has_in_memory(stored: tuple[optuna.Study, DriverStorage]) -> None:
    study, driver = stored
    study.enqueue_trial({"x": 0.5, "kind": "b"}, user_attrs={"from": "us"})
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        trial = train(study)
        trial.set_user_attr("best_epoch", 3)
        study.tell(trial, 0.25 if state is TrialState.COMPLETE else None, state=state)
    train(study)
    study.enqueue_trial({"x": 0.25, "kind": "a"})
    study.set_user_attr("scores", {"a": [1.0, None]})
    driver.flush()
    assert [contents(trial) for trial in as_stored()] == [contents(trial) for trial in study.trials]
    assert [trial.state.name for trial in as_stored()] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]
    assert study.best_trial.params == {"x": 0.5, "kind": "b"}
    again, _ = storage.driven(NAME, SharedLock())
    assert [contents(trial) for trial in again.trials] == [contents(trial) for trial in study.trials]
    assert again.user_attrs == study.user_attrs
    assert again.user_attrs["scores"] == {"a": [1.0, None]}


def test_trials_that_another_process_enqueues_are_found_and_keep_their_numbers(
    stored: tuple[optuna.Study, DriverStorage],
) -> None:
    study, driver = stored
    other = optuna.load_study(study_name=NAME, storage=storage.address())
    other.enqueue_trial({"x": 0.75, "kind": "a"})
    driver.find_enqueued()
    assert study.ask(SPACE).params == {"x": 0.75, "kind": "a"}
    other.enqueue_trial({"x": 0.125, "kind": "b"})
    study.enqueue_trial({"x": 1.0, "kind": "a"})  # the driver has not seen the other one
    assert study.ask(SPACE).params == {"x": 0.125, "kind": "b"}
    assert study.ask(SPACE).params == {"x": 1.0, "kind": "a"}
    driver.flush()
    assert [contents(trial) for trial in as_stored()] == [contents(trial) for trial in study.trials]


def test_a_trial_of_nine_reports_is_stored_in_three_transactions(stored: tuple[optuna.Study, DriverStorage]) -> None:
    study, driver = stored
    transactions = changes_by_transaction(driver)
    trial = study.ask(SPACE)
    driver.flush()
    for epoch in range(1, 10):
        trial.report(0.5, epoch)
        trial.should_prune()
    trial.set_user_attr("best_epoch", 3)
    study.tell(trial, 0.5)
    assert [count > 0 for count in transactions].count(True) == 3
    assert as_stored()[0].intermediate_values == dict.fromkeys(range(1, 10), 0.5)


def changes_by_transaction(driver: DriverStorage) -> list[int]:
    """How many rows each transaction from now on changes."""
    engine = driver._database.engine
    found, changes = [], []
    sqlalchemy.event.listen(
        engine, "before_cursor_execute", lambda *of: changes.extend([1] * of[2].startswith(("INSERT", "UPDATE")))
    )
    sqlalchemy.event.listen(engine, "commit", lambda connection: (found.append(len(changes)), changes.clear()))
    return found


def test_nothing_is_written_once_another_driver_has_the_lock(stored: tuple[optuna.Study, DriverStorage]) -> None:
    study, driver = stored
    trial = train(study, epochs=2)
    driver.flush()
    driver.lock.lost = True  # type: ignore[attr-defined]
    trial.report(0.5, 3)
    for write in (driver.flush, lambda: study.tell(trial, 1.0), lambda: study.ask(SPACE)):
        with pytest.raises(TrainingFailed, match="another driver has the study"):
            write()
    (found,) = as_stored()
    assert (found.state, sorted(found.intermediate_values)) == (TrialState.RUNNING, [1, 2])


class TestOptunasInternals:
    """What nothing public of Optuna does."""

    def test_writes_of_one_transaction_are_stored_together_or_not_at_all(
        self, stored: tuple[optuna.Study, DriverStorage]
    ) -> None:
        study, driver = stored
        trial = train(study, epochs=1)
        driver.flush()
        trial.report(0.5, 2)
        driver._changes.user_attribute(999, "of", "no trial", replaces=False)
        with pytest.raises(KeyError):
            driver.flush()
        assert sorted(as_stored()[0].intermediate_values) == [1]
        trial.report(0.5, 3)
        driver.flush()
        assert sorted(as_stored()[0].intermediate_values) == [1, 3]

    def test_what_is_written_in_bulk_is_what_optuna_writes(self, stored: tuple[optuna.Study, DriverStorage]) -> None:
        """Values that are no numbers too, and the last one where something is written twice."""
        study, driver = stored
        plain = optuna.load_study(study_name=NAME, storage=storage.address())
        plain.sampler, plain.pruner = optuna.samplers.RandomSampler(seed=1), study.pruner
        study.sampler = optuna.samplers.RandomSampler(seed=1)
        for each in (study, plain):
            trial = each.ask(SPACE)
            for flush in (driver.flush, lambda: None):
                trial.set_user_attr("scores", [1, None, "ä"] if flush is driver.flush else {"a": math.nan})
                for step, value in enumerate((0.25, math.inf, -math.inf, math.nan, 1e300, 5e-324)):
                    trial.storage.set_trial_intermediate_value(trial._trial_id, step, value)
                flush()
            each.tell(trial, 0.5)
            driver.find_enqueued()
        ours, optunas = (contents(trial)[1:] for trial in as_stored())
        assert str(ours) == str(optunas)

    def test_a_trial_that_another_process_has_ended_takes_no_report(
        self, stored: tuple[optuna.Study, DriverStorage]
    ) -> None:
        study, driver = stored
        trial = train(study, epochs=1)
        driver.flush()
        optuna.load_study(study_name=NAME, storage=storage.address()).tell(0, state=TrialState.FAIL)
        trial.report(0.5, 2)
        with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
            driver.flush()
        assert sorted(as_stored()[0].intermediate_values) == [1]

    def test_the_parts_are_there(self, workplace: Path) -> None:
        assert {"engine", "scoped_session"} <= set(vars(RDBStorage("sqlite:///:memory:")))
        assert callable(RDBStorage._create_new_trial)
