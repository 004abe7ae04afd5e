"""The search of a study: ask Optuna for settings, train, report epochs, tell the score.

However a search ends, no trial is left RUNNING.
"""

import contextlib
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.random import SeedSequence

from lab.config.experiment import Experiment
from lab.parallel.child_runs import ChildRun, ParentRun
from lab.parallel.jobs import Job, Outcome, fingerprint_of
from lab.parallel.workers import Workers, run_jobs
from lab.studies.interrupted_trials import RETRIED, fail_and_retry, fail_running_trials, places_taken, trial_state
from lab.studies.objective import Objective
from lab.studies.space import Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler

    from lab.studies.driver_storage import DriverStorage

REASON = "lab.reason"  # user attribute of a trial: why it failed


@dataclass(frozen=True)
class Context:
    """What belongs to a running study."""

    space: Space
    study: "Study"
    objective: Objective
    parent: ParentRun
    stored: "DriverStorage"


@dataclass(frozen=True)
class Counts:
    """The number of trials by how they ended."""

    finished: int
    pruned: int
    failed: int

    @property
    def done(self) -> int:
        """All of them; interrupted trials that are retried do not count."""
        return self.finished + self.pruned + self.failed


class Search:
    """Runs the trials of a study.

    `make_sampler` takes a seed. Each trial has a sampler of its own, so that its settings follow from the experiment's
    seed, its place in the study and the trials that are done, and not from how often the study was interrupted.
    """

    def __init__(
        self,
        context: Context,
        make_sampler: Callable[[int], "BaseSampler"],
        on_progress: Callable[["Search"], None],
    ):
        self.context = context
        self.study = context.study
        self._make_sampler = make_sampler
        self._on_progress = on_progress
        self._running: dict[int, tuple[Trial, ChildRun]] = {}
        self.counts, self.best = counts(self.study), best(self.study)

    @property
    def running(self) -> int:
        """The number of trials in training."""
        return len(self._running)

    def run(self, workers: Workers, trials: int, deadline: float, after: int = 0) -> None:
        """Search until `trials` are done, earlier ones included, or the time left is that of what comes after.

        `deadline` is a time of time.monotonic(), `after` the number of whole trainings that follow the search.
        """
        fail_running_trials(self.study)  # left by a driver that was killed
        self._enqueue_own_settings()

        def next_job() -> Job | None:
            enough = self.counts.done + len(self._running) >= trials
            late = time.monotonic() + self._seconds() * (1 + after / workers.capacity) >= deadline
            return None if enough or late else self._ask()

        # One worker may train for long before it pauses again; of several, one or another soon does.
        stored = self.context.stored
        on_pause = stored.flush if workers.capacity == 1 else stored.flush_now_and_then
        try:
            run_jobs(workers, next_job, self._on_epoch, self._tell, on_pause)
        finally:
            self._retry_interrupted()

    def _seconds(self) -> float:
        """The mean time of the trials that were trained to their end; 0 before the first."""
        trials = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state == trial_state("COMPLETE")]
        durations = [trial.duration.total_seconds() for trial in trials if trial.duration]
        return sum(durations) / len(durations) if durations else 0.0

    def _enqueue_own_settings(self) -> None:
        """Make the experiment's own settings the first trial: they are the baseline of the search."""
        params = self.context.space.own_params()
        if params and not any(trial.params == params for trial in self.study.get_trials(deepcopy=False)):
            self.study.enqueue_trial(params, skip_if_exists=True)

    def _ask(self) -> Job:
        self.context.stored.find_enqueued()
        place = places_taken(self.study)
        seed = SeedSequence([self.context.space.experiment.seed, place]).generate_state(1)[0]
        self.study.sampler = self._make_sampler(int(seed))
        trial = self.study.ask()
        space = self.context.space
        experiment = space.experiment.varied(space.suggest(trial))
        self.context.stored.flush()  # should this process be killed, the trial is retried with these settings
        name = f"trial {trial.number}"
        child = self.context.parent.start_child(
            experiment, name, "trial", fingerprint_of(experiment), trial=str(trial.number)
        )
        self._running[trial.number] = trial, child
        self._on_progress(self)
        return Job(trial.number, experiment.name, experiment.to_yaml())

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        trial, child = self._running[number]
        child.record(epoch, values)
        value = values.get(self.context.objective.metric, math.nan)
        if math.isfinite(value):
            trial.report(value, epoch)
        self._on_progress(self)
        return trial.should_prune()

    def _tell(self, outcome: Outcome) -> None:
        trial, child = self._running[outcome.number]
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
        del self._running[outcome.number]
        self.counts, self.best = counts(self.study), best(self.study)
        self._on_progress(self)

    def _retry_interrupted(self) -> None:
        """Fail the trials still in training, and enqueue them for the next session of the study."""
        for number, (_, child) in self._running.items():
            with contextlib.suppress(Exception):  # the storage itself may have ended the search
                fail_and_retry(self.study, number)
            child.end("stopped", "the study was stopped")
        self._running.clear()


def counts(study: "Study") -> Counts:
    """Count the trials of a study by how they ended."""
    retried = study.user_attrs.get(RETRIED, [])
    states = [trial.state.name for trial in study.get_trials(deepcopy=False) if trial.number not in retried]
    return Counts(states.count("COMPLETE"), states.count("PRUNED"), states.count("FAIL"))


def best(study: "Study") -> tuple[int, float] | None:
    """The number and score of the best trial so far."""
    try:
        trial = study.best_trial
    except ValueError:  # none is complete
        return None
    return trial.number, float(trial.value or 0.0)


def reasons(study: "Study") -> list[str]:
    """Why trials failed, the most frequent reason first, with how many trials."""
    trials = study.get_trials(deepcopy=False)
    found = Counter(reason for trial in trials if (reason := trial.user_attrs.get(REASON)))
    return [f"{reason} ({count} trials)" if count > 1 else reason for reason, count in found.most_common()]


def settings_key(experiment: Experiment) -> str:
    """A hash of all settings but the seed."""
    return hashlib.sha256(json.dumps(experiment.identity(), sort_keys=True).encode()).hexdigest()[:12]
