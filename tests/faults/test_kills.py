"""Runs killed at random moments and resumed are, to the last bit, the runs that nobody killed.

`LAB_KILLS=100 python -m pytest tests/faults/test_kills.py` kills 100 runs; without it, a few.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forks
import pytest
import torch

from lab import resuming, training
from lab.experiment import load
from lab.tracking import store, waiting

KILLS = int(os.environ.get("LAB_KILLS", "4"))
TWICE = 4  # every so manieth run is killed again after it was resumed
NOT_REPEATED = ("seconds_per_epoch", "samples_per_second", "system/")  # what no two runs have alike
COMMON = ("data.batch_size=256", "trainer.max_epochs=4", "checkpoints.every_seconds=0.02", "model.dropout=0.2")
SETTINGS = {
    "mlp": ("model.hidden=32", "scheduler.kind=cosine", "trainer.log_every_n_steps=2"),
    "conv1d": ("model.channels=8", "scheduler={kind: plateau, patience: 1}", "early_stopping={patience: 2}"),
    "lstm": ("model.hidden=8", "model.layers=1", "model.dropout=0.0", "scheduler.kind=onecycle"),
    "gru": ("model.hidden=8", "model.layers=1", "model.dropout=0.0", "trainer.accumulate_grad_batches=3"),
}


@dataclass(frozen=True)
class Left:
    """What a run left: its status, its metric rows, and the state at its end."""

    status: str
    rows: dict[tuple[str, int], float]
    state: dict[str, Any]


class Place:
    """A folder with a store, in which one kind of network is trained again and again."""

    def __init__(self, name: str, log: Path):
        self.experiment = name
        self.settings = [*COMMON, *SETTINGS[name]]
        self.log = log

    def train(self) -> object:
        return training.run(load(self.experiment, self.settings))

    def resume(self, run: str) -> object:
        return resuming.resume(run, [], [], print)

    def do(self, work: Callable[[], object]) -> None:
        assert forks.finish(forks.start(work, self.log)) == 0, self.log.read_text()[-3000:]

    def runs(self) -> dict[str, str]:
        """All runs in the store and their status."""
        with sqlite3.connect(store.database()) as connection:
            return dict(connection.execute("SELECT run_uuid, status FROM runs"))

    def left_by(self, run: str) -> Left:
        with sqlite3.connect(store.database()) as connection:
            query = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?"
            found = connection.execute(query, (run,)).fetchall()
        rows = [row for row in found if not row[0].startswith(NOT_REPEATED)]
        values = {(key, step): float("nan") if is_nan else value for key, step, value, is_nan in rows}
        assert len(values) == len(rows), f"{run}: {len(rows) - len(values)} records are doubled"
        folder = store.root() / "artifacts" / self.experiment / run / "artifacts" / "checkpoints"
        kept = torch.load(folder / "last.ckpt", weights_only=True)
        parts = {name: kept[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "global_step")}
        best = torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]
        return Left(self.runs()[run], values, parts | {"losses": kept["collected"]["losses"], "best": best})

    def kill_and_resume(self, chance: random.Random, seconds: float, again: bool) -> str:
        """A run that is killed, and resumed, until it is done; its id."""
        known = self.runs().keys()
        forks.kill_after(forks.start(self.train, self.log), chance.uniform(0, seconds))
        for _ in range(again):
            self.do(waiting.send_all)
            if new := self.runs().keys() - known:
                (run,) = new
                if self.runs()[run] != "FINISHED":
                    child = forks.start(lambda run=run: self.resume(run), self.log)
                    forks.kill_after(child, chance.uniform(0, seconds))
        self.do(waiting.send_all)
        new = self.runs().keys() - known
        if not new:  # killed before its first record
            self.do(self.train)
            self.do(waiting.send_all)
            (run,) = self.runs().keys() - known
            return run
        (run,) = new
        if self.runs()[run] != "FINISHED":
            self.do(lambda: self.resume(run))
            self.do(waiting.send_all)
        return run


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, at any depth."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_killed_run_is_resumed_as_if_nothing_had_happened(workplace: Path, name: str) -> None:

    import lab.figures  # noqa: F401 (with the others: imported once, before the forks)

    place = Place(name, workplace / "log")
    place.do(place.train)
    place.do(waiting.send_all)
    (whole,) = place.runs()
    expected = place.left_by(whole)
    began = time.monotonic()
    place.do(place.train)
    seconds = time.monotonic() - began
    place.do(waiting.send_all)
    wrong = []
    for number in range(KILLS // len(SETTINGS)):
        seed = f"{name} {number}"
        run = place.kill_and_resume(random.Random(seed), seconds, number % TWICE == 0)
        left = place.left_by(run)
        if not same(vars(left), vars(expected)):
            wrong.append(seed)
    assert not wrong, f"{len(wrong)} of {KILLS // len(SETTINGS)} differ; seeds: {wrong}"
    assert set(place.runs().values()) == {"FINISHED"}
    assert not [path for path in store.journals().glob("*") if path.is_dir()]
