"""What makes a comparison unfair, in sentences."""

from collections.abc import Sequence

import pandas as pd

from dashboard import selection, words
from dashboard.groups import Group
from lab.tracking.tables import RunTable

COMMIT = "mlflow.source.git.commit"


def warnings(table: RunTable, groups: Sequence[Group]) -> list[str]:
    """A sentence for each thing that the runs of a group, or else all groups together, should share and do not."""
    found = []
    for group in groups:
        if len(group.ids) > 1:
            part = table.only(group.ids)
            found += [f"{group.label}: {problem}" for problem in [*_mixed(part), *_repeated_seeds(part)]]
    if not found and len(groups) > 1:
        found = [f"these runs: {problem}" for problem in _mixed(table)]
    return found


def _mixed(table: RunTable) -> list[str]:
    found = []
    data = _values(table.tags, "data.fingerprint")
    if len(data) > 1:
        found.append(f"{len(data)} different versions of the data (data.fingerprint)")
    budgets = _values(table.params, "trainer.max_epochs")
    if len(budgets) > 1:
        found.append(f"different epoch budgets (trainer.max_epochs: {', '.join(sorted(budgets, key=_order))})")
    commits = _values(table.tags, COMMIT)
    if len(commits) > 1:
        found.append(f"{len(commits)} versions of the code ({', '.join(commit[:7] for commit in commits[:4])})")
    if "True" in _values(table.tags, "git.dirty"):
        found.append("uncommitted changes in the code of some runs")
    return found


def _repeated_seeds(table: RunTable) -> list[str]:
    if selection.SEED not in table.params:
        return []
    seeds = table.params[selection.SEED].dropna().value_counts()
    twice = sorted(str(seed) for seed in seeds[seeds > 1].index)
    return [f"seed {', '.join(twice[:5])} more than once, so its runs count double"] if twice else []


def _values(frame: pd.DataFrame, name: str) -> list[str]:
    return [words.short(str(value), 40) for value in frame[name].dropna().unique()] if name in frame else []


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value
