"""Against the winner's curse: the best trials and the defaults are trained again on fresh seeds."""

import dataclasses
import itertools
import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lab.config.experiment import Experiment
from lab.errors import TrainingFailed
from lab.parallel.child_runs import ChildRun
from lab.parallel.jobs import Job, Outcome
from lab.parallel.workers import Workers, work
from lab.studies.search import Context, Objective, settings_key

FRESH = "lab.fresh"  # user attribute of a study: scores on fresh seeds, by candidate and seed
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Candidate:
    """Settings that may win: those of a trial, or the experiment's own."""

    name: str
    values: dict[str, Any]
    experiment: Experiment
    search_score: float | None
    fresh: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """The mean score on fresh seeds."""
        return statistics.fmean(self.fresh) if self.fresh else math.nan

    @property
    def deviation(self) -> float:
        """The sample standard deviation over fresh seeds."""
        return statistics.stdev(self.fresh) if len(self.fresh) > 1 else math.nan


def candidates(context: Context, top: int) -> list[Candidate]:
    """The best `top` trials that differ, best first, then the experiment's own settings."""
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
    defaults, *tried = found.values()
    return [*tried, defaults]


@dataclass
class _Training:
    """One candidate on one seed, while it is trained."""

    candidate: Candidate
    seed: int
    child: ChildRun


class FreshSeeds:
    """Trains candidates on seeds that the search did not see; what is done stands in the study and is kept."""

    def __init__(self, context: Context):
        self.context = context
        self.study = context.study
        self._going_on: dict[int, _Training] = {}
        self._numbers = itertools.count(-1, -1)  # none that a trial has

    def run(
        self, chosen: list[Candidate], seeds: Iterable[int], workers: Workers, watch: Callable[[int, int], None]
    ) -> list[Candidate]:
        """The candidates with their scores on all seeds, the best mean first.

        `watch` is told how many trainings are done, and of how many.
        """
        seeds = list(seeds)
        todo = [(c, seed) for seed in seeds for c in chosen if str(seed) not in self._scores(c)]
        total = len(chosen) * len(seeds)
        watch(total - len(todo), total)

        def next_job() -> Job | None:
            return self._start(*todo.pop(0)) if todo else None

        def on_outcome(outcome: Outcome) -> None:
            training = self._going_on[outcome.number]
            if outcome.state == "lost":
                todo.append((training.candidate, training.seed))
            self._finish(training, outcome)
            del self._going_on[outcome.number]
            watch(total - len(todo) - len(self._going_on), total)

        try:
            work(workers, next_job, self._on_epoch, on_outcome)
        finally:
            for training in self._going_on.values():
                training.child.end("stopped", "the study was stopped")
            self._going_on.clear()
        return self._ranked(chosen, seeds)

    def _scores(self, candidate: Candidate) -> dict[str, float]:
        """The stored scores of a candidate by seed; NaN where the training failed."""
        return self.study.user_attrs.get(FRESH, {}).get(settings_key(candidate.experiment), {})

    def _start(self, candidate: Candidate, seed: int) -> Job:
        experiment = dataclasses.replace(candidate.experiment, seed=seed)
        name = f"{candidate.name}, seed {seed}"
        child = self.context.family.start(experiment, name, "fresh seed", candidate=candidate.name)
        number = next(self._numbers)
        self._going_on[number] = _Training(candidate, seed, child)
        return Job(number, experiment.name, experiment.to_yaml())

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._going_on[number].child.record(epoch, values)
        return False

    def _finish(self, training: _Training, outcome: Outcome) -> None:
        """Keep the score of a training in the study, and close its run."""
        if outcome.state != "lost":
            score = training.child.score(self.context.objective.metric)
            kept = score if outcome.state == "finished" and math.isfinite(score) else None
            stored = dict(self.study.user_attrs.get(FRESH, {}))
            key = settings_key(training.candidate.experiment)
            stored[key] = stored.get(key, {}) | {str(training.seed): kept}
            self.study.set_user_attr(FRESH, stored)
        training.child.end(outcome.state, outcome.reason)

    def _ranked(self, chosen: list[Candidate], seeds: list[int]) -> list[Candidate]:
        """The candidates with their scores, the best first; one that failed on a seed comes last."""
        scored = []
        for candidate in chosen:
            scores = self._scores(candidate)
            fresh = tuple(scores[str(seed)] for seed in seeds if scores.get(str(seed)) is not None)
            scored.append(dataclasses.replace(candidate, fresh=fresh))
        if not any(candidate.fresh for candidate in scored):
            raise TrainingFailed("no candidate could be trained on fresh seeds; see their runs for the reasons")
        sign = self.context.objective.sign
        return sorted(scored, key=lambda c: (len(seeds) - len(c.fresh), sign * c.mean if c.fresh else 0.0))


def as_json(ranked: list[Candidate], objective: Objective) -> str:
    """The result table as a file of the study's run."""
    rows = [
        {"candidate": c.name, "settings": c.values, "search": c.search_score, "fresh": c.fresh, "mean": c.mean}
        for c in ranked
    ]
    return json.dumps({"metric": objective.metric, "candidates": rows}, indent=1) + "\n"
