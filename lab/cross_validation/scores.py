"""What the folds of a cross-validation scored, in memory or in a file, and the mean over them with its interval."""

import json
import math
import statistics
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from lab.comparisons.statistics.estimates import paired_t
from lab.config.types import Fold
from lab.errors import LabError
from lab.files import atomic_write, numbers, to_json
from lab.tracking import store

ALPHA = 0.05
RULE = (
    "folds share training data, so that their scores are not independent: the interval is approximate, with the "
    "corrected variance of Nadeau & Bengio (2003)"
)


@dataclass(frozen=True)
class Mean:
    """A mean over n folds, the standard deviation of their scores, and its 95 % interval; infinite for one fold."""

    value: float
    deviation: float
    low: float
    high: float
    n: int


def mean_over_folds(scores: list[float], count: int) -> Mean:
    """The mean of the scores of some or all of `count` folds.

    Folds share training samples, so that the variance of the mean is more than s²/n. Nadeau & Bengio (2003, Machine
    Learning 52) estimate it as s² (1/n + tested / trained); of k folds tested / trained is 1 / (k - 1), validation
    samples counted as trained. The interval is Student's, of n - 1 degrees of freedom.
    """
    n, mean = len(scores), statistics.fmean(scores)
    deviation = statistics.stdev(scores) if n > 1 else math.nan
    corrected = deviation * math.sqrt(1 + n / (count - 1))  # `paired_t` divides it by √n
    return Mean(mean, deviation, *paired_t(n, mean, corrected, ALPHA), n)


class FoldScores:
    """The test metrics of each fold of `count` that has finished, and why the others failed; by number from 1.

    `running` are the last epochs of the folds that are trained now.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.finished: dict[int, dict[str, float]] = {}
        self.failed: dict[int, str] = {}
        self.running: dict[int, int] = {}

    def add(self, number: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a fold."""
        self.finished[number] = dict(metrics)

    def todo(self) -> list[Fold]:
        """The folds that have not finished."""
        return [Fold(number, self.count) for number in range(1, self.count + 1) if number not in self.finished]

    @property
    def metrics(self) -> list[str]:
        """The test metrics, the loss last."""
        names = {name: None for metrics in self.finished.values() for name in metrics if name.startswith("test/")}
        return sorted(names, key=lambda name: name == "test/loss")

    def mean(self, metric: str) -> Mean | None:
        """The mean of a metric over the finished folds that have it; None without any."""
        scores = [metrics[metric] for _, metrics in sorted(self.finished.items()) if metric in metrics]
        return mean_over_folds(scores, self.count) if scores else None


class StoredFoldScores(FoldScores):
    """Scores in a file while a cross-validation is incomplete: the finished folds need not be trained again."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(count)
        self.path = store.root() / "cross_validations" / f"{name}.json"
        self.journal = uuid.uuid4().hex  # the tracker id of the cross-validation's own run
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            self.journal = content["journal"]
            self.finished = {int(number): numbers(metrics) for number, metrics in content["folds"].items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise LabError(f"{self.path}: damaged; move it away to start the cross-validation again") from None

    def add(self, number: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a fold; they are on disk when this returns."""
        super().add(number, metrics)
        with atomic_write(self.path, durable=True) as temporary:
            temporary.write_text(to_json({"journal": self.journal, "folds": self.finished}), encoding="utf-8")

    def forget(self) -> None:
        """Remove the file: the cross-validation is complete, and the next one trains anew."""
        self.path.unlink(missing_ok=True)
