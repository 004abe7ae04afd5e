"""Short forms of the fault suite's other parts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import crowd
import damage
import malice
import pytest
import workplace

from lab.tracking import store


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("prepared"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.root().mkdir()
        shutil.copy(prepared_store, store.database())
        workplace.make()
        return Path.cwd()


@pytest.fixture
def place(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(prepared)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with workplace.kept():
        yield


@pytest.mark.parametrize("name", damage.CASES)
def test_a_damaged_file_is_named_and_what_is_whole_is_used(place: None, name: str) -> None:
    damage.CASES[name]()


@pytest.mark.parametrize("name", malice.CASES)
def test_harm_that_is_meant_is_not_done(place: None, name: str) -> None:
    malice.CASES[name]()
    assert not malice.PWNED.exists()


def test_processes_that_log_to_one_store_at_once_lose_nothing(tmp_path: Path) -> None:
    row = crowd.run(tmp_path, processes=3, records=300)
    assert row.held == row.tried, row.detail
