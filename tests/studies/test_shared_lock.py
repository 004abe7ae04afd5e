"""Two drivers of one study that is stored in PostgreSQL, or in a file outside the working folder."""

import os
import shutil
import signal
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
from waiting import GATED, open_gate, wait_until

from lab.errors import LabError, TrainingFailed
from lab.studies import storage
from lab.studies.search import Counts
from lab.studies.shared_lock import shared_lock

SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=4")
COMMAND = ("study", "tiny", "--trials", "2", "--top", "1", "--seeds", "1", "--pruner", "none", *SETTINGS)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.server() as address:
        yield f"{address}/postgres"


@pytest.fixture(params=["postgresql", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("server")
    return f"sqlite:///{tmp_path_factory.mktemp('team')}/studies.db"


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
    wait_until(trials_waiting)
    with chdir(elsewhere):
        second = warm.lab(*COMMAND)
        _, told = second.communicate(timeout=60)
        assert second.returncode == 2
        assert told.count("\n") == 1
        assert f" on {os.uname().nodename}, process {first.pid}, since 20" in told
        assert storage.retry_abandoned_trials() == []  # `lab runs --reap`
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
    def lose_connections() -> None:
        code = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(code))

    with shared_lock(server, "mine") as lock:
        lock.check()
        lose_connections()
        lock.check()
        with (
            pytest.raises(LabError, match=f"mine is being run by .*process {os.getpid()}"),
            shared_lock(server, "mine"),
        ):
            pass
        lose_connections()
        with (
            shared_lock(server, "mine"),
            pytest.raises(TrainingFailed, match=r"connection to the study storage was lost, and mine is being run by"),
        ):
            lock.check()


def test_a_wrong_password_is_refused_in_one_line(searched: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE DATABASE closed"))
        connection.execute(sqlalchemy.text("CREATE ROLE nobody NOLOGIN PASSWORD 'right'"))
    monkeypatch.setenv("LAB_STUDY_STORAGE", server.replace("lab@", "nobody:a-wrong-one@"))
    with pytest.raises(LabError, match=r"^the study storage \S+ cannot be used: .*nobody") as error:
        run(searched)
    assert len(error.value.lines) == 1
    assert "a-wrong-one" not in str(error.value)


def test_a_storage_that_is_lost_during_a_study_is_one_line(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*arguments: object, **options: object) -> None:
        raise optuna.exceptions.StorageInternalError("An exception is raised during the commit.") from OSError("gone")

    monkeypatch.setattr(optuna.Study, "tell", lost)
    with pytest.raises(TrainingFailed, match=r"^the study storage .* cannot be used: gone; the same command continues"):
        run(searched)
