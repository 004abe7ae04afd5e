"""The storage of studies: made by whoever comes first, in a file of the folder or on a server."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import postgresql
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from sqlalchemy.pool import NullPool

from lab.studies import storage

AT_ONCE = 6  # studies that start
TIMES = 3  # new storages


@pytest.fixture(params=["folder", "file", "postgresql"])
def new_storages(
    request: pytest.FixtureRequest, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Iterator[None]]:
    """Storages that are not there yet: each step puts the next one in its place."""
    if request.param == "folder":
        yield in_folders(workplace, monkeypatch)
        return
    if request.param == "file":
        yield in_shared_files(workplace, monkeypatch)
        return
    with postgresql.server() as address:
        yield on_a_server(address, monkeypatch)


def in_folders(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for number in range(TIMES):
        (workplace / str(number) / "mlruns").mkdir(parents=True)
        monkeypatch.chdir(workplace / str(number))
        yield


def in_shared_files(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for number in range(TIMES):
        monkeypatch.setenv("LAB_STUDY_STORAGE", f"sqlite:///{workplace}/{number}.db")
        yield


def on_a_server(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    engine = sqlalchemy.create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    for number in range(TIMES):
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE studies_{number}"))
        monkeypatch.setenv("LAB_STUDY_STORAGE", f"{address}/studies_{number}")
        yield


def test_several_studies_may_be_the_first_at_the_same_moment(new_storages: Iterator[None]) -> None:
    for _ in new_storages:
        together = threading.Barrier(AT_ONCE)

        def create(number: int, together: threading.Barrier = together) -> str:
            together.wait()
            return storage.open_study(f"study-{number}", True, "space").study_name

        with ThreadPoolExecutor(AT_ONCE) as pool:
            created = sorted(pool.map(create, range(AT_ONCE)))
        assert created == sorted(study.study_name for study in storage.load_studies())
        assert len(created) == AT_ONCE


def test_a_study_starts_while_another_program_makes_its_storage(workplace: Path) -> None:
    """As `optuna-dashboard` does, which knows nothing of the lab's locks."""

    def another_program(*arguments: object, **more: object) -> None:
        RDBStorage(storage.address())

    (workplace / "mlruns").mkdir(exist_ok=True)
    sqlalchemy.event.listen(BaseModel.metadata, "before_create", another_program, once=True)
    assert storage.open_study("study", True, "space").study_name == "study"
