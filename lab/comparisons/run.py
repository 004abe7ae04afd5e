"""A comparison from its file to its verdicts, tracked."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.comparisons import page
from lab.comparisons.comparison import Comparison
from lab.comparisons.findings import Findings
from lab.comparisons.replicates import Replicates
from lab.comparisons.scores import Plan, StoredScores
from lab.comparisons.statistics.design import RULE, Verdict
from lab.comparisons.time_limit import MEASURED, RESERVE, TimeLimit
from lab.config.experiment import Experiment
from lab.errors import LabError, TrainingFailed, did_you_mean, say
from lab.parallel.child_runs import ParentRun, driver_lock, recorded_status, shared_driver_lock
from lab.parallel.jobs import prepared_data, resolution_of
from lab.parallel.workers import Workers, open_workers
from lab.signals import stop_on_signals
from lab.tracking import store
from lab.tracking.reading import definitions, directions
from lab.tracking.writing.outbox import Delivery, Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.building import build
from lab.training.fine_tuning import start
from lab.training.rehearsal import whole_batch
from lab.training.results import artifacts

OnProgress = Callable[[Findings], None]
IN_EVERY_RUN = {"seconds_per_epoch": False}  # whatever the metrics of its task
PAGE = "comparison.html"  # among the files of its run


@dataclass(frozen=True)
class ComparisonResult:
    """The findings, and where they are recorded."""

    findings: Findings
    seconds: float
    delivery: Delivery
    run_id: str | None
    page: str = ""  # where it can be opened: a path or a command; "" while it is not sent


def run(comparison: Comparison, workers: int | None, on_progress: OnProgress) -> ComparisonResult:
    """Train until every arm is decided, given up, or has the maximum of seeds, or the time is up.

    Continues an interrupted comparison. Raises LabError before anything is written, or once some trainings have shown
    that the time is too short; TrainingFailed if nothing could be trained, or Stopped.
    """
    began = time.monotonic()
    if workers is not None and workers < 1:
        raise LabError(f"--workers: must be at least 1, not {workers}")
    comparison = _with_pinned_weights(comparison)
    known = all_directions(comparison)
    store.check_writable()
    name = f"{comparison.name}-{comparison.fingerprint()}"
    plan = Plan(comparison.max_seeds, comparison.min_seeds, comparison.alpha, comparison.margin)
    scores = StoredScores(name, plan)
    _check_plan(plan, scores)
    arms = [comparison.on_fold(arm) for arm in comparison.arms]
    if comparison.on == "val" and any(arm.combine_with_naive for arm in arms):
        say("combine_with_naive: arms are judged on validation data, by forecasts of the network alone; see on: test")
    control = comparison.arms[comparison.control].name
    with driver_lock(name), shared_driver_lock(control, name, scores.journal) as look_again:
        opened = open_workers(workers, arms)  # before `stop_on_signals`: Ray, too, installs signal handlers
        try:
            with stop_on_signals():
                limit = TimeLimit(comparison.minutes, began, opened.capacity) if comparison.minutes else None
                return _run(comparison, name, known, scores, opened, limit, on_progress, look_again)
        finally:
            opened.close()


def _with_pinned_weights(comparison: Comparison) -> Comparison:
    """The comparison whose arms name the run and the hash of the weights that they start from; raises LabError."""
    arms: dict[str, Experiment] = {}
    for name, arm in comparison.arms.items():
        try:
            arms[name] = start.pinned(arm)
        except LabError as error:
            raise LabError(*(f"arms.{name}: {line}" for line in error.lines)) from None
    return replace(comparison, arms=arms)


def _check_plan(plan: Plan, scores: StoredScores) -> None:
    """Raise LabError where a comparison that has begun would be decided by another rule: more seeds are allowed."""
    begun = scores.plan
    again = f"write that again, or move {scores.path} away to begin anew"
    if plan.least != begun.least:
        seeds = f"{begun.least}..{max(plan.horizon, begun.least)}"
        raise LabError(
            f"seeds: this comparison began with a first look at {begun.least} seeds, which its error rate rests on; "
            f"write {seeds}, or move {scores.path} away to begin anew"
        )
    for name, now, before in (("alpha", plan.alpha, begun.alpha), ("margin", plan.margin, begun.margin)):
        if now != before:
            raise LabError(f"{name}: this comparison began with {before:g}, which its error rate rests on; {again}")


def all_directions(comparison: Comparison) -> dict[str, bool]:
    """The metrics of all arms, and whether higher is better; rehearses every arm, raises LabError with all errors."""
    errors: list[str] = []
    arms: dict[str, _Measured] = {}
    for name in comparison.arms:
        try:
            arm = comparison.on_fold(name)
            built = build(arm, prepared_data(arm))
            whole_batch.rehearse(built)
            arms[name] = _Measured(built.experiment.settings(), {**IN_EVERY_RUN, **built.observer.directions()})
        except LabError as error:
            errors += [f"arms.{name}: {line}" for line in error.lines]
    if errors:
        raise LabError(*errors)
    _check_measure(comparison.metric, arms)
    return {metric: up for each in arms.values() for metric, up in each.directions.items()}


@dataclass(frozen=True)
class _Measured:
    """The settings of an arm, and its metrics with whether higher is better."""

    settings: dict[str, Any]
    directions: dict[str, bool]


def _check_measure(metric: str, arms: Mapping[str, _Measured]) -> None:
    """Raise LabError where the metric is not measured in every arm, or is not the same in all of them."""
    known = {name for arm in arms.values() for name in arm.directions}
    without = [name for name, arm in arms.items() if metric not in arm.directions]
    if metric not in known:
        raise LabError(f"metric: the runs have no '{metric}'; {did_you_mean(metric, known)}")
    if without:
        raise LabError(f"metric: {', '.join(without)} {'has' if len(without) == 1 else 'have'} no '{metric}'")
    if len({arm.directions[metric] for arm in arms.values()}) > 1:
        raise LabError(f"metric: a higher {metric} is better in some arms and worse in others")
    if setting := definitions.differing(metric, [arm.settings for arm in arms.values()]):
        raise LabError(f"metric: the arms differ in {setting}: {metric} is not the same in each; choose another")


def _run(
    comparison: Comparison,
    name: str,
    known: dict[str, bool],
    scores: StoredScores,
    workers: Workers,
    limit: TimeLimit | None,
    on_progress: OnProgress,
    on_round: Callable[[], None],
) -> ComparisonResult:
    started = limit.began if limit else time.monotonic()
    outbox = Outbox()
    tracker = outbox.tracker(scores.journal)
    control = comparison.arms[comparison.control]
    tags = provenance.tags() | {
        "lab.experiment": control.name,
        "lab.question": comparison.question,
        "lab.comparison": name,
        "data.fingerprint": prepared_data(comparison.on_fold(comparison.control)).fingerprint,
        **directions.as_tag(known),
    }
    rises = known[comparison.metric]
    step = resolution_of(comparison.metric, comparison.on_fold(comparison.control), comparison.on)
    design = comparison.design(rises, scores.plan.horizon, step)
    planned = 0

    def findings(verdicts: Mapping[str, Verdict]) -> Findings:
        return Findings(replicates.design, scores, verdicts, comparison.minutes, planned)

    def report(verdicts: Mapping[str, Verdict]) -> None:
        on_progress(findings(verdicts))

    parent = ParentRun(outbox, tracker.id, tags, known)
    replicates = Replicates(comparison, design, rises, scores, parent, report, limit, on_round)
    tracker.start(control.name, f"comparison {comparison.name}", control.settings(), {**tags, "lab.kind": "comparison"})
    artifacts.keep_code(tracker)
    report(replicates.verdicts())
    with recorded_status(outbox, tracker):
        if limit:
            planned = _planned(replicates, scores, limit, workers)
            report(replicates.verdicts())
        found = findings(replicates.run(workers, replicates.design.rule.most))
        _check_trained(found)
        _log_results(tracker, found)
    delivery = outbox.delivery
    run_id = delivery.run_ids.get(tracker.id)
    place = store.place_of(control.name, run_id, PAGE) if run_id else ""
    return ComparisonResult(found, time.monotonic() - started, delivery, run_id, place)


def _planned(replicates: Replicates, scores: StoredScores, limit: TimeLimit, workers: Workers) -> int:
    """Measure some seeds, and plan for as many as fit: before the first look, by the clock alone.

    What was planned when the comparison began stays its horizon. Raises LabError where too few fit.
    """
    rule = replicates.design.rule
    replicates.run(workers, MEASURED)
    arms = replicates.open_arms()
    known = len(scores.of(replicates.design.control))
    fits = limit.fits(scores, arms) if arms else 0
    planned = min(known + fits, rule.most)
    limit.check(planned, rule.least, scores, arms)
    horizon = scores.plan_for(planned) if known <= MEASURED else rule.horizon
    most = min(rule.most, known + math.ceil(RESERVE * fits))
    replicates.design = replace(replicates.design, rule=replace(rule, most=most, horizon=horizon))
    return planned


def _check_trained(findings: Findings) -> None:
    """Raise TrainingFailed if every training of every arm failed: then there is nothing to compare."""
    scores = [score for arm in findings.design.arms for score in findings.scores.of(arm).values()]
    if scores and all(score is None for score in scores):
        raise TrainingFailed("every training of every arm failed; `make mlflow` shows the reasons")


def _log_results(tracker: Tracker, findings: Findings) -> None:
    """Log the data, the page and the verdicts to the comparison's own run."""
    tracker.text("comparison.json", page.as_json(findings))
    tracker.text(PAGE, page.as_html(findings))
    tracker.tags({"lab.rule": RULE})
    for arm, verdict in findings.verdicts.items():
        tracker.tags({f"lab.verdict.{arm}": verdict.state})
        tracker.metrics({f"difference/{arm}": verdict.mean}, verdict.n)
