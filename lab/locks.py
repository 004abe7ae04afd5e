"""One driver at a time for what two would spoil."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import LabError
from lab.tracking import store


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only driver of a study or comparison on this machine; raises LabError where another one is."""
    store.root().mkdir(parents=True, exist_ok=True)
    with (store.root() / f".{name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"{name} is being run by another process; wait for it, or stop it first") from None
        yield
