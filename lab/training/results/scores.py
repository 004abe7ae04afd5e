"""What is measured of a trained network: its test, its baselines, and the intervals of its test metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

import lightning as L

from lab.data.base import SPLITS
from lab.tracking.reading.baselines import TRIVIAL
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built
from lab.training.records import Records
from lab.training.trainer import evaluate

ENDS = ("low", "high")  # of the interval of a test metric, recorded as low/test/accuracy
Interval = tuple[float, float]


@dataclass(frozen=True)
class Scores:
    """Metrics by full name: of the best epoch, of the test, of the trivial baseline."""

    best: dict[str, float]
    test: dict[str, float]
    baseline: dict[str, float]


def measure(built: Built, trainer: L.Trainer, best_epoch: Mapping[str, float]) -> Scores:
    """Test the weights of the best epoch, once, and the trivial baseline on every split."""
    tested = evaluate(trainer, built)
    baseline = {
        f"{split}/{name}": value
        for split in SPLITS
        for name, value in built.observer.score_trivial(built.data.loader(split)).items()
    }
    of_best = {name: value for name, value in best_epoch.items() if "/" in name}
    return Scores(of_best, tested, baseline)


def record(scores: Scores, records: Records, tracker: Tracker, epoch: int) -> None:
    """Record best values (the step is their epoch), values at the best epoch, test metrics and baseline."""
    for name, (value, best_at) in records.best.items():
        tracker.metrics({f"best/{name}": value}, best_at)
    at_best = {f"at_best/{name}": value for name, value in scores.best.items()}
    trivial = {f"{TRIVIAL}{name}": value for name, value in scores.baseline.items()}
    tracker.metrics(at_best | scores.test | trivial | {"best_epoch": epoch}, epoch)


def record_intervals(built: Built, tracker: Tracker, epoch: int) -> dict[str, Interval]:
    """Record and return the intervals of the test metrics, on other test sets of the same size."""
    found = built.observer.test_intervals(built.data.correlated)
    ends = {f"{end}/{name}": pair[side] for name, pair in found.items() for side, end in enumerate(ENDS)}
    if ends:
        tracker.metrics(ends, epoch)
    return found
