"""Fixtures: a folder to work in, with the shipped experiments and a store of its own."""

import gc
import multiprocessing
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import made_once
import pytest
import warm
from shipped import PROJECT

from lab.parallel import template, workers
from lab.tracking import store
from lab.tracking.writing import outbox

gc.disable()  # until all tests are collected: what they import stays


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    """No loader is left open: its workers would keep the pipes of a later browser or server from ever closing."""
    yield
    template.close_idle()
    left = [worker for worker in multiprocessing.active_children() if worker.name != warm.Sender.__name__]
    for worker in left:
        worker.kill()
    assert not left, f"worker processes are still running: {left}"


@pytest.fixture(scope="session", autouse=True)
def warm_processes() -> Iterator[None]:
    """Senders and workers start at once. As for users they start in tests that start a process which runs the lab."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "start_sender", warm.Sender)
        patch.setattr(template, "start_process", warm.Template)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_training_at_once() -> Iterator[None]:
    """Unless a test says otherwise, trainings run in the process of their command: what they are is tested there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "default_count", lambda resources: 1)
        yield


@pytest.fixture(autouse=True)
def no_store_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow and its logger leave the address of a store in the environment, also where a test has not set it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


@pytest.fixture(scope="session")
def prepared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once: its migrations take seconds."""
    return made_once.folder(tmp_path_factory, "store", _make_store) / "mlruns" / "mlflow.db"


def _make_store() -> None:
    store.client()
    with closing(sqlite3.connect(store.database())) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the file alone is copied


@pytest.fixture
def empty_workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped experiments and no store, in which the test works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gated", raising=False)  # of another test, which waits for a file elsewhere
    shutil.copytree(PROJECT / "experiments", tmp_path / "experiments")
    return tmp_path


@pytest.fixture
def workplace(empty_workplace: Path, prepared_store: Path) -> Path:
    """A folder with the shipped experiments and an empty store, in which the test works."""
    store.root().mkdir()
    shutil.copy(prepared_store, store.database())
    return empty_workplace


@pytest.fixture
def tiny(workplace: Path) -> str:
    """The name of an experiment that trains in a moment."""
    (workplace / "experiments" / "tiny.yaml").write_text(
        "# Does it run?\n"
        "data: {kind: digits, batch_size: 128}\n"
        "model: {kind: mlp, hidden: 16, layers: 1, dropout: 0.2}\n"
        "optimizer: {kind: adamw, lr: 0.01}\n"
        "trainer: {max_epochs: 2}\n"
    )
    return "tiny"
