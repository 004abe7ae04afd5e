"""A study: search, confirm the best trials on fresh seeds, test the winner."""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lab.comparisons.statistics.design import Verdict
from lab.config.experiment import Experiment
from lab.errors import LabError, TrainingFailed, say
from lab.parallel.child_runs import ParentRun, driver_lock, recorded_status
from lab.parallel.jobs import prepared_data
from lab.parallel.workers import Workers, open_workers
from lab.signals import stop_on_signals
from lab.studies import confirmation, earlier_trials, figures, interrupted_trials, samplers, storage
from lab.studies.confirmation import Candidate, Confirmation, Mean, mean_of, select_candidates
from lab.studies.importance import Importance, importance_of
from lab.studies.objective import Objective, choose_objective
from lab.studies.search import Context, Counts, Search, counts, reasons
from lab.studies.shared_lock import SharedLock
from lab.studies.space import Space, parse_space
from lab.tracking import store
from lab.tracking.reading import directions
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training import run as training
from lab.training.fine_tuning import start
from lab.training.results import artifacts

if TYPE_CHECKING:
    from optuna import Study

    from lab.studies.driver_storage import DriverStorage

PAGE = "study.html"  # among the files of its run


@dataclass(frozen=True)
class Options:
    """How to run a study: within `minutes`, the best `top` trials trained again on `seeds` seeds."""

    trials: int = 30
    minutes: float = math.inf
    workers: int | None = None  # None: as many as there is room for
    sampler: samplers.Sampler = "tpe"
    pruner: samplers.Pruner = "hyperband"
    metric: str | None = None
    top: int = 3
    seeds: int = 5

    def check(self) -> None:
        """Raise LabError with a line for every number that is out of range."""
        counts = {"trials": self.trials, "workers": self.workers, "top": self.top, "seeds": self.seeds}
        given = {name: value for name, value in counts.items() if value is not None}
        errors = [f"--{name}: must be at least 1, not {value}" for name, value in given.items() if value < 1]
        if not self.minutes > 0:
            errors.append(f"--minutes: must be above 0, not {self.minutes:g}")
        if errors:
            raise LabError(*errors)


@dataclass(frozen=True)
class StudyResult:
    """The candidates, the winner first, their verdicts against the defaults, and the winner's test.

    `tested` is the mean test score of the winner on the fresh seeds; `final` is its run on the experiment's own seed.
    """

    name: str
    objective: Objective
    counts: Counts
    reasons: Sequence[str]  # why trials failed, the most frequent first
    ranked: list[Candidate]
    verdicts: Mapping[str, Verdict]
    tested: Mean
    importance: Importance
    final: training.Result
    seconds: float
    run_id: str | None

    @property
    def winner(self) -> Candidate:
        """The candidate with the best mean on fresh seeds."""
        return self.ranked[0]


class Progress(Protocol):
    """Shows how far a study is."""

    def searching(self, counts: Counts, running: int, best: "tuple[int, float] | None") -> None:
        """A trial started, reported or ended; `best` is a trial's number and its score."""

    def confirming(self, done: int, total: int) -> None:
        """A training on a fresh seed ended."""

    def testing(self) -> None:
        """The winner is trained and tested."""


def run(experiment: Experiment, options: Options, progress: Progress) -> StudyResult:
    """Search, confirm on fresh seeds, test the winner; an interrupted study continues where it stopped.

    Raises LabError before anything is written, TrainingFailed if no trial could be trained, or Stopped.
    """
    options.check()
    experiment = start.pinned(experiment)
    space = parse_space(experiment)
    objective = choose_objective(experiment, options.metric)
    store.check_writable()
    storage.quiet_optuna()
    name = f"{experiment.name}-{space.fingerprint(objective.metric)}"
    if experiment.combine_with_naive:
        say("combine_with_naive: trials are judged on validation data, by the forecasts of the network alone")
    with driver_lock(name), storage.study_lock(name) as lock:
        # Before `stop_on_signals`: a cluster's Ray installs signal handlers of its own.
        workers = open_workers(options.workers, [experiment])
        try:
            study, stored = _open(space, name, objective, options, lock)
            with stop_on_signals(), storage.losses_in_one_line():
                return _run(space, study, stored, objective, options, workers, progress)
        finally:
            workers.close()


def _run(
    space: Space,
    study: "Study",
    stored: "DriverStorage",
    objective: Objective,
    options: Options,
    workers: Workers,
    progress: Progress,
) -> StudyResult:
    started = time.monotonic()
    outbox = Outbox()
    tracker = outbox.tracker(study.user_attrs[storage.PARENT])
    tags = _tags(space.experiment, study.study_name) | directions.as_tag(objective.directions)
    context = Context(space, study, objective, ParentRun(outbox, tracker.id, tags, objective.directions), stored)
    _start(context, tracker, options)
    with recorded_status(outbox, tracker):
        _search(context, options, workers, progress, started)
        ranked = _confirm(context, options, workers, progress)
        verdicts = confirmation.against_defaults(ranked, objective)
        progress.testing()
        tested = _test(context, ranked[0], options, workers)
        final = _train_final(context, ranked[0])
        importance = importance_of(study)
        _log_results(context, tracker, ranked, verdicts, tested, final, importance)
    return StudyResult(
        name=study.study_name,
        objective=objective,
        counts=counts(study),
        reasons=reasons(study),
        ranked=ranked,
        verdicts=verdicts,
        tested=tested,
        importance=importance,
        final=dataclasses.replace(final, delivery=outbox.delivery),
        seconds=time.monotonic() - started,
        run_id=outbox.delivery.run_ids.get(tracker.id),
    )


