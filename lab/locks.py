"""One driver at a time for what two would spoil."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.tracking import store

PATIENCE = 2.0  # seconds; who only closes what a dead driver left holds the lock for a moment


def path(name: str) -> Path:
    """The file whose lock the driver of a study or comparison holds."""
    return store.root() / f".{name}.lock"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only driver of a study or comparison on this machine; raises LabError where another one is."""
    store.root().mkdir(parents=True, exist_ok=True)
    with held(path(name), name, PATIENCE):
        yield


@contextmanager
def held(file_path: Path, name: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a driver's lock; raises LabError where another process has it, OSError where its folder is gone."""
    until = time.monotonic() + patience
    with file_path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    message = f"{name} is being run by another process; wait for it, or stop it first"
                    raise LabError(message) from None
                time.sleep(0.05)
        yield
