"""Trials a minute: a study of the lab against a script of stock parts."""

import time

from benchmarks import stock
from benchmarks.measuring import Size, Table, Target, workplace

from lab.config import experiment
from lab.studies import study
from lab.studies.search import Counts

SPACE = {
    "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer.weight_decay": {"low": 1e-5, "high": 0.3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
}
BATCH = 64
AT_LEAST = {"mlp": 10, "lstm": 3}


class _Stopwatch:
    """A study's watch that notes how long the search took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.best = 0.0
        self._began: float | None = None

    def searching(self, done: Counts, going_on: int, best: tuple[int, float] | None) -> None:
        self._began = self._began or time.perf_counter()
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
        (rate, best), (stock_rate, stock_best) = _lab(name, size), _stock(name, size)
        faster = rate / stock_rate
        rows.append((name, f"{rate:.0f}", f"{stock_rate:.0f}", f"{faster:.1f}", f"{best:.3f}", f"{stock_best:.3f}"))
        targets.append(Target(f"trials per minute, {name}: lab ÷ stock script", faster, AT_LEAST[name], at_least=True))
    return Table(
        "Studies",
        ("network", "lab, trials a minute", "stock script", "ratio", "best val/accuracy, lab", "stock script"),
        rows,
        f"{size.trials} trials of at most {size.epochs} epochs, Hyperband, TPE, three settings. The stock script is "
        "Lightning, optuna-integration's pruning callback, ModelCheckpoint and MLFlowLogger on SQLite, one thread.",
        targets,
    )


def _lab(name: str, size: Size) -> tuple[float, float]:
    """Trials a minute, and the best score."""
    stopwatch = _Stopwatch()
    with workplace():
        study.run(_searched(name, size.epochs), study.Options(trials=size.trials, top=1, seeds=1), stopwatch)
    return 60 * size.trials / stopwatch.seconds, stopwatch.best


def _stock(name: str, size: Size) -> tuple[float, float]:
    with workplace():
        stock.train(name, BATCH, 1)  # makes its database
        began = time.perf_counter()
        best = stock.study(name, size.trials, size.epochs, BATCH)
        return 60 * size.trials / (time.perf_counter() - began), best


def _searched(name: str, epochs: int) -> experiment.Experiment:
    shipped = experiment.load(name)
    model = {**shipped.written["model"], "norm": "none"}
    sections = {"data": shipped.data.as_mapping() | {"batch_size": BATCH}, "model": model, "search": SPACE}
    return experiment.from_sections(name, shipped.question, sections | {"trainer": {"max_epochs": epochs}})
