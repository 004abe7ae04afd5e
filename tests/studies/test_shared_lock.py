"""Two drivers of one study that is stored in PostgreSQL, or in a file outside the working folder."""

import os
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import optuna
import postgresql
import pytest
import sqlalchemy
import warm
from searching import run, stored
from sqlalchemy.pool import NullPool
from waiting import GATED, let_pass, open_gate, wait_until

from lab.errors import LabError, TrainingFailed
from lab.studies import interrupted_trials, storage
from lab.studies import shared_lock as shared_locks
from lab.studies.search import Counts
from lab.studies.shared_lock import shared_lock
from lab.tracking import store

SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=4")
COMMAND = ("study", "tiny", "--trials", "2", "--top", "1", "--seeds", "1", "--pruner", "none", *SETTINGS)
LOSE_LOCKS = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.server() as address:
        yield f"{address}/postgres"


@pytest.fixture(params=["postgresql", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("server")
    return f"sqlite:///{tmp_path_factory.mktemp('team')}/studies.db"


def execute(server: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(statement))


def trials_waiting() -> int:
    try:
        return sum(len(trial.intermediate_values) == 2 for trial in stored().trials if trial.state.name == "RUNNING")
    except Exception:  # the storage is being created
        return 0


@pytest.mark.timeout(300)
def test_a_second_driver_is_told_who_drives_and_leaves_the_trials_of_the_first_alone(
    searched: str,
    workplace: Path,
    shared: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_STUDY_STORAGE", shared)
    (workplace / "gated.py").write_text(GATED)
    elsewhere = shutil.copytree(workplace, tmp_path_factory.mktemp("elsewhere") / "project")
    first = warm.lab(*COMMAND)
    wait_until(trials_waiting, process=first)
    with chdir(elsewhere):
        second = warm.lab(*COMMAND)
        _, told = second.communicate(timeout=60)
        assert second.returncode == 2
        assert told.count("\n") == 1
        assert f" on {os.uname().nodename}, process {first.pid}, since 20" in told
        assert interrupted_trials.retry_abandoned_trials() == []  # `lab runs --reap`
    assert Counter(trial.state.name for trial in stored().trials) == {"RUNNING": 1}
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    with chdir(elsewhere):
        open_gate()
        monkeypatch.syspath_prepend(str(elsewhere))
        result = run(searched, *SETTINGS, trials=2, top=1, seeds=1, pruner="none")
    assert result.counts == Counts(2, 0, 0)
    assert Counter(trial.state.name for trial in stored().trials) == {"COMPLETE": 2, "FAIL": 1}


def test_a_driver_whose_connection_is_lost_takes_the_lock_again_or_ends(server: str) -> None:
    with shared_lock(server, "mine") as lock:
        lock.check()
        execute(server, LOSE_LOCKS)
        lock.check()
        with (
            pytest.raises(LabError, match=f"mine is being run by .*process {os.getpid()}"),
            shared_lock(server, "mine"),
        ):
            pass
        execute(server, LOSE_LOCKS)
        with (
            shared_lock(server, "mine"),
            pytest.raises(TrainingFailed, match=r"connection to the study storage was lost, and mine is being run by"),
        ):
            lock.check()


def test_an_idle_timeout_of_the_server_leaves_the_lock(server: str) -> None:
    execute(server, "ALTER ROLE lab SET idle_session_timeout = '200ms'")
    try:
        with shared_lock(server, "idle"):
            time.sleep(1)
            with pytest.raises(LabError, match="idle is being run by"), shared_lock(server, "idle"):
                pass
    finally:
        execute(server, "ALTER ROLE lab RESET idle_session_timeout")


def test_a_driver_that_lost_its_study_to_another_one_ends_at_the_next_epoch(
    searched: str, workplace: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(server, "CREATE DATABASE taken_over")
    monkeypatch.setenv("LAB_STUDY_STORAGE", server.replace("/postgres", "/taken_over"))
    (workplace / "gated.py").write_text(GATED)
    driver = warm.lab(*COMMAND)
    wait_until(trials_waiting, process=driver)
    execute(storage.address(), LOSE_LOCKS)
    with shared_lock(storage.address(), stored().study_name):
        open_gate()
        _, told = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert told.startswith("lab: the connection to the study storage was lost, and tiny-")
    assert told.count("\n") == 1


class TestRefused:
    """One line, before anything is recorded."""

    def refused(self, name: str) -> str:
        with pytest.raises(LabError, match=r"^the study storage \S+ cannot be used: ") as error:
            run(name)
        (line,) = error.value.lines
        assert not store.client().search_runs(["1"])
        return line

    def test_a_wrong_password(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with postgresql.running(password="the-right-one") as closed:
            address = closed.address.replace("the-right-one", "a-wrong-one")
            monkeypatch.setenv("LAB_STUDY_STORAGE", f"{address}/postgres")
            line = self.refused(searched)
            assert 'password authentication failed for user "lab"' in line
            assert "a-wrong-one" not in line
            with shared_lock(f"{closed.address}/postgres", "the right one opens"):
                pass

    def test_a_server_that_does_not_answer(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shared_locks, "CONNECT_SECONDS", 2)  # the least that PostgreSQL's library waits
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv("LAB_STUDY_STORAGE", f"postgresql://lab@127.0.0.1:{silent.getsockname()[1]}/postgres")
            assert "timeout" in self.refused(searched)


@pytest.mark.timeout(300)
def test_a_study_outlives_restarts_of_the_server_and_is_that_of_an_undisturbed_one(
    searched: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "gated.py").write_text(GATED)
    with postgresql.running() as server:
        monkeypatch.setenv("LAB_STUDY_STORAGE", f"{server.address}/postgres")
        driver = warm.lab(*COMMAND)
        wait_until(trials_waiting, process=driver)
        server.stop()
        let_pass(1)
        _, told = driver.communicate(timeout=60)
        assert driver.returncode == 1
        (line,) = told.splitlines()
        assert line.startswith("lab: the study storage postgresql://")
        assert "; the same command continues the study; see docs" in line
        server.start()
        driver = warm.lab(*COMMAND)
        wait_until(trials_waiting, process=driver)
        server.stop()
        server.start()
        open_gate()
        _, told = driver.communicate(timeout=60)
        assert (driver.returncode, told) == (0, "")
        disturbed = scores()
        assert Counter(trial.state.name for trial in stored().trials) == {"COMPLETE": 2, "FAIL": 1}
    monkeypatch.delenv("LAB_STUDY_STORAGE")
    run(searched, *SETTINGS, trials=2, top=1, seeds=1, pruner="none")
    assert disturbed == scores()


def scores() -> dict[str, float]:
    return {str(trial.params): trial.value for trial in stored().trials if trial.state.name == "COMPLETE"}


def test_a_storage_that_is_lost_during_a_study_is_one_line(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*arguments: object, **options: object) -> None:
        raise optuna.exceptions.StorageInternalError("An exception is raised during the commit.") from OSError("gone")

    monkeypatch.setattr(optuna.Study, "tell", lost)
    with pytest.raises(TrainingFailed, match=r"^the study storage .* cannot be used: gone; the same command continues"):
        run(searched)
