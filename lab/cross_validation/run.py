"""A cross-validation from an experiment to the mean over its folds, tracked: one parent run, a child run per fold."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from lab.config.experiment import Experiment
from lab.config.types import Fold
from lab.cross_validation.scores import RULE, FoldScores, StoredFoldScores
from lab.errors import LabError, TrainingFailed
from lab.parallel.child_runs import ChildRun, ParentRun, driver_lock, recorded_status, shared_driver_lock
from lab.parallel.jobs import Job, Outcome, forget_prepared_data, prepared_data
from lab.parallel.workers import Workers, open_workers, run_jobs
from lab.signals import stop_on_signals
from lab.tracking import store
from lab.tracking.reading import baselines, directions
from lab.tracking.reading.baselines import QUICK, TRIVIAL
from lab.tracking.writing.outbox import Delivery, Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.fine_tuning import start
from lab.training.rehearsal import whole_batch
from lab.training.results import artifacts

OnProgress = Callable[[FoldScores], None]


@dataclass(frozen=True)
class Result:
    """The scores of the folds, and where they are recorded."""

    experiment: Experiment
    main_metric: str
    higher_is_better: bool
    baseline_name: str
    quick_baseline_name: str
    scores: FoldScores
    notes: Sequence[tuple[str, str]]  # on how the data of the first fold was interpreted
    seconds: float
    delivery: Delivery
    run_id: str | None


class FoldsFailed(TrainingFailed):
    """Some folds could not be trained."""


def run(experiment: Experiment, count: int, workers: int | None, on_progress: OnProgress) -> Result:
    """Train and test an experiment on each of `count` folds; continues an interrupted cross-validation.

    `on_progress` is called with the scores so far after every epoch. Raises LabError before anything is written,
    FoldsFailed if every fold failed, or Stopped.
    """
    _check(experiment, count, workers)
    experiment = start.pinned(experiment)
    first = experiment.of_fold(Fold(1, count))
    built = build(first, prepared_data(first))
    whole_batch.rehearse(built)
    store.check_writable()
    name = f"{experiment.name}-{_fingerprint(experiment, count, built)}"
    with driver_lock(name), ExitStack() as stack:
        scores = StoredFoldScores(name, count)
        look_again = stack.enter_context(shared_driver_lock(experiment.name, name, scores.journal))
        opened = open_workers(workers, [first])  # before `stop_on_signals`: Ray, too, installs signal handlers
        try:
            with stop_on_signals():
                return _run(experiment, built, scores, opened, on_progress, look_again)
        finally:
            opened.close()


def _check(experiment: Experiment, count: int, workers: int | None) -> None:
    errors = [
        f"--{name}: must be at least {least}, not {value}"
        for name, value, least in (("folds", count, 2), ("workers", workers, 1))
        if value is not None and value < least
    ]
    if experiment.fold is not None:
        errors.append(f"--folds: the experiment has fold: {experiment.fold} already; leave out one of the two")
    if errors:
        raise LabError(*errors)


def _fingerprint(experiment: Experiment, count: int, built: Built) -> str:
    """A hash of what the scores depend on."""
    parts = [experiment.identity(), experiment.seed, count, built.data.fingerprint]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def _tags(experiment: Experiment, built: Built, count: int) -> dict[str, str]:
    """What the run and its folds have in common."""
    observer = built.observer
    return provenance.tags() | {
        "lab.experiment": experiment.name,
        "lab.question": experiment.question,
        "lab.task": built.data.task,
        "lab.folds": str(count),
        "data.fingerprint": built.data.fingerprint,
        **baselines.as_tags(observer.main_metric, observer.trivial_name, quick_baseline.name_of(built)),
        **directions.as_tag(observer.directions()),
    }


def _run(
    experiment: Experiment,
    built: Built,
    scores: StoredFoldScores,
    workers: Workers,
    on_progress: OnProgress,
    on_fold: Callable[[], None],
) -> Result:
    started = time.monotonic()
    outbox = Outbox()
    tracker = outbox.tracker(scores.journal)
    known = built.observer.directions()
    tags = _tags(experiment, built, scores.count)
    trainings = _Trainings(experiment, scores, ParentRun(outbox, tracker.id, tags, known), on_progress, on_fold)
    name = " ".join([experiment.name, *experiment.overrides])
    own = {"lab.kind": "cross-validation", "lab.failure": ""}
    tracker.start(experiment.name, f"{scores.count} folds of {name}", experiment.settings(), {**tags, **own})
    tracker.text("config.yaml", experiment.to_yaml())
    artifacts.keep_code(tracker)
    on_progress(scores)
    with suppress(FoldsFailed), recorded_status(outbox, tracker):
        trainings.run(workers)
        _log_results(tracker, scores)
        if scores.failed:
            raise FoldsFailed
    if not scores.finished:
        raise FoldsFailed(failures(scores))
    if not scores.failed:
        scores.forget()
    delivery = outbox.delivery
    run_id = delivery.run_ids.get(tracker.id)
    seconds = time.monotonic() - started
    return Result(
        experiment,
        built.observer.main_metric,
        built.observer.directions().get(built.observer.main_metric, True),
        built.observer.trivial_name,
        quick_baseline.name_of(built),
        scores,
        built.data.notes,
        seconds,
        delivery,
        run_id,
    )


class _Trainings:
    """Trains the folds that have not finished, each recorded as a child run; calls `on_fold` before each of them."""

    def __init__(
        self,
        experiment: Experiment,
        scores: FoldScores,
        parent: ParentRun,
        on_progress: OnProgress,
        on_fold: Callable[[], None],
    ):
        self._experiment = experiment
        self._scores = scores
        self._parent = parent
        self._on_progress = on_progress
        self._on_fold = on_fold
        self._todo = scores.todo()
        self._running: dict[int, ChildRun] = {}  # by the number of the fold

    def run(self, workers: Workers) -> None:
        try:
            run_jobs(workers, self._next_job, self._on_epoch, self._on_outcome)
        finally:
            for child in self._running.values():
                child.end("stopped", "the cross-validation was stopped")
            self._running.clear()

    def _next_job(self) -> Job | None:
        if not self._todo:
            return None
        self._on_fold()
        fold = self._todo.pop(0)
        experiment = self._experiment.of_fold(fold)
        name = " ".join([experiment.name, *experiment.overrides])
        self._running[fold.number] = self._parent.start_child(experiment, name, "fold")
        self._scores.running[fold.number] = 0
        return Job(fold.number, experiment.name, experiment.to_yaml(), test=True, quick_baseline=True)

    def _on_epoch(self, number: int, epoch: int, values: dict[str, float]) -> bool:
        self._running[number].record(epoch, values)
        self._scores.running[number] = epoch
        self._on_progress(self._scores)
        return False

    def _on_outcome(self, outcome: Outcome) -> None:
        """Store the metrics of a fold, and end its run; a fold whose worker was lost is trained again."""
        forget_prepared_data()  # which no other fold has
        number, child = outcome.number, self._running.pop(outcome.number)
        del self._scores.running[number]
        if outcome.metrics:
            child.tracker.metrics(outcome.metrics, child.best_epoch)
        if outcome.state == "finished":
            self._scores.add(number, {**outcome.metrics, "best_epoch": child.best_epoch})
        elif outcome.state == "lost":
            self._todo.append(Fold(number, self._scores.count))
        else:
            self._scores.failed[number] = outcome.reason
        child.end(outcome.state, outcome.reason)
        self._on_progress(self._scores)


def failures(scores: FoldScores) -> str:
    """Which folds failed, and why the first of them did; "" where none did."""
    if not scores.failed:
        return ""
    numbers = ", ".join(map(str, sorted(scores.failed)))
    reason = scores.failed[min(scores.failed)]
    return f"{len(scores.failed)} of {scores.count} folds failed ({numbers}): {reason}"


def _log_results(tracker: Tracker, scores: FoldScores) -> None:
    """Log the mean of each test metric to the run of the cross-validation, with its deviation and its interval."""
    for name in scores.metrics:
        mean = scores.mean(name)
        assert mean is not None
        values = {name: mean.value, f"sd/{name}": mean.deviation, f"low/{name}": mean.low, f"high/{name}": mean.high}
        for baseline in (TRIVIAL, QUICK):
            if of_baseline := scores.mean(f"{baseline}{name}"):
                values[f"{baseline}{name}"] = of_baseline.value
        tracker.metrics({each: value for each, value in values.items() if math.isfinite(value)}, 0)
    tracker.tags({"lab.rule": RULE, "lab.failure": failures(scores)})
