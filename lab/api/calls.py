"""A call in a process that lives on: what a command gets from its own process, each call gets from here."""

import importlib
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import torch
from rich.console import Console

from lab.cli import maintenance
from lab.errors import Stopped, is_own_file
from lab.parallel import jobs

_one_at_a_time = threading.RLock()  # random numbers and threads belong to the whole process
_code_read = psutil.Process().create_time()  # when a person's own modules were last known to be as in their files


@contextmanager
def training(when_stopped: str) -> Iterator[None]:
    """Train in the block as a command would in a process of its own; other threads wait until it has ended.

    Raises KeyboardInterrupt, which says `when_stopped`, at Ctrl-C or the interrupt of a notebook's kernel; SIGTERM and
    SIGHUP end the process, as far as the caller has no handler for them.
    """
    with _one_at_a_time, _process_restored():
        reload_changed_code()
        jobs.forget_prepared_data()
        maintenance.start_in_background()
        try:
            yield
        except Stopped as stop:
            if stop.signal_number != signal.SIGINT:
                signal.raise_signal(stop.signal_number)
            raise KeyboardInterrupt(f"stopped; {when_stopped}") from None


def console(progress: bool) -> Console:
    """Where progress is shown: below the cell in a notebook, else on stderr, as stdout is the caller's."""
    return Console(stderr=True, quiet=not progress)


def reload_changed_code() -> None:
    """Forget a person's own modules below the working directory if a file of theirs has changed since it was read."""
    global _code_read
    here, now = Path.cwd(), time.time()
    files = {
        name: getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if name != "__main__"
    }
    own = {name: Path(file) for name, file in files.items() if file and is_own_file(file, here)}
    if any(file.stat().st_mtime >= _code_read for file in own.values()):
        for name in own:
            del sys.modules[name]
    importlib.invalidate_caches()
    _code_read = now


@contextmanager
def _process_restored() -> Iterator[None]:
    """Leave the caller's random numbers, number of threads and warning filters as they were."""
    threads, numbers, more_numbers = torch.get_num_threads(), random.getstate(), np.random.get_state()
    gpus = range(torch.cuda.device_count())
    with warnings.catch_warnings(), torch.random.fork_rng(gpus):  # Lightning's isolate_rng forgets it at an exception
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(numbers)
            np.random.set_state(more_numbers)
