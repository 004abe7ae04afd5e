"""What the runs of a comparison should share and do not: data, budget, code, and each seed once."""

from collections.abc import Sequence

import pandas as pd

from dashboard import selection, text
from dashboard.compare.comparison import COMMIT, Group
from lab.tracking.reading.run_table import RunTable


def fairness_warnings(table: RunTable, groups: Sequence[Group]) -> list[str]:
    """A sentence for each thing that the runs of a group, or of all groups, should share and do not."""
    warnings = []
    for group in groups:
        if len(group.ids) > 1:
            part = table.only(group.ids)
            warnings += [f"{group.label}: {problem}" for problem in [*_differences(part), *_repeated_seeds(part)]]
    if not warnings and len(groups) > 1:
        warnings = [f"these runs: {problem}" for problem in _differences(table)]
    return warnings


def _differences(table: RunTable) -> list[str]:
    """Differences in data, training budget and code."""
    found = []
    data = _distinct(table.tags, "data.fingerprint")
    if len(data) > 1:
        found.append(f"{len(data)} different versions of the data (data.fingerprint)")
    budgets = _distinct(table.params, "trainer.max_epochs")
    if len(budgets) > 1:
        found.append(
            f"different epoch budgets (trainer.max_epochs: {', '.join(sorted(budgets, key=text.numbers_first))})"
        )
    commits = _distinct(table.tags, COMMIT)
    if len(commits) > 1:
        found.append(f"{len(commits)} versions of the code ({', '.join(commit[:7] for commit in commits[:4])})")
    if "True" in _distinct(table.tags, "git.dirty"):
        found.append("uncommitted changes in the code of some runs")
    return found


def _repeated_seeds(table: RunTable) -> list[str]:
    if selection.SEED not in table.params:
        return []
    counts = table.params[selection.SEED].dropna().value_counts()
    repeated = sorted(str(seed) for seed in counts[counts > 1].index)
    return [f"seed {', '.join(repeated[:5])} more than once, so its runs are counted twice"] if repeated else []


def _distinct(frame: pd.DataFrame, name: str) -> list[str]:
    return [text.truncate(str(value), 40) for value in frame[name].dropna().unique()] if name in frame else []
