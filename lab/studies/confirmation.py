"""Confirmation: the best trials and the experiment's own settings are trained again on fresh seeds.

The best of many noisy scores overestimates its settings (the winner's curse); scores on seeds that the search did
not use do not. Whether a candidate is better than the experiment's own settings, the control, is decided by the test
of comparisons. Only the winner is then tested, on the same seeds.
"""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.design import Rule, Verdict
from lab.comparisons.statistics.verdicts import decide
from lab.config.experiment import Experiment
from lab.files import to_json
from lab.parallel.child_runs import ChildRun
from lab.parallel.jobs import Job, Outcome, fingerprint_of, resolution_of
from lab.parallel.workers import Workers, run_jobs
from lab.studies.objective import Objective
from lab.studies.search import Context, settings_key

FRESH = "lab.fresh"  # user attribute of a study: validation scores on fresh seeds, by candidate and seed
TESTED = "lab.tested"  # the same for test scores, of winners
ALPHA = 0.05  # error rate of the verdicts on all candidates
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Candidate:
    """Settings that may win: those of a trial, or the experiment's own."""

    name: str
    values: dict[str, Any]
    experiment: Experiment
    search_score: float | None
    scores: tuple[float | None, ...] = ()  # on fresh seeds; None where the training failed

    @property
    def fresh(self) -> tuple[float, ...]:
        """The scores of the trainings that did not fail."""
        return tuple(score for score in self.scores if score is not None)

    @property
    def mean(self) -> float:
        """The mean score on fresh seeds; NaN without any."""
        return statistics.fmean(self.fresh) if self.fresh else math.nan


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95 % interval (Student's t), which is infinite for a single seed."""

    value: float
    low: float
    high: float
    n: int


def mean_of(scores: Sequence[float]) -> Mean:
    """The mean of scores on different seeds; NaN without any."""
    if not scores:
        return Mean(math.nan, -math.inf, math.inf, 0)
    mean = statistics.fmean(scores)
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return Mean(mean, *estimates.paired_t(len(scores), mean, deviation, ALPHA), len(scores))


def select_candidates(context: Context, top: int) -> list[Candidate]:
    """The best `top` trials with different settings, best first, then the experiment's own settings."""
    space, sign = context.space, context.objective.sign
    complete = [trial for trial in context.study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    own = settings_key(space.experiment)
    found = {own: Candidate(DEFAULTS, {}, space.experiment, None)}
    for trial in sorted(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number)):
        values = space.values_of(trial.params)
        experiment = space.experiment.varied(values)
        key = settings_key(experiment)
        if key == own:
            found[own] = dataclasses.replace(found[own], search_score=trial.value)
        elif len(found) <= top:
            found.setdefault(key, Candidate(f"trial {trial.number}", values, experiment, trial.value))
    defaults, *best = found.values()
    return [*best, defaults]


@dataclass
class _Training:
    """One candidate on one seed, while it is trained."""

    candidate: Candidate
    seed: int
    child: ChildRun


class Confirmation:
    """Trains candidates on seeds that the search did not use; scores are stored in the study and reused.

    The scores are of validation data; with `test`, of test data, and for the winner alone.
    """

    def __init__(self, context: Context, test: bool = False):
        self.context = context
        self.study = context.study
        self.test = test
        self.stored_as = TESTED if test else FRESH
        self.reasons: dict[str, str] = {}  # why a training of a candidate failed, the last one
        self._running: dict[int, _Training] = {}
        self._numbers = itertools.count(-1, -1)  # negative, so that none is a trial's

    def run(
        self,
        candidates: list[Candidate],
        seeds: Iterable[int],
        workers: Workers,
        on_progress: Callable[[int, int], None],
    ) -> list[Candidate]:
        """The candidates with their scores on all seeds.

        `on_progress` is called with the number of finished trainings and their total number.
        """
        seeds = list(seeds)
        todo = [(c, seed) for seed in seeds for c in candidates if str(seed) not in self._scores(c)]
        total = len(candidates) * len(seeds)
        on_progress(total - len(todo), total)

        def next_job() -> Job | None:
            self.context.stored.lock.check()
            return self._start(*todo.pop(0)) if todo else None

        def on_outcome(outcome: Outcome) -> None:
            training = self._running[outcome.number]
            if outcome.state == "lost":
                todo.append((training.candidate, training.seed))
            self._finish(training, outcome)
            del self._running[outcome.number]
            on_progress(total - len(todo) - len(self._running), total)

        try:
            run_jobs(workers, next_job, self._on_epoch, on_outcome)
        finally:
            for training in self._running.values():
                training.child.end("stopped", "the study was stopped")
            self._running.clear()
        return [
            dataclasses.replace(each, scores=tuple(self._scores(each).get(str(seed)) for seed in seeds))
            for each in candidates
        ]

    def _start(self, candidate: Candidate, seed: int) -> Job:
        experiment = dataclasses.replace(candidate.experiment, seed=seed)
        name = f"{candidate.name}, seed {seed}"
        kind = "tested seed" if self.test else "fresh seed"
        data = fingerprint_of(candidate.experiment)
        child = self.context.parent.start_child(experiment, name, kind, data, candidate=candidate.name)
        number = next(self._numbers)
        self._running[number] = _Training(candidate, seed, child)
        return Job(number, experiment.name, experiment.to_yaml(), test=self.test)

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._running[number].child.record(epoch, values)
        return False

    def _finish(self, training: _Training, outcome: Outcome) -> None:
        """Store the score of a training in the study, and end its run."""
        if outcome.state != "lost":
            score = self._score(training.child, outcome) if outcome.state == "finished" else math.nan
            stored = dict(self.study.user_attrs.get(self.stored_as, {}))
            key = settings_key(training.candidate.experiment)
            stored[key] = stored.get(key, {}) | {str(training.seed): score if math.isfinite(score) else None}
            self.study.set_user_attr(self.stored_as, stored)
        if outcome.reason:
            self.reasons[training.candidate.name] = outcome.reason
        if outcome.metrics:
            training.child.tracker.metrics(outcome.metrics, training.child.best_epoch)
        training.child.end(outcome.state, outcome.reason)

    def _score(self, child: ChildRun, outcome: Outcome) -> float:
        metric = self.context.objective.metric
        return outcome.metrics[f"test/{metric.partition('/')[2]}"] if self.test else child.score(metric)

    def _scores(self, candidate: Candidate) -> dict[str, float | None]:
        """The stored scores of a candidate by seed; None where the training failed."""
        return self.study.user_attrs.get(self.stored_as, {}).get(settings_key(candidate.experiment), {})


def ranked(candidates: Sequence[Candidate], objective: Objective) -> list[Candidate]:
    """The candidates with the fewest failed seeds first, then by the mean of their scores."""

    def place(candidate: Candidate) -> tuple[int, float]:
        failed = len(candidate.scores) - len(candidate.fresh)
        return failed, objective.sign * candidate.mean if candidate.fresh else 0.0

    return sorted(candidates, key=place)


def against_defaults(candidates: Sequence[Candidate], objective: Objective) -> dict[str, Verdict]:
    """The verdict on each candidate against the experiment's own settings, paired by seed, one look at all seeds."""
    (control,) = (candidate for candidate in candidates if candidate.name == DEFAULTS)
    pairs = {
        candidate.name: list(zip(candidate.scores, control.scores, strict=True))
        for candidate in candidates
        if candidate is not control
    }
    seeds = max(len(control.scores), 2)
    step = resolution_of(objective.metric.removeprefix("val/"), control.experiment, "val")
    rule = Rule(objective.higher_is_better, 0.0, ALPHA, seeds, seeds, seeds, step)
    return decide(pairs, rule) if pairs else {}


def as_json(
    candidates: Sequence[Candidate], verdicts: Mapping[str, Verdict], tested: Mean, objective: Objective
) -> str:
    """The ranked candidates, and the winner's test, as a JSON artifact of the study's run."""
    rows = [
        {
            "candidate": each.name,
            "settings": each.values,
            "search": each.search_score,
            "fresh": each.scores,
            "mean": vars(mean_of(each.fresh)),
            "against defaults": vars(verdicts[each.name]) if each.name in verdicts else None,
        }
        for each in candidates
    ]
    content = {"metric": objective.metric, "candidates": rows, "winner on test data": vars(tested)}
    return to_json(content, indent=1) + "\n"
