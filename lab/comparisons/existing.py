"""Runs that exist already, grouped by the settings in which they differ, and compared."""

import json
import math
from collections.abc import Mapping, Sequence

from lab.comparisons import statistics
from lab.comparisons.comparison import FEWEST, Comparison
from lab.comparisons.findings import Findings, Scores
from lab.comparisons.statistics import Verdict
from lab.config import experiment
from lab.errors import LabError, did_you_mean
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun

ALPHA = 0.05
Groups = Mapping[str, list[StoredRun]]


def compare(run_ids: Sequence[str], metric: str, margin: float, unpaired: bool) -> Findings:
    """The verdict on each group of runs against that of the first run; raises LabError where it is not fair.

    `metric` is read at the best epoch of each run.
    """
    runs = [stored_runs.find(run_id) for run_id in run_ids]
    _check_metric(runs, metric)
    groups = _grouped(runs)
    seeds = _seeds(groups, unpaired)
    scores = Scores()
    for label, members in groups.items():
        by_seed = {int(run.params["seed"]): run for run in members}
        chosen = sorted(by_seed) if unpaired else seeds
        for place, seed in enumerate(chosen, start=1):
            scores.keep(label, place, by_seed[seed].metrics[f"at_best/{metric}"], {})
    compared = _as_comparison(groups, metric, margin)
    higher_is_better = stored_runs.higher_is_better(metric)
    verdict = _welch if unpaired else _paired
    verdicts = {arm: verdict(compared, scores, arm, higher_is_better) for arm in compared.challengers}
    return Findings(compared, higher_is_better, scores, verdicts)


def _check_metric(runs: Sequence[StoredRun], metric: str) -> None:
    for run in runs:
        known = [name.removeprefix("at_best/") for name in run.metrics if name.startswith("at_best/")]
        if metric not in known:
            raise LabError(f"--metric: run {run.id[:8]} has no '{metric}'; {did_you_mean(metric, known)}")


def _grouped(runs: Sequence[StoredRun]) -> dict[str, list[StoredRun]]:
    """Runs by the settings that differ, seeds apart; raises LabError where there is nothing to compare."""
    settings = {name for run in runs for name in run.params if name != "seed"}
    differing = sorted(name for name in settings if len({run.params.get(name) for run in runs}) > 1)
    if not differing:
        raise LabError("these runs have the same settings but for their seeds: there is nothing to compare")
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        label = " ".join(f"{name}={run.params.get(name, '–')}" for name in differing)
        groups.setdefault(label, []).append(run)
    for label, members in groups.items():
        seeds = [run.params["seed"] for run in members]
        if twice := next((seed for seed in seeds if seeds.count(seed) > 1), None):
            raise LabError(f"{label}: has seed {twice} twice; leave one of the two runs out")
    return groups


def _seeds(groups: Groups, unpaired: bool) -> list[int]:
    """The seeds that all groups share; raises LabError where runs cannot be paired."""
    everyone = [run for members in groups.values() for run in members]
    _same(everyone, "data.fingerprint", "were trained on different data")
    if unpaired:
        return []
    budgets = {run.params.get("trainer.max_epochs") for run in everyone}
    if len(budgets) > 1:
        raise LabError(f"these runs had different budgets (trainer.max_epochs {', '.join(map(str, budgets))}): {HOW}")
    shared = set.intersection(*({int(run.params["seed"]) for run in members} for members in groups.values()))
    if len(shared) < FEWEST:
        raise LabError(f"only {len(shared)} seeds are in every group, and pairing needs {FEWEST}: {HOW}")
    for seed in shared:
        partners = [run for run in everyone if int(run.params["seed"]) == seed]
        _same(partners, "data.split_fingerprint", f"of seed {seed} have different splits")
    return sorted(shared)


HOW = "train them alike, or use --unpaired"


def _same(runs: Sequence[StoredRun], tag: str, complaint: str) -> None:
    if len({run.tags.get(tag) for run in runs}) > 1:
        raise LabError(f"these runs {complaint} ({tag}): {HOW if 'split' in tag else 'they cannot be compared'}")


def _as_comparison(groups: Groups, metric: str, margin: float) -> Comparison:
    arms = {
        label: experiment.parse(members[0].experiment, members[0].artifact("config.yaml").read_text())
        for label, members in groups.items()
    }
    most = max(len(members) for members in groups.values())
    on, _, name = metric.partition("/")
    changes: dict[str, dict[str, str]] = {label: {} for label in groups}
    kept = {"metric": name, "reaches": None, "on": on, "margin": margin, "alpha": ALPHA, "least": FEWEST, "most": most}
    return Comparison("runs", json.dumps(list(groups)), arms, changes, **kept)  # type: ignore[arg-type]


def _paired(compared: Comparison, scores: Scores, arm: str, higher_is_better: bool) -> Verdict:
    _, differences = scores.pairs(arm, compared.control, compared.most)
    return statistics.judge(differences, higher_is_better, compared.margin, compared.alpha_per_arm)


def _welch(compared: Comparison, scores: Scores, arm: str, higher_is_better: bool) -> Verdict:
    one, other = ([s for s in scores.of(name).values() if s is not None] for name in (arm, compared.control))
    n = min(len(one), len(other))
    if n < 2:
        raise LabError("--unpaired: needs at least 2 runs in each group")
    mean, low, high = statistics.welch(one, other, compared.alpha_per_arm)
    state = statistics.state_of(low, high, higher_is_better, compared.margin)
    return Verdict(state, n, mean, math.nan, low, high, math.nan, math.nan)
