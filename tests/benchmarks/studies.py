"""The race of studies: the lab with two workers against a plain script of PyTorch and Optuna, seed by seed."""

import statistics
import time

from benchmarks import plain_study
from benchmarks.measuring import Size, Table, Target, ratio, workplace

from lab.config import experiment
from lab.studies import study
from lab.studies.search import Counts

SPACE = {
    "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer.weight_decay": {"low": 1e-5, "high": 0.3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
}
BATCH = 64
WORKERS = 2
FASTER = 2  # times as many trials a minute


class _Stopwatch:
    """A study's watch that notes how long the search took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.best = 0.0
        self._began = time.perf_counter()

    def searching(self, done: Counts, running: int, best: tuple[int, float] | None) -> None:
        self.seconds = time.perf_counter() - self._began
        self.best = best[1] if best else self.best

    def confirming(self, done: int, total: int) -> None:
        pass

    def testing(self) -> None:
        pass


def measure(size: Size) -> Table:
    """The search alone: what the lab does after it, fresh seeds and a test, the script does not do at all."""
    rows, targets = [], []
    for name in size.studied:
        lab, plain = zip(
            *((_lab(name, size, seed), _plain(name, size, seed)) for seed in range(size.races)), strict=True
        )
        faster = ratio([rate for rate, _ in lab], [rate for rate, _ in plain])
        better = [ours - theirs for (_, ours), (_, theirs) in zip(lab, plain, strict=True)]
        won = " / ".join(str(sum(sign * each > 0 for each in better)) for sign in (1, -1))
        middle = statistics.median(better)
        rates = (f"{statistics.median(rate for rate, _ in way):.0f}" for way in (lab, plain))
        best = (f"{statistics.median(score for _, score in way):.3f}" for way in (lab, plain))
        rows.append((name, *rates, f"{faster:.2f}", *best, f"{middle:+.3f}", won))
        targets += [
            Target(f"trials per minute, {name}: lab ÷ plain script", faster, FASTER, at_least=True),
            Target(f"best value, {name}: lab − plain script", middle, 0.0, at_least=True),
        ]
    return Table(
        "Studies",
        (
            "network",
            "lab, trials a minute",
            "script",
            "ratio",
            "best val/accuracy, lab",
            "script",
            "lab − script",
            "won / lost",
        ),
        rows,
        f"{size.trials} trials of at most {size.epochs} epochs, {size.races} seeds, medians; Hyperband, TPE, three "
        f"settings, the experiment's own first. The lab has {WORKERS} workers, and the time until they are started "
        "counts; it records every trial. The script is a loop by hand in one process with torch's own number of "
        "threads, and records nothing.",
        targets,
    )


def _lab(name: str, size: Size, seed: int) -> tuple[float, float]:
    """Trials a minute, and the best score."""
    searched = _searched(name, size.epochs, seed)
    with workplace():
        stopwatch = _Stopwatch()
        study.run(searched, study.Options(trials=size.trials, top=1, seeds=1, workers=WORKERS), stopwatch)
    return 60 * size.trials / stopwatch.seconds, stopwatch.best


def _plain(name: str, size: Size, seed: int) -> tuple[float, float]:
    began = time.perf_counter()
    best = plain_study.study(name, size.trials, size.epochs, BATCH, seed)
    return 60 * size.trials / (time.perf_counter() - began), best


def _searched(name: str, epochs: int, seed: int) -> experiment.Experiment:
    shipped = experiment.load(name)
    model = {**shipped.written["model"], "norm": "none"}
    sections = {"data": shipped.data.as_mapping() | {"batch_size": BATCH}, "model": model, "search": SPACE}
    sections |= {"optimizer": shipped.written["optimizer"], "trainer": {"max_epochs": epochs}, "seed": seed}
    sections |= {"checkpoints": {"monitor": "val/accuracy"}}  # the script's value is that of its best epoch, too
    return experiment.from_sections(name, shipped.question, sections)
