"""Runs killed at random moments, and resumed, against runs that nobody killed.

`python tests/faults/kills.py 100` kills and resumes 100 runs, every fourth one twice, in two processes; a second
number is the first seed.
"""

import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import forks
import torch
from rows import Row

from lab.config.experiment import load
from lab.tracking import store
from lab.tracking.writing import leftovers
from lab.training import run as training
from lab.training.resume import resume as resume_run

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TWICE = 4  # every so manieth run is killed again after it was resumed
NOT_REPEATED = ("seconds_per_epoch", "samples_per_second", "system/")  # what no two runs have alike
COMMON = ("data.batch_size=256", "trainer.max_epochs=10", "checkpoints.every_seconds=0.02")
SETTINGS = {
    "mlp": ("model.hidden=32", "model.dropout=0.3", "scheduler.kind=cosine", "trainer.log_every_n_steps=2"),
    "conv1d": ("model.channels=8", "scheduler={kind: plateau, patience: 1}", "early_stopping={patience: 2}"),
    "lstm": ("model.hidden=8", "model.dropout=0.2", "scheduler.kind=onecycle"),
    "gru": ("model.hidden=8", "model.dropout=0.2", "trainer.accumulate_grad_batches=3"),
}
LANES = (("mlp", "lstm"), ("conv1d", "gru"))


@dataclass(frozen=True)
class Left:
    """What a run left: its status, its metric rows by metric and step, how many are doubled, the state at its end."""

    status: str
    rows: dict[tuple[str, int], float]
    doubled: int
    state: dict[str, Any]


@dataclass
class Tally:
    """What became of the runs that were killed."""

    tried: int = 0
    kills: int = 0  # that met a run which was not done
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    not_finished: int = 0
    wrong: list[str] = field(default_factory=list)  # seeds


class Bench:
    """The folder where one works, in which one network is trained again and again."""

    def __init__(self, name: str, log: Path):
        self.name = name
        self.log = log
        self.sender = forks.Server(leftovers.send_all, log)

    def train(self) -> object:
        return training.run(load(self.name, [*COMMON, *SETTINGS[self.name]]))

    def do(self, work: Callable[[], object]) -> None:
        """Do some work to its end in a process of its own, then send what it left."""
        assert forks.finish(forks.start(work, self.log)) == 0, self.log.read_text()[-3000:]
        self.sender.ask()

    def kill(self, work: Callable[[], object], seconds: float) -> bool:
        """Kill a process some time after the first record of its work; whether it was not done before."""
        killed = forks.kill_after(forks.start(work, self.log), self.recording, seconds)
        self.sender.ask()
        return killed

    def recording(self) -> bool:
        """Whether a run has begun to record."""
        return any(store.journals().glob("[!.]*/*/records.jsonl"))

    def runs(self) -> dict[str, str]:
        """All runs in the store and their status."""
        if not store.database().exists():
            return {}
        with sqlite3.connect(store.database()) as connection:
            return dict(connection.execute("SELECT run_uuid, status FROM runs"))

    def new_run(self, work: Callable[[], object]) -> str | None:
        """The run that some work makes; None where it was killed before its first record."""
        before = self.runs().keys()
        work()
        new = self.runs().keys() - before
        return next(iter(new), None)

    def left_by(self, run: str) -> Left:
        with sqlite3.connect(store.database()) as connection:
            query = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?"
            found = connection.execute(query, (run,)).fetchall()
        rows = [row for row in found if not row[0].startswith(NOT_REPEATED)]
        values = {(key, step): float("nan") if is_nan else value for key, step, value, is_nan in rows}
        folder = store.root() / "artifacts" / self.name / run / "artifacts" / "checkpoints"
        last = torch.load(folder / "last.ckpt", weights_only=True)
        state = {name: last[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "global_step")}
        state |= {"losses": last["collected"]["losses"]}
        state |= {"best": torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]}
        return Left(self.runs()[run], values, len(rows) - len(values), state)

    def kill_and_resume(self, chance: random.Random, seconds: float, again: bool, tally: Tally) -> str:
        """A run that is killed, once or twice, and resumed until it is done; its id."""

        def resume() -> object:
            assert run is not None
            return resume_run(run, [], [], print)

        def killed(work: Callable[[], object]) -> None:
            tally.kills += self.kill(work, chance.uniform(0, seconds))

        run = self.new_run(lambda: killed(self.train))
        if run is None:
            run = self.new_run(lambda: self.do(self.train))
            assert run is not None
        if again and self.runs()[run] != "FINISHED":
            killed(resume)
        if self.runs()[run] != "FINISHED":
            self.do(resume)
        return run


