"""Which runs are meant, in what they differ, and how to call them by that."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from dashboard import words
from lab.tracking.reading.run_table import RunTable

SEED = "seed"
SHORTEST_ID = 8
LONGEST_LABEL = 60


def resolved(table: RunTable, written: str) -> tuple[list[str], list[str]]:
    """The ids that a list such as `5f7b7c1e,dedd5428` means, and its entries that mean no run."""
    entries = list(dict.fromkeys(entry for entry in written.split(",") if entry))
    if not entries:
        return [], []
    beginnings: dict[str, str] = {}
    for run in reversed(table.ids):
        beginnings[run[:SHORTEST_ID]] = run
    found, missing = [], []
    for entry in entries:
        run = entry if entry in table.info.index else beginnings.get(entry[:SHORTEST_ID], "")
        if run.startswith(entry) and len(entry) >= SHORTEST_ID:
            found.append(run)
        else:
            missing.append(words.short(entry, 32))
    return list(dict.fromkeys(found)), missing


def written(ids: Iterable[str], table: RunTable) -> str:
    """A list of ids as short as it can be in an address."""
    shared = Counter(run[:SHORTEST_ID] for run in table.ids)
    return ",".join(run[:SHORTEST_ID] if shared[run[:SHORTEST_ID]] == 1 else run for run in ids)


def differing(params: pd.DataFrame) -> list[str]:
    """The settings that are not the same in all runs; one that only some have differs too."""
    return [name for name in params if params[name].nunique(dropna=False) > 1]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name by its last part, where no other ends so."""
    last = Counter(name.rpartition(".")[2] for name in names)
    return {name: tail if last[tail := name.rpartition(".")[2]] == 1 else name for name in names}


def settings_text(values: pd.Series, names: dict[str, str]) -> str:
    """The values of one run, such as `lr=0.01 hidden=64`."""
    present = {name: value for name, value in values.items() if not pd.isna(value)}
    return " ".join(f"{names[str(name)]}={words.short(str(value), 24)}" for name, value in present.items())


def labels(table: RunTable) -> dict[str, str]:
    """A name for each run by what it differs in; its experiment, its name or its id where that is not enough."""
    names = [name for name in differing(table.params) if not name.startswith("search.")]
    several = table.info["experiment"].nunique() > 1
    # model.kind and its like follow from the experiment; five settings are as many as a legend can hold
    chosen = _most_telling(table.params[names], 5)
    shortened = short_names(chosen)
    found = {}
    for run in table.ids:
        parts = [table.info.at[run, "experiment"]] if several else []
        parts.append(settings_text(table.params.loc[run, chosen], shortened))
        text = words.short(" ".join(part for part in parts if part), LONGEST_LABEL)
        found[run] = text or table.info.at[run, "name"] or run[:SHORTEST_ID]
    repeated = Counter(found.values())
    return {run: f"{text} · {run[:SHORTEST_ID]}" if repeated[text] > 1 else text for run, text in found.items()}


def _most_telling(params: pd.DataFrame, most: int) -> list[str]:
    """At most so many columns: those that most runs have, the seed last."""
    order = sorted(params, key=lambda name: (name == SEED, int(params[name].isna().sum())))
    chosen = order[:most]
    return [name for name in order if name in chosen]


def numeric(column: pd.Series) -> pd.Series:
    """Settings as numbers, where all are."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().sum() == column.notna().sum() else column


def higher_is_better(metric: str) -> bool:
    """Whether more of a metric is better, by its name."""
    last = metric.rpartition("/")[2].lower()
    return any(
        word in last for word in ("acc", "f1", "auc", "auroc", "r2", "precision", "recall", "score", "per_second")
    )
