"""How the benchmarks measure: in turn, so that a disturbance of the machine falls on all that is compared."""

import contextlib
import functools
import math
import os
import platform
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from shipped import PROJECT

from lab.tracking import store


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    pairs: int  # rounds of interleaved measurements
    seconds: float  # what the longer of two runs is to take beyond the shorter one
    architectures: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    starts: int  # of processes, for each figure about them
    studied: tuple[str, ...]
    races: int  # of a study, each with a seed of its own
    trials: int
    epochs: int  # of a trial
    records: int
    runs: int  # in the store that is read
    widths: tuple[int, ...]  # of a network that grows
    most_rows: int  # of a training split, growing by tens from 1,000
    most_runs: int  # of a store, growing by tens from 100
    simulations: int


ARCHITECTURES = ("mlp", "sequential", "conv1d", "conv2d", "lstm", "gru", "transformer")
FULL = Size(
    5,
    1.5,
    ARCHITECTURES,
    (32, 256),
    5,
    ("mlp", "conv1d", "breast_cancer"),
    10,
    20,
    10,
    100_000,
    10_000,
    (64, 256, 1024),
    1_000_000,
    100_000,
    40_000,
)
QUICK = Size(3, 0.5, ("mlp", "lstm"), (32, 256), 1, ("mlp",), 1, 5, 4, 10_000, 1_000, (64, 256), 100_000, 10_000, 5_000)
LEAST = Size(1, 0.0, ("mlp",), (256,), 1, ("mlp",), 1, 1, 1, 100, 20, (16,), 1_000, 100, 100)


@dataclass(frozen=True)
class Target:
    """One promise beside its measured value."""

    what: str
    measured: float
    limit: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True)
class Table:
    """One benchmark's outcome."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str
    targets: list[Target] = field(default_factory=list)


def timed(call: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def interleaved(calls: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each call measured, by name; every round goes once through all of them."""
    measured: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            measured[name].append(call())
    return measured


def marginal(run: Callable[[int], object], epochs: int) -> Callable[[], float]:
    """Measures the seconds an epoch adds: a long run less a short one, so that start and end cancel."""

    def measure() -> float:
        short = timed(lambda: run(1))
        return (timed(lambda: run(1 + epochs)) - short) / epochs

    return measure


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of what was measured in the same round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def exponent(sizes: list[float], times: list[float]) -> float:
    """The power of the size that the time grows with, between the last two sizes: where it tells most."""
    return math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])


@functools.cache
def _empty_store() -> Path:
    """An empty store, made once: its migrations take seconds."""
    before, folder = Path.cwd(), tempfile.mkdtemp()
    os.chdir(folder)
    try:
        store.client()
        with contextlib.closing(sqlite3.connect(store.database())) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the file alone is copied
        return store.database()
    finally:
        os.chdir(before)


@contextlib.contextmanager
def workplace(shipped: bool = True) -> Iterator[Path]:
    """A folder of its own to work in, with the shipped experiments, or a folder for others, and an empty store."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(FileNotFoundError):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.chdir(folder)
        if shipped:
            Path("experiments").symlink_to(PROJECT / "experiments")
        store.root().mkdir()
        shutil.copy(_empty_store(), store.database())
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def machine() -> str:
    """What the figures were measured on."""
    from lab.training import provenance

    tags = provenance.tags()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "lightning", "mlflow", "optuna"))
    return (
        f"{tags['machine.cpu']}, {tags['machine.cores']} cores, GPU: {tags['machine.gpu']}; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )
