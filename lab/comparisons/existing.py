"""Existing runs, of the lab or of other tools, grouped by the settings in which they differ, and compared."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.comparisons.comparison import MIN_PAIRS
from lab.comparisons.findings import Findings
from lab.comparisons.scores import Scores
from lab.comparisons.statistics import verdicts
from lab.comparisons.statistics.design import Design, Rule, Verdict
from lab.config.experiment import after_training
from lab.errors import LabError, did_you_mean
from lab.tracking import store
from lab.tracking.reading import definitions, directions, stored_runs
from lab.tracking.reading.metric_names import TEST, TRAIN, VALIDATION, split_of
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.summaries import best_value
from lab.tracking.reading.tables import open_tables

ALPHA = 0.05
ADVICE = "train them alike, or use --unpaired"
BUDGETS = ("trainer.max_epochs", "max_epochs", "epochs")
Reduction = Literal["best", "last"]
Groups = Mapping[str, list[StoredRun]]


@dataclass(frozen=True)
class How:
    """How runs are compared; None where that is to be found out from the runs."""

    metric: str = "val/accuracy"
    margin: float = 0.0
    unpaired: bool = False
    reduce: Reduction | None = None  # the value of a run: by default that of its best epoch, which the lab records
    higher_is_better: bool | None = None


def compare(run_ids: Sequence[str], how: How) -> Findings:
    """The verdict on each group of runs against the group of the first run; raises LabError if it is not fair.

    A run that failed counts as the worst outcome.
    """
    runs = [stored_runs.find(run_id) for run_id in run_ids]
    if repeated := next((run for run in runs if sum(other.id == run.id for other in runs) > 1), None):
        raise LabError(f"run {repeated.id[:8]} is named twice; leave one of them out")
    _check_ended(runs)
    _check_equal(runs, "data.fingerprint", "were trained on different data")
    _check_metric(runs, how.metric)
    higher_is_better = _direction(runs, how)
    values = {run.id: _value(run, how, higher_is_better) for run in runs}
    groups = _grouped(runs)
    scores = _scores(groups, values, [] if how.unpaired else _shared_seeds(groups))
    most = max(len(members) for members in groups.values())
    rule = Rule(higher_is_better, how.margin, ALPHA, MIN_PAIRS, most)
    question = f"Which of {len(groups)} groups of runs is best?"
    design = Design("runs", question, tuple(groups), {label: {} for label in groups}, how.metric, rule)
    judge = _unpaired if how.unpaired else _paired
    return Findings(design, scores, _all_verdicts(design, lambda arm, alpha: judge(design, scores, arm, alpha)))


def _check_ended(runs: Sequence[StoredRun]) -> None:
    for run in runs:
        if run.status not in ("FINISHED", "FAILED"):
            raise LabError(f"run {run.id[:8]} is {run.status}: only runs that ended by themselves can be compared")


def _check_metric(runs: Sequence[StoredRun], metric: str) -> None:
    known = {name.removeprefix("at_best/") for run in runs for name in run.metrics}
    if metric not in known:
        raise LabError(f"--metric: run {runs[0].id[:8]} has no '{metric}'; {did_you_mean(metric, known)}")
    if setting := definitions.differing(metric, [run.params for run in runs]):
        raise LabError(f"--metric: these runs differ in {setting}: {metric} is not the same in each; choose another")
    if split_of(metric)[0] in (TRAIN, VALIDATION) and (setting := _not_shown([run.params for run in runs])):
        raise LabError(
            f"--metric: these runs differ in {setting}, which acts once the network is trained; "
            "choose a metric of the test"
        )


def _not_shown(runs: Sequence[Mapping[str, str]]) -> str:
    """The first setting in which the params of runs differ, and which no epoch shows; "" where there is none."""
    first, *others = map(after_training, runs)
    return next((name for name, value in first.items() if any(other[name] != value for other in others)), "")


def _direction(runs: Sequence[StoredRun], how: How) -> bool:
    """Whether a higher value is better: as the runs say, else as a known name says, else as the user says."""
    recorded = directions.of_runs(how.metric, [run.tags for run in runs], [run.metrics for run in runs])
    said = how.higher_is_better
    if directions.contradictory(how.metric, [run.tags.get(directions.TAG) for run in runs]):
        raise LabError(f"--metric: a higher {how.metric} is better in some of these runs and worse in others")
    if recorded is None and said is None:
        raise LabError(
            f"--metric: nothing says whether a higher {how.metric} is better; "
            "add --higher-is-better or --lower-is-better"
        )
    if recorded is not None and said is not None and recorded != said:
        known = "higher" if recorded else "lower"
        raise LabError(f"--metric: {how.metric} is better when it is {known}; leave out the option that says otherwise")
    return bool(said if recorded is None else recorded)


def _value(run: StoredRun, how: How, higher_is_better: bool) -> float | None:
    """The value of a run that is compared; None where its training failed or diverged."""
    if run.status == "FAILED":
        return None
    value = _of_best_epoch(run, how.metric) if how.reduce is None else _reduced(run, how, higher_is_better)
    return value if math.isfinite(value) else None


def _of_best_epoch(run: StoredRun, metric: str) -> float:
    known = [name.removeprefix("at_best/") for name in run.metrics if name.startswith("at_best/")]
    if metric in known:
        return run.metrics[f"at_best/{metric}"]
    if split_of(metric)[0] == TEST and metric in run.metrics:  # a run is tested once, at its best epoch
        return run.metrics[metric]
    if metric in run.metrics:
        raise LabError(
            f"--metric: run {run.id[:8]} does not say which of its epochs is the best; "
            "add --reduce last or --reduce best"
        )
    raise LabError(f"--metric: run {run.id[:8]} has no '{metric}'; {did_you_mean(metric, known or run.metrics)}")


def _reduced(run: StoredRun, how: How, higher_is_better: bool) -> float:
    if how.metric not in run.metrics:
        raise LabError(f"--metric: run {run.id[:8]} has no '{how.metric}'; {did_you_mean(how.metric, run.metrics)}")
    if how.reduce == "last":
        return run.metrics[how.metric]
    return best_value(open_tables().histories([run.id], [how.metric])["value"], higher_is_better)


def _grouped(runs: Sequence[StoredRun]) -> dict[str, list[StoredRun]]:
    """The runs by the settings that differ, except the seed; raises LabError if none differs."""
    ignored = (*store.SEED_PARAMS, *store.RECORDING_PARAMS)
    settings = {name for run in runs for name in run.params if name not in ignored}
    differing = sorted(name for name in settings if len({run.params.get(name) for run in runs}) > 1)
    if "fold" in differing:
        raise LabError(
            "these runs were tested on different folds, whose scores are not independent; `folds: 5` in a file in "
            "experiments/comparisons/ pairs by seed and fold"
        )
    if not differing:
        raise LabError("these runs differ in nothing but their seeds: there is nothing to compare")
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        label = " ".join(f"{name}={run.params.get(name, '–')}" for name in differing)
        groups.setdefault(label, []).append(run)
    return groups


def _shared_seeds(groups: Groups) -> list[str]:
    """The seeds that all groups share, in order; raises LabError if the runs cannot be paired."""
    every = [run for members in groups.values() for run in members]
    seeds = {run.id: _seed(run) for run in every}
    for label, members in groups.items():
        of_group = [seeds[run.id] for run in members]
        if repeated := next((seed for seed in of_group if of_group.count(seed) > 1), None):
            raise LabError(f"{label}: has two runs with seed {repeated}; leave one of them out")
    budgets = {_param(run, BUDGETS) for run in every}
    if len(budgets) > 1:
        known = ", ".join(map(str, budgets))
        raise LabError(f"these runs had different budgets (trainer.max_epochs {known}): {ADVICE}")
    shared = set.intersection(*({seeds[run.id] for run in members} for members in groups.values()))
    if len(shared) < MIN_PAIRS:
        raise LabError(f"only {len(shared)} seeds are in every group, and pairing needs {MIN_PAIRS}: {ADVICE}")
    for seed in shared:
        partners = [run for run in every if seeds[run.id] == seed]
        _check_equal(partners, "data.split_fingerprint", f"of seed {seed} have different splits")
    return sorted(shared, key=lambda seed: (len(seed), seed))


def _seed(run: StoredRun) -> str:
    seed = _param(run, store.SEED_PARAMS)
    if seed is None:
        raise LabError(
            f"run {run.id[:8]} records no seed to pair by (a param {' or '.join(store.SEED_PARAMS)}); use --unpaired"
        )
    return seed


def _param(run: StoredRun, names: Sequence[str]) -> str | None:
    return next((run.params[name] for name in names if name in run.params), None)


def _check_equal(runs: Sequence[StoredRun], tag: str, problem: str) -> None:
    if len({run.tags[tag] for run in runs if tag in run.tags}) > 1:  # runs of other tools have none
        raise LabError(f"these runs {problem} ({tag}): {ADVICE if 'split' in tag else 'they cannot be compared'}")


def _scores(groups: Groups, values: Mapping[str, float | None], seeds: Sequence[str]) -> Scores:
    """The values by group and number: of the shared `seeds` in their order, else of all runs as they come."""
    scores = Scores()
    for label, members in groups.items():
        chosen = members if not seeds else [run for seed in seeds for run in members if _seed(run) == seed]
        for number, run in enumerate(chosen, start=1):
            value = values[run.id]
            scores.add(label, number, math.nan if value is None else value, {})
    return scores


def _all_verdicts(design: Design, judge: Callable[[str, float], Verdict]) -> dict[str, Verdict]:
    """The verdict on each arm, by the procedure of Holm (1979).

    Each arm is judged at alpha divided by the number of arms not yet found better or worse; "practically equal" at
    alpha divided by all arms.
    """
    arms = design.challengers
    found: dict[str, Verdict] = {}
    while True:
        open_arms = [arm for arm in arms if arm not in found]
        judged = {arm: judge(arm, ALPHA / len(open_arms)) for arm in open_arms}
        differing = {arm: verdict for arm, verdict in judged.items() if verdict.differs}
        if not differing or len(differing) == len(open_arms):
            equal = {arm: judge(arm, ALPHA / len(arms)) for arm in judged if judged[arm].state == "practically equal"}
            return {arm: (found | judged | equal)[arm] for arm in arms}
        found |= differing


def _paired(design: Design, scores: Scores, arm: str, alpha: float) -> Verdict:
    return verdicts.of_fixed_runs(scores.pairs(arm, design.control), design.rule, alpha)


def _unpaired(design: Design, scores: Scores, arm: str, alpha: float) -> Verdict:
    one, other = (list(scores.of(name).values()) for name in (arm, design.control))
    if min(len(one), len(other)) < 2:
        raise LabError("--unpaired: needs at least 2 runs in each group")
    return verdicts.of_unpaired_runs(one, other, design.rule, alpha)
