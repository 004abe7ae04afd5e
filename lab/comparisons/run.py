"""A comparison from its file to its verdicts, tracked."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.comparisons import page
from lab.comparisons.comparison import Comparison
from lab.comparisons.findings import Findings, KeptScores, Scores
from lab.comparisons.statistics import Verdict, first_decision
from lab.errors import LabError, TrainingFailed, did_you_mean
from lab.parallel.child_runs import ChildRun, ParentRun, ending, only_driver
from lab.parallel.jobs import Job, Outcome, prepared_data
from lab.parallel.workers import Workers, open_workers, work
from lab.signals import stop_on_signals
from lab.tracking import store
from lab.tracking.writing.outbox import Delivery, Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.building import build

Watch = Callable[[Findings], None]
EXTRAS = ("seconds_per_epoch", "gradient_ratio")  # means over the epochs, kept beside the score


@dataclass(frozen=True)
class ComparisonResult:
    """Findings, and where they are recorded."""

    findings: Findings
    seconds: float
    delivery: Delivery
    run_id: str | None


def run(comparison: Comparison, workers: int, watch: Watch) -> ComparisonResult:
    """Train until every arm is decided or has the most seeds; goes on where an earlier call stopped.

    Raises LabError before anything is written; TrainingFailed where an arm could not be trained; Stopped.
    """
    if workers < 1:
        raise LabError(f"--workers: must be at least 1, not {workers}")
    higher_is_better = direction(comparison)
    store.check_writable()
    name = f"{comparison.name}-{comparison.fingerprint()}"
    scores = KeptScores(name)
    with only_driver(name):
        opened = open_workers(workers)  # before `stop_on_signals`: Ray has signal handlers of its own
        try:
            with stop_on_signals():
                return _run(comparison, name, higher_is_better, scores, opened, watch)
        finally:
            opened.close()


def direction(comparison: Comparison) -> bool:
    """Whether a higher score is better; builds every arm, so that what does not fit is said at once."""
    mistakes: list[str] = []
    directions: dict[str, bool] = {}
    for name, arm in comparison.arms.items():
        try:
            directions = build(arm, prepared_data(arm)).module.directions() | {"seconds_per_epoch": False}
        except LabError as error:
            mistakes += [f"arms.{name}: {line}" for line in error.lines]
    if mistakes:
        raise LabError(*mistakes)
    if comparison.metric not in directions:
        near = did_you_mean(comparison.metric, directions)
        raise LabError(f"metric: the runs have no '{comparison.metric}'; {near}")
    return directions[comparison.metric] and comparison.reaches is None


def _run(
    comparison: Comparison, name: str, higher_is_better: bool, scores: KeptScores, workers: Workers, watch: Watch
) -> ComparisonResult:
    began = time.monotonic()
    outbox = Outbox()
    parent = outbox.tracker(scores.journal)
    tags = provenance.tags() | {
        "lab.experiment": comparison.arms[comparison.control].name,
        "lab.question": comparison.question,
        "lab.comparison": name,
    }

    def findings(verdicts: Mapping[str, Verdict]) -> Findings:
        return Findings(comparison, higher_is_better, scores, verdicts)

    family = ParentRun(outbox, parent.id, tags)
    replicates = Replicates(comparison, higher_is_better, scores, family, lambda verdicts: watch(findings(verdicts)))
    control = comparison.arms[comparison.control]
    parent.start(control.name, f"comparison {comparison.name}", control.settings(), {**tags, "lab.kind": "comparison"})
    watch(findings(replicates.verdicts()))
    with ending(outbox, parent):
        found = findings(replicates.run(workers))
        _check_trained(found)
        _keep(parent, found)
    delivery = outbox.delivery
    return ComparisonResult(found, time.monotonic() - began, delivery, delivery.run_ids.get(parent.id))


def _check_trained(findings: Findings) -> None:
    """Raise TrainingFailed where an arm has no score at all."""
    for arm in findings.comparison.arms:
        scores = findings.scores.of(arm)
        if scores and all(score is None for score in scores.values()):
            raise TrainingFailed(f"no training of {arm} came to its end; `make mlflow` shows the reasons")


def _keep(parent: Tracker, findings: Findings) -> None:
    """The table and the page, as artifacts of the comparison's own run."""
    parent.text("comparison.json", page.as_json(findings))
    parent.text("comparison.html", page.as_html(findings))
    for arm, verdict in findings.verdicts.items():
        parent.tags({f"lab.verdict.{arm}": verdict.state})
        parent.metrics({f"difference/{arm}": verdict.mean, f"e_value/{arm}": verdict.e_value}, verdict.n)


@dataclass
class _Replicate:
    """One arm on one seed, while it is trained."""

    arm: str
    seed: int
    child: ChildRun


class Replicates:
    """Trains a comparison until every arm is decided or has the most seeds.

    `watch` is called whenever a training has ended.
    """

    def __init__(
        self,
        comparison: Comparison,
        higher_is_better: bool,
        scores: Scores,
        family: ParentRun,
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


def measured(comparison: Comparison, child: ChildRun, outcome: Outcome) -> float:
    """The score of a training that ended well: what the comparison is about."""
    metric = comparison.metric
    if metric == "seconds_per_epoch":
        return _mean(child, metric)
    name = f"{comparison.on}/{metric}"
    if comparison.reaches is not None:
        return float(_epochs_to(child, name, comparison.reaches))
    return outcome.measured[name] if comparison.on == "test" else child.score(name)


def _epochs_to(child: ChildRun, name: str, target: float) -> int:
    """The first epoch at which a metric has come to `target` from where it began; one more than all if never."""
    first = child.epochs[min(child.epochs)][name]
    falls = first > target
    for epoch, values in sorted(child.epochs.items()):
        if (values[name] <= target) if falls else (values[name] >= target):
            return epoch
    return max(child.epochs) + 1


def _mean(child: ChildRun, name: str) -> float:
    values = [epoch[name] for epoch in child.epochs.values() if math.isfinite(epoch[name])]
    return sum(values) / len(values) if values else math.nan
