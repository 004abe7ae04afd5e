"""The search of a study: ask Optuna, train, report, tell; nothing is left RUNNING however it ends."""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.config.experiment import Experiment
from lab.parallel.child_runs import ChildRun, ParentRun
from lab.parallel.jobs import Job, Outcome
from lab.parallel.workers import Workers, work
from lab.studies.space import Space
from lab.studies.storage import RETRIED, fail_and_retry, fail_running, trial_state

if TYPE_CHECKING:
    from optuna import Study, Trial


REASON = "lab.reason"


@dataclass(frozen=True)
class Objective:
    """The validation metric that a study is about."""

    metric: str
    higher_is_better: bool

    @property
    def sign(self) -> int:
        """1 where lower is better, so that sorting by sign times score puts the best first."""
        return -1 if self.higher_is_better else 1


@dataclass(frozen=True)
class Context:
    """A study while it runs."""

    space: Space
    study: "Study"
    objective: Objective
    family: ParentRun


def settings_key(experiment: Experiment) -> str:
    """A hash of all settings but the seed."""
    settings = {name: value for name, value in experiment.settings().items() if name != "seed"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Counts:
    """How far a search is."""

    finished: int
    pruned: int
    failed: int

    @property
    def done(self) -> int:
        """Trials that count: those cut off and tried again do not."""
        return self.finished + self.pruned + self.failed


def counts(study: "Study") -> Counts:
    """The trials of a study by their end."""
    retried = study.user_attrs.get(RETRIED, [])
    states = [trial.state.name for trial in study.get_trials(deepcopy=False) if trial.number not in retried]
    return Counts(states.count("COMPLETE"), states.count("PRUNED"), states.count("FAIL"))


class Search:
    """Runs the trials of a study."""

    def __init__(self, context: Context, watch: Callable[["Search"], None]):
        self.context = context
        self.study = context.study
        self._watch = watch
        self._flights: dict[int, tuple[Trial, ChildRun]] = {}

    @property
    def going_on(self) -> int:
        """How many trials are being trained."""
        return len(self._flights)

    def run(self, workers: Workers, trials: int, deadline: float) -> None:
        """Search until `trials` are done in all, or the time (time.monotonic) of `deadline` has come."""
        fail_running(self.study)  # a killed driver left them so
        self._begin_with_the_experiment()

        def next_job() -> Job | None:
            enough = counts(self.study).done + len(self._flights) >= trials
            return None if enough or time.monotonic() >= deadline else self._ask()

        try:
            work(workers, next_job, self._on_epoch, self._tell)
        finally:
            self._cut_off()

    def _begin_with_the_experiment(self) -> None:
        """The first trial has the experiment's own settings: what somebody thought good is worth knowing."""
        params = self.context.space.of_experiment()
        if params and not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(params)

    def _ask(self) -> Job:
        trial = self.study.ask()
        space = self.context.space
        experiment = space.experiment.varied(space.suggest(trial))
        child = self.context.family.start(experiment, f"trial {trial.number}", "trial", trial=str(trial.number))
        self._flights[trial.number] = trial, child
        self._watch(self)
        return Job(trial.number, experiment.name, experiment.to_yaml())

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        trial, child = self._flights[number]
        child.record(epoch, values)
        value = values[self.context.objective.metric]
        if math.isfinite(value):
            trial.report(value, epoch)
        self._watch(self)
        return trial.should_prune()

    def _tell(self, outcome: Outcome) -> None:
        trial, child = self._flights[outcome.number]
        value = child.score(self.context.objective.metric)
        state, reason = outcome.state, outcome.reason
        if state == "finished" and not math.isfinite(value):
            state, reason = "failed", f"{self.context.objective.metric} was {value}"
        if state == "lost":
            fail_and_retry(self.study, outcome.number)
        elif state == "failed":
            trial.set_user_attr(REASON, reason)
            self.study.tell(outcome.number, state=trial_state("FAIL"))
        elif state == "pruned":
            self.study.tell(outcome.number, state=trial_state("PRUNED"))
        else:
            trial.set_user_attr("best_epoch", child.best_epoch)
            self.study.tell(outcome.number, value)
        child.end(state, reason)
        del self._flights[outcome.number]
        self._watch(self)

    def _cut_off(self) -> None:
        """However the search ends: what is in flight fails, and is tried again when the study goes on."""
        for number, (_, child) in self._flights.items():
            with contextlib.suppress(Exception):  # the storage may be what ended the search
                fail_and_retry(self.study, number)
            child.end("stopped", "the study was stopped")
        self._flights.clear()
