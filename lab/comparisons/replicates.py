"""The trainings of a comparison: each arm on seed after seed, until it is decided."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.comparisons.comparison import Comparison
from lab.comparisons.scores import Scores
from lab.comparisons.statistics import verdicts
from lab.comparisons.statistics.design import Design, Verdict
from lab.comparisons.time_limit import TimeLimit
from lab.errors import TrainingFailed
from lab.parallel.child_runs import ChildRun, ParentRun
from lab.parallel.jobs import Job, Outcome, prepared_data
from lab.parallel.workers import Workers, run_jobs

EXTRAS = ("seconds_per_epoch", "gradient_ratio")  # their means over the epochs are stored with the score


@dataclass
class _Replicate:
    """One arm on the seed of a number, while it is trained."""

    arm: str
    number: int
    child: ChildRun
    began: float  # time.monotonic()


class Replicates:
    """Trains a comparison until every arm is decided, given up, or has the maximum of seeds, or the time is up.

    `rises` says whether a higher value of the metric is better. `on_progress` is called with the verdicts whenever a
    training has ended, `on_round` before the first training on a seed; what it raises ends the comparison. `design`
    may be replaced between two calls of `run` while there was no look.
    """

    def __init__(
        self,
        comparison: Comparison,
        design: Design,
        rises: bool,
        scores: Scores,
        parent: ParentRun,
        on_progress: Callable[[Mapping[str, Verdict]], None],
        limit: TimeLimit | None = None,
        on_round: Callable[[], None] = lambda: None,
    ):
        self.comparison = comparison
        self.design = design
        self.rises = rises
        self.scores = scores
        self.parent = parent
        self._on_progress = on_progress
        self._limit = limit
        self._on_round = on_round
        self._round = 0  # the highest number of a seed that was begun
        self._data = {arm: prepared_data(comparison.on_fold(arm)).fingerprint for arm in comparison.arms}
        self._losses: dict[str, tuple[int, list[float | None]]] = {}  # number and epochs of each arm's first training
        self._running: dict[int, _Replicate] = {}
        self._number = 0

    def run(self, workers: Workers, most: int) -> dict[str, Verdict]:
        """Train on up to `most` seeds, and return the verdict on every arm."""
        try:
            run_jobs(workers, lambda: self._next_job(most), self._on_epoch, self._on_outcome)
        finally:
            for replicate in self._running.values():
                replicate.child.end("stopped", "the comparison was stopped")
            self._running.clear()
        return self.verdicts()

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on every arm but the control, from the scores so far."""
        pairs = {arm: self.scores.pairs(arm, self.design.control) for arm in self.design.challengers}
        return verdicts.decide(pairs, self.design.rule)

    def open_arms(self) -> list[str]:
        """The control and the arms that still need seeds, or none."""
        undecided = [arm for arm, verdict in self.verdicts().items() if not verdict.ended]
        return [self.comparison.control, *undecided] if undecided else []

    def _next_job(self, most: int) -> Job | None:
        """The next training: of the lowest seed that the control or an open arm still needs."""
        arms = self.open_arms()
        running = {(replicate.arm, replicate.number) for replicate in self._running.values()}
        for number in range(1, most + 1):
            needed = [arm for arm in arms if number not in self.scores.of(arm) and (arm, number) not in running]
            if needed:
                return self._start(needed[0], number) if self._fits(needed, arms) else None
        return None

    def _fits(self, needed: Sequence[str], arms: Sequence[str]) -> bool:
        """Whether a seed may be begun, or ended: half a pair is no evidence. The first, too, stops when time is up."""
        if self._limit is None:
            return True
        if len(needed) < len(arms):
            return bool(self.scores.pairs(arms[1], arms[0])) or self._limit.left > 0
        return self._limit.allows(self.scores, arms)

    def _start(self, arm: str, number: int) -> Job:
        if number > self._round:
            self._on_round()
            self._round = number
        experiment = self.comparison.replicate(arm, number)
        fold = "" if experiment.fold is None else f", fold {experiment.fold}"
        name = f"{arm}, seed {experiment.seed}{fold}"
        child = self.parent.start_child(experiment, name, "replicate", self._data[arm], arm=arm)
        self._number += 1
        self._running[self._number] = _Replicate(arm, number, child, time.monotonic())
        test = self.comparison.on == "test" and self.comparison.metric != "seconds_per_epoch"
        return Job(self._number, experiment.name, experiment.to_yaml(), count_dead_units=True, test=test)

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._running[number].child.record(epoch, values)
        return False

    def _on_outcome(self, outcome: Outcome) -> None:
        replicate = self._running.pop(outcome.number)
        child = replicate.child
        self._check_varies(replicate)
        if outcome.state != "lost":
            finished = outcome.state == "finished"
            score = score_of(self.comparison, self.rises, child, outcome) if finished else math.nan
            extras = {name: _mean(child, name) for name in EXTRAS} if child.epochs else {}
            extras |= {name: value for name, value in outcome.metrics.items() if name == "dead_fraction"}
            extras["seconds"] = time.monotonic() - replicate.began
            self.scores.add(replicate.arm, replicate.number, score, extras)
        if outcome.metrics:
            child.tracker.metrics(outcome.metrics, child.best_epoch)
        child.end(outcome.state, outcome.reason)
        self._on_progress(self.verdicts())

    def _check_varies(self, replicate: _Replicate) -> None:
        """Raise TrainingFailed where another seed gave the very same training, which is no evidence."""
        trained = [name for values in replicate.child.epochs.values() for name in values if name.startswith("train/")]
        losses = [values.get(name) for name in dict.fromkeys(trained) for values in replicate.child.epochs.values()]
        if not losses:  # a module of one's own may log none
            return
        number, first = self._losses.setdefault(replicate.arm, (replicate.number, losses))
        if number != replicate.number and losses == first:
            seeds = " and ".join(str(self.comparison.seed(each)) for each in (number, replicate.number))
            same = f"{replicate.arm}: seeds {seeds} gave the same training"
            replicate.child.end("failed", same)
            raise TrainingFailed(
                f"{same}, so more seeds are no evidence; let varies: name a source of chance that this training has"
            )


def score_of(comparison: Comparison, rises: bool, child: ChildRun, outcome: Outcome) -> float:
    """The score of a finished training: the comparison's metric, or its epochs to the target."""
    metric = comparison.metric
    if metric == "seconds_per_epoch":
        return _mean(child, metric)
    name = f"{comparison.on}/{metric}"
    if comparison.reaches is not None:
        reached = epochs_to(child.epochs, name, comparison.reaches, rises)
        return float(reached or comparison.arms[comparison.control].trainer["max_epochs"] + 1)
    return outcome.metrics[name] if comparison.on == "test" else child.score(name)


def epochs_to(epochs: Mapping[int, Mapping[str, float]], name: str, target: float, rises: bool) -> int | None:
    """The first epoch whose metric is as good as `target`; None if none is."""
    for epoch, values in sorted(epochs.items()):
        value = values.get(name, math.nan)  # an epoch without a validation has none
        if (value >= target) if rises else (value <= target):
            return epoch
    return None


def _mean(child: ChildRun, name: str) -> float:
    values = [epoch[name] for epoch in child.epochs.values() if math.isfinite(epoch[name])]
    return sum(values) / len(values) if values else math.nan