def measure(name: str, seeds: range, log: Path) -> Tally:
    """Kill and resume runs of one network in the folder where one works."""
    bench = Bench(name, log)
    whole = bench.new_run(lambda: bench.do(bench.train))
    assert whole is not None
    expected = bench.left_by(whole)
    seconds = forks.seconds_from(forks.start(bench.train, log), bench.recording)
    bench.sender.ask()
    tally = Tally()
    for number in seeds:
        seed = f"{name} {number}"
        run = bench.kill_and_resume(random.Random(seed), seconds, number % TWICE == 0, tally)
        left = bench.left_by(run)
        tally.tried += 1
        tally.rows += len(left.rows)
        tally.lost += len(expected.rows.keys() - left.rows.keys())
        tally.doubled += left.doubled
        tally.not_finished += left.status != "FINISHED"
        if not same(vars(left), vars(expected)):
            tally.wrong.append(seed)
    bench.sender.close()
    assert "RUNNING" not in bench.runs().values()
    assert not [path for path in store.journals().glob("*") if path.is_dir()], "records still wait"
    return tally


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, at any depth."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


def warm_up(folder: Path) -> None:
    """Import, and do once, what takes long the first time, so that no fork has to."""
    import numpy as np

    from lab.tracking import models
    from lab.training.results import figures

    models.save(torch.nn.Linear(2, 2), np.zeros((4, 2), np.float32), folder / "model")
    history = [{"epoch": 1, "train/loss": 1.0, "val/loss": 1.0}]
    figures.learning_curves(history, 1).savefig(folder / "figure.png")


def run(folder: Path, count: int, lanes: Sequence[Sequence[str]] = LANES, first_seed: int = 0) -> Row:
    """Kill and resume runs of all networks, each lane in a process and a folder of its own."""
    warm_up(folder)

    def work(lane: Sequence[str], place: Path) -> None:
        os.chdir(place)
        tallies = [asdict(measure(name, seeds, place / f"{name}.log")) for name in lane]
        (place / "tallies.json").write_text(json.dumps(tallies))

    seeds = range(first_seed, first_seed + count // sum(map(len, lanes)))
    places = [folder / "-".join(lane) for lane in lanes]
    children = []
    for lane, place in zip(lanes, places, strict=True):
        shutil.copytree(EXPERIMENTS, place / "experiments")
        children.append(forks.start(lambda lane=lane, place=place: work(lane, place), folder / "lanes.log"))
    codes = [forks.finish(child) for child in children]
    assert not any(codes), (folder / "lanes.log").read_text()[-3000:]
    tallies = [Tally(**each) for place in places for each in json.loads((place / "tallies.json").read_text())]
    tried, wrong = sum(each.tried for each in tallies), [seed for each in tallies for seed in each.wrong]
    totals = {name: sum(getattr(each, name) for each in tallies) for name in ("kills", "rows", "lost", "doubled")}
    detail = (
        f"{totals['kills']} kills; {totals['rows']:,} records compared, {totals['lost']} lost, "
        f"{totals['doubled']} doubled; {sum(each.not_finished for each in tallies)} left RUNNING or KILLED"
    )
    return Row("SIGKILL, resumed", tried, tried - len(wrong), detail + (f"; differ: {wrong}" if wrong else ""))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        began = time.monotonic()
        print(run(Path(made), int(sys.argv[1]), first_seed=int([*sys.argv, 0][2])), f"{time.monotonic() - began:.0f} s")
