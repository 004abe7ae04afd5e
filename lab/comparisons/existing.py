"""Existing runs, grouped by the settings in which they differ, and compared."""

import json
import math
from collections.abc import Mapping, Sequence

from lab.comparisons import verdicts
from lab.comparisons.comparison import MIN_PAIRS, Comparison
from lab.comparisons.findings import Findings
from lab.comparisons.scores import Scores
from lab.comparisons.verdicts import Verdict
from lab.config import experiment
from lab.errors import LabError, did_you_mean
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun

ALPHA = 0.05
ADVICE = "train them alike, or use --unpaired"
Groups = Mapping[str, list[StoredRun]]


def compare(run_ids: Sequence[str], metric: str, margin: float, unpaired: bool) -> Findings:
    """The verdict on each group of runs against the group of the first run; raises LabError if it is not fair.

    `metric` is that of the best epoch of each run.
    """
    runs = [stored_runs.find(run_id) for run_id in run_ids]
    _check_metric(runs, metric)
    groups = _grouped(runs)
    seeds = _seeds(groups, unpaired)
    scores = Scores()
    for label, members in groups.items():
        by_seed = {int(run.params["seed"]): run for run in members}
        chosen = sorted(by_seed) if unpaired else seeds
        for number, seed in enumerate(chosen, start=1):
            scores.add(label, number, by_seed[seed].metrics[f"at_best/{metric}"], {})
    comparison = _as_comparison(groups, metric, margin)
    higher_is_better = stored_runs.higher_is_better(metric)
    verdict = _welch if unpaired else _paired
    verdicts = {arm: verdict(comparison, scores, arm, higher_is_better) for arm in comparison.challengers}
    return Findings(comparison, higher_is_better, scores, verdicts)


def _check_metric(runs: Sequence[StoredRun], metric: str) -> None:
    for run in runs:
        known = [name.removeprefix("at_best/") for name in run.metrics if name.startswith("at_best/")]
        if metric not in known:
            raise LabError(f"--metric: run {run.id[:8]} has no '{metric}'; {did_you_mean(metric, known)}")


def _grouped(runs: Sequence[StoredRun]) -> dict[str, list[StoredRun]]:
    """The runs by the settings that differ, except the seed; raises LabError if none differs."""
    settings = {name for run in runs for name in run.params if name != "seed"}
    differing = sorted(name for name in settings if len({run.params.get(name) for run in runs}) > 1)
    if not differing:
        raise LabError("these runs differ in nothing but their seeds: there is nothing to compare")
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        label = " ".join(f"{name}={run.params.get(name, '–')}" for name in differing)
        groups.setdefault(label, []).append(run)
    for label, members in groups.items():
        seeds = [run.params["seed"] for run in members]
        if repeated := next((seed for seed in seeds if seeds.count(seed) > 1), None):
            raise LabError(f"{label}: has two runs with seed {repeated}; leave one of them out")
    return groups


def _seeds(groups: Groups, unpaired: bool) -> list[int]:
    """The seeds that all groups share; raises LabError if the runs cannot be paired."""
    every = [run for members in groups.values() for run in members]
    _check_equal(every, "data.fingerprint", "were trained on different data")
    if unpaired:
        return []
    budgets = {run.params.get("trainer.max_epochs") for run in every}
    if len(budgets) > 1:
        known = ", ".join(map(str, budgets))
        raise LabError(f"these runs had different budgets (trainer.max_epochs {known}): {ADVICE}")
    shared = set.intersection(*({int(run.params["seed"]) for run in members} for members in groups.values()))
    if len(shared) < MIN_PAIRS:
        raise LabError(f"only {len(shared)} seeds are in every group, and pairing needs {MIN_PAIRS}: {ADVICE}")
    for seed in shared:
        partners = [run for run in every if int(run.params["seed"]) == seed]
        _check_equal(partners, "data.split_fingerprint", f"of seed {seed} have different splits")
    return sorted(shared)


def _check_equal(runs: Sequence[StoredRun], tag: str, problem: str) -> None:
    if len({run.tags.get(tag) for run in runs}) > 1:
        raise LabError(f"these runs {problem} ({tag}): {ADVICE if 'split' in tag else 'they cannot be compared'}")


def _as_comparison(groups: Groups, metric: str, margin: float) -> Comparison:
    arms = {
        label: experiment.parse(members[0].experiment, members[0].artifact("config.yaml").read_text())
        for label, members in groups.items()
    }
    max_seeds = max(len(members) for members in groups.values())
    on, _, name = metric.partition("/")
    changes: dict[str, dict[str, str]] = {label: {} for label in groups}
    return Comparison(
        name="runs",
        question=json.dumps(list(groups)),
        arms=arms,
        changes=changes,
        metric=name,
        reaches=None,
        on=on,  # type: ignore[arg-type]  # of existing runs, any split
        margin=margin,
        alpha=ALPHA,
        min_seeds=MIN_PAIRS,
        max_seeds=max_seeds,
    )


def _paired(comparison: Comparison, scores: Scores, arm: str, higher_is_better: bool) -> Verdict:
    _, differences = scores.pairs(arm, comparison.control, comparison.max_seeds)
    return verdicts.judge(differences, higher_is_better, comparison.margin, comparison.alpha_per_arm)


def _welch(comparison: Comparison, scores: Scores, arm: str, higher_is_better: bool) -> Verdict:
    one, other = ([s for s in scores.of(name).values() if s is not None] for name in (arm, comparison.control))
    n = min(len(one), len(other))
    if n < 2:
        raise LabError("--unpaired: needs at least 2 runs in each group")
    mean, low, high = verdicts.welch(one, other, comparison.alpha_per_arm)
    state = verdicts.state_of(low, high, higher_is_better, comparison.margin)
    return Verdict(state, n, mean, math.nan, low, high, math.nan, math.nan)
