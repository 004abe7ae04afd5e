"""Folders that several processes of pytest share: the first one that needs such a folder makes it."""

import os
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from filelock import FileLock

from lab.config.experiment import load
from lab.tracking import store
from lab.tracking.writing.outbox import Outbox
from lab.training import run as training

Make = Callable[[], object]


def folder(factory: pytest.TempPathFactory, name: str, make: Make) -> Path:
    """A folder in which `make` has worked once, for all processes of these tests."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    made = shared.with_suffix(".made")
    with FileLock(f"{shared}.lock"):
        if not made.exists():
            shutil.rmtree(shared, ignore_errors=True)  # of a process that failed at it
            shared.mkdir()
            with chdir(shared), pytest.MonkeyPatch.context() as patch:
                patch.delenv("MLFLOW_TRACKING_URI", raising=False)
                patch.syspath_prepend(shared)
                make()
            made.touch()
    return shared


def with_store(factory: pytest.TempPathFactory, name: str, prepared_store: Path, make: Make) -> Path:
    """As `folder`, with an empty store in it when `make` is called."""

    def make_in_store() -> None:
        store.root().mkdir()
        shutil.copy(prepared_store, store.database())
        make()

    return folder(factory, name, make_in_store)


def train(experiments: dict[str, str], *more: tuple[str, tuple[str, ...]]) -> None:
    """Write and train experiments (name to YAML), and further runs of them (name and overrides)."""
    Path("experiments").mkdir(exist_ok=True)
    for name, text in experiments.items():
        Path("experiments", f"{name}.yaml").write_text(f"# {name}?\n{text}\n")
    outbox = Outbox()
    for name, overrides in [*((name, ()) for name in experiments), *more]:
        training.train(load(name, overrides), outbox.tracker())
    assert not outbox.close().pending
