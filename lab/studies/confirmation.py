"""Confirmation: the best trials and the experiment's own settings are trained again on fresh seeds.

The best of many noisy scores overestimates its settings (the winner's curse); scores on seeds that the search did
not use do not.
"""

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
from lab.parallel.workers import Workers, run_jobs
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
        """The mean score on fresh seeds; NaN without any."""
        return statistics.fmean(self.fresh) if self.fresh else math.nan

    @property
    def deviation(self) -> float:
        """The sample standard deviation over fresh seeds; NaN for fewer than two."""
        return statistics.stdev(self.fresh) if len(self.fresh) > 1 else math.nan


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
    """Trains candidates on seeds that the search did not use; scores are stored in the study and reused."""

    def __init__(self, context: Context):
        self.context = context
        self.study = context.study
        self._running: dict[int, _Training] = {}
        self._numbers = itertools.count(-1, -1)  # negative, so that none is a trial's

    def run(
        self,
        candidates: list[Candidate],
        seeds: Iterable[int],
        workers: Workers,
        on_progress: Callable[[int, int], None],
    ) -> list[Candidate]:
        """The candidates with their scores on all seeds, the best mean first.

        `on_progress` is called with the number of finished trainings and their total number. Raises TrainingFailed
        if no training finished.
        """
        seeds = list(seeds)
        todo = [(c, seed) for seed in seeds for c in candidates if str(seed) not in self._scores(c)]
        total = len(candidates) * len(seeds)
        on_progress(total - len(todo), total)

        def next_job() -> Job | None:
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
        return self._ranked(candidates, seeds)

    def _start(self, candidate: Candidate, seed: int) -> Job:
        experiment = dataclasses.replace(candidate.experiment, seed=seed)
        name = f"{candidate.name}, seed {seed}"
        child = self.context.parent.start_child(experiment, name, "fresh seed", candidate=candidate.name)
        number = next(self._numbers)
        self._running[number] = _Training(candidate, seed, child)
        return Job(number, experiment.name, experiment.to_yaml())

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._running[number].child.record(epoch, values)
        return False

    def _finish(self, training: _Training, outcome: Outcome) -> None:
        """Store the score of a training in the study, and end its run."""
        if outcome.state != "lost":
            score = training.child.score(self.context.objective.metric)
            valid = score if outcome.state == "finished" and math.isfinite(score) else None
            stored = dict(self.study.user_attrs.get(FRESH, {}))
            key = settings_key(training.candidate.experiment)
            stored[key] = stored.get(key, {}) | {str(training.seed): valid}
            self.study.set_user_attr(FRESH, stored)
        training.child.end(outcome.state, outcome.reason)

    def _scores(self, candidate: Candidate) -> dict[str, float | None]:
        """The stored scores of a candidate by seed; None where the training failed."""
        return self.study.user_attrs.get(FRESH, {}).get(settings_key(candidate.experiment), {})

    def _ranked(self, candidates: list[Candidate], seeds: list[int]) -> list[Candidate]:
        """The candidates with their scores: those with the fewest failed seeds first, then by mean."""
        scored = []
        for candidate in candidates:
            scores = self._scores(candidate)
            fresh = tuple(score for seed in seeds if (score := scores.get(str(seed))) is not None)
            scored.append(dataclasses.replace(candidate, fresh=fresh))
        if not any(candidate.fresh for candidate in scored):
            raise TrainingFailed("no candidate could be trained on fresh seeds; see their runs for the reasons")
        sign = self.context.objective.sign
        return sorted(scored, key=lambda c: (len(seeds) - len(c.fresh), sign * c.mean if c.fresh else 0.0))


def as_json(ranked: list[Candidate], objective: Objective) -> str:
    """The ranked candidates as a JSON artifact of the study's run."""
    rows = [
        {"candidate": c.name, "settings": c.values, "search": c.search_score, "fresh": c.fresh, "mean": c.mean}
        for c in ranked
    ]
    return json.dumps({"metric": objective.metric, "candidates": rows}, indent=1) + "\n"
