"""What is measured of each kind: its sets, how the lab gets them, its score, and the others on the same rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.quality.baselines import supervised
from benchmarks.quality.scores import Score
from benchmarks.quality.sets.tables import TABLES, Table

from lab.data.base import DataModule

Metrics = Mapping[str, float]
MOST_NUMBERS = 10  # distinct numbers of a target that are classes
TABLE_NOTE = "Linear is logistic regression, or ridge regression by cross-validation."


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    `write` writes a set into the current folder and gives the path and target for `lab new`; `score` is the lab's, from
    its test metrics; `others` yields those of the baselines, of the set's split with a seed. `described` gives a set's
    size, and what its score is.
    """

    sets: Mapping[str, Any]
    write: Callable[[str, Any], tuple[str, str | None]]
    score: Callable[[Any, Metrics], float]
    others: Callable[[str, Any, DataModule, int], Iterator[Score]]
    methods: tuple[str, ...]
    described: Callable[[Any], tuple[str, str]]
    note: str
    higher_is_better: bool = True


def _write_table(name: str, table: Table) -> tuple[str, str]:
    table.read().to_csv(f"{name}.csv", index=False)
    return f"{name}.csv", table.target


def _accuracy_or_r2(_: Any, metrics: Metrics) -> float:
    return metrics["test/accuracy"] if "test/accuracy" in metrics else metrics["test/r2"]


def _table_scores(name: str, table: Table, data: DataModule, seed: int) -> Iterator[Score]:
    frame = table.read()
    x, y = supervised.as_columns(frame.drop(columns=table.target)), frame[table.target].to_numpy()
    learnt, tested = rows(data)
    classes = data.task == "classification"
    split = supervised.Split(x.iloc[learnt], y[learnt], x.iloc[tested], y[tested], classes)
    return supervised.scores(name, split, seed, supervised.TABLE_METHODS)


def _size_of_table(table: Table) -> tuple[str, str]:
    frame = table.read()
    classes = frame[table.target].nunique()
    many = pd.api.types.is_numeric_dtype(frame[table.target].dtype) and classes > MOST_NUMBERS
    size = f"{len(frame):,} × {frame.shape[1] - 1}"
    return (size, "R²") if many else (f"{size}, {classes} classes", "accuracy")


def rows(data: DataModule) -> tuple[np.ndarray, np.ndarray]:
    """The rows that a method may learn from, which are the lab's for training and validation, and those of the test."""
    split = data.split_indices
    return np.concatenate([split["train"], split["val"]]), split["test"]


KINDS: Mapping[str, Kind] = {
    "tables": Kind(
        TABLES,
        _write_table,
        _accuracy_or_r2,
        _table_scores,
        tuple(supervised.TABLE_METHODS),
        _size_of_table,
        TABLE_NOTE,
    ),
}