def _open(
    space: Space, name: str, objective: Objective, options: Options, lock: SharedLock
) -> "tuple[Study, DriverStorage]":
    """The stored study as its driver uses it, with its pruner."""
    study = storage.open_study(name, objective.higher_is_better, space.fingerprint(objective.metric))
    if line := earlier_trials.adopt(study, space, objective.metric):
        say(line)
    interrupted_trials.record_driver(study, name)
    study, stored = storage.driven(name, lock)
    study.pruner = samplers.make_pruner(options.pruner, space.experiment.trainer["max_epochs"])
    return study, stored


def _tags(experiment: Experiment, study_name: str) -> dict[str, str]:
    """The tags of every run of a study."""
    return provenance.tags() | {
        "lab.experiment": experiment.name,
        "lab.question": experiment.question,
        "lab.study": study_name,
        "data.fingerprint": prepared_data(experiment).fingerprint,
    }


def _start(context: Context, tracker: Tracker, options: Options) -> None:
    """Start the record of the study's own run; a continued study continues its run."""
    experiment = context.space.experiment
    how = {"lab.kind": "study", "lab.metric": context.objective.metric, "lab.sampler": options.sampler}
    tags = {**context.parent.tags, **how, "lab.pruner": options.pruner}
    tracker.start(experiment.name, f"study {context.study.study_name}", experiment.settings(), tags)
    tracker.text("config.yaml", experiment.to_yaml())
    artifacts.keep_code(tracker)


def _search(context: Context, options: Options, workers: Workers, progress: Progress, started: float) -> None:
    """Run the trials, and leave time for what comes after; raises TrainingFailed if none finished."""
    study = context.study
    search = Search(
        context,
        lambda seed: samplers.make_sampler(options.sampler, options.trials, seed),
        lambda search: progress.searching(search.counts, search.running, search.best),
    )
    search.run(workers, options.trials, started + 60 * options.minutes, (options.top + 2) * options.seeds + 1)
    if not counts(study).finished:
        raise TrainingFailed(_no_trial_finished(study))


def _no_trial_finished(study: "Study") -> str:
    known = reasons(study)
    why = f"; the most frequent reason: {known[0]}" if known else ""
    return f"no trial of {study.study_name} finished its training ({len(study.trials)} tried){why}"


def _confirm(context: Context, options: Options, workers: Workers, progress: Progress) -> list[Candidate]:
    """The candidates, ranked on fresh seeds; raises TrainingFailed where the defaults could not be trained."""
    phase = Confirmation(context)
    candidates = select_candidates(context, options.top)
    scored = phase.run(candidates, _fresh_seeds(context, options), workers, progress.confirming)
    (control,) = (candidate for candidate in scored if candidate.name == confirmation.DEFAULTS)
    if not control.fresh:
        reason = phase.reasons.get(control.name, "in an earlier session; see its runs for the reasons")
        raise TrainingFailed(
            f"the experiment's own settings failed on every fresh seed, so nothing can win against them: {reason}"
        )
    return confirmation.ranked(scored, context.objective)


def _fresh_seeds(context: Context, options: Options) -> range:
    first = context.space.experiment.seed + 1
    return range(first, first + options.seeds)


def _test(context: Context, winner: Candidate, options: Options, workers: Workers) -> Mean:
    """The winner's test score on the fresh seeds: with its final run the only use of test data in a study."""
    seeds = _fresh_seeds(context, options)
    (tested,) = Confirmation(context, test=True).run([winner], seeds, workers, lambda done, total: None)
    return mean_of(tested.fresh)


def _train_final(context: Context, winner: Candidate) -> training.Result:
    """Train the winner as `lab run` would, on the experiment's own seed, and test it."""
    tags = {"lab.kind": "winner", "lab.study": context.study.study_name, "lab.candidate": winner.name}
    tracker = context.parent.outbox.tracker(parent=context.parent.id)
    return training.train(winner.experiment, tracker, tags=tags)


def _log_results(
    context: Context,
    tracker: Tracker,
    ranked: list[Candidate],
    verdicts: Mapping[str, Verdict],
    tested: Mean,
    final: training.Result,
    importance: Importance,
) -> None:
    """Log the candidates, the figures and the winner's metrics to the study's own run."""
    tracker.text("candidates.json", confirmation.as_json(ranked, verdicts, tested, context.objective))
    tracker.text(PAGE, figures.as_html(context.study, context.objective, importance))
    scores = {f"fresh/{context.objective.metric}": ranked[0].mean}
    of_final = {name: value for name, value in final.metrics.items() if name.startswith("test/")}
    name = context.objective.metric.partition("/")[2]
    tracker.metrics(scores | of_final | {f"fresh/test/{name}": tested.value}, 0)
    tracker.tags({"lab.winner": ranked[0].name})
