"""The training of a comparison: seed by seed, every arm that is not yet decided."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.comparisons.comparison import Comparison
from lab.comparisons.scores import Scores
from lab.comparisons.statistics import Verdict, first_decision
from lab.families import Child, Family
from lab.jobs import Job, Outcome
from lab.workers import Workers, work

EXTRAS = ("seconds_per_epoch", "gradient_ratio")  # means over the epochs, kept beside the score


@dataclass
class _Replicate:
    """One arm on one seed, while it is trained."""

    arm: str
    seed: int
    child: Child


class Replicates:
    """Trains a comparison until every arm is decided or has the most seeds.

    `watch` is called whenever a training has ended.
    """

    def __init__(
        self,
        comparison: Comparison,
        higher_is_better: bool,
        scores: Scores,
        family: Family,
        watch: Callable[[Mapping[str, Verdict]], None],
    ):
        self.comparison = comparison
        self.higher_is_better = higher_is_better
        self.scores = scores
        self.family = family
        self._watch = watch
        self._going_on: dict[int, _Replicate] = {}
        self._number = 0

    def run(self, workers: Workers) -> dict[str, Verdict]:
        """Train, and give the verdict on every arm."""
        try:
            work(workers, self._next_job, self._on_epoch, self._on_outcome)
        finally:
            for replicate in self._going_on.values():
                replicate.child.end("stopped", "the comparison was stopped")
            self._going_on.clear()
        return self.verdicts()

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on every arm but the control, from the scores so far."""
        c = self.comparison
        return {
            arm: first_decision(
                self.scores.pairs(arm, c.control, c.most)[1], self.higher_is_better, c.margin, c.alpha_per_arm, c.least
            )
            for arm in c.challengers
        }

    def _next_job(self) -> Job | None:
        """The next training: of the lowest seed that an undecided arm or the control lacks."""
        undecided = [arm for arm, verdict in self.verdicts().items() if not verdict.decided]
        if not undecided:
            return None
        under_way = {(replicate.arm, replicate.seed) for replicate in self._going_on.values()}
        for seed in range(1, self.comparison.most + 1):
            for arm in [self.comparison.control, *undecided]:
                if seed not in self.scores.of(arm) and (arm, seed) not in under_way:
                    return self._start(arm, seed)
        return None

    def _start(self, arm: str, seed: int) -> Job:
        experiment = dataclasses.replace(self.comparison.arms[arm], seed=seed)
        child = self.family.start(experiment, f"{arm}, seed {seed}", "replicate", arm=arm)
        self._number += 1
        self._going_on[self._number] = _Replicate(arm, seed, child)
        test = self.comparison.on == "test" and self.comparison.metric != "seconds_per_epoch"
        return Job(self._number, experiment.name, experiment.to_yaml(), examine=True, test=test)

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._going_on[number].child.record(epoch, values)
        return False

    def _on_outcome(self, outcome: Outcome) -> None:
        replicate = self._going_on.pop(outcome.number)
        child = replicate.child
        if outcome.state != "lost":
            score = measured(self.comparison, child, outcome) if outcome.state == "finished" else math.nan
            extras = {name: _mean(child, name) for name in EXTRAS} if child.epochs else {}
            extras |= {name: value for name, value in outcome.measured.items() if name == "dead_fraction"}
            self.scores.keep(replicate.arm, replicate.seed, score, extras)
        if outcome.measured:
            child.tracker.metrics(outcome.measured, child.best_epoch)
        child.end(outcome.state, outcome.reason)
        self._watch(self.verdicts())


def measured(comparison: Comparison, child: Child, outcome: Outcome) -> float:
    """The score of a training that ended well: what the comparison is about."""
    metric = comparison.metric
    if metric == "seconds_per_epoch":
        return _mean(child, metric)
    name = f"{comparison.on}/{metric}"
    if comparison.reaches is not None:
        return float(_epochs_to(child, name, comparison.reaches))
    return outcome.measured[name] if comparison.on == "test" else child.score(name)


def _epochs_to(child: Child, name: str, target: float) -> int:
    """The first epoch at which a metric has come to `target` from where it began; one more than all if never."""
    first = child.epochs[min(child.epochs)][name]
    falls = first > target
    for epoch, values in sorted(child.epochs.items()):
        if (values[name] <= target) if falls else (values[name] >= target):
            return epoch
    return max(child.epochs) + 1


def _mean(child: Child, name: str) -> float:
    values = [epoch[name] for epoch in child.epochs.values() if math.isfinite(epoch[name])]
    return sum(values) / len(values) if values else math.nan
