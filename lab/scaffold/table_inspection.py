"""Inspection of a table: its columns, the split that it calls for, and what to watch out for."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab.config.sections import part
from lab.data.encodings.table import Category, Date, Number, TableEncoding
from lab.data.loaders import without_weights
from lab.data.samples import Samples
from lab.data.table import Table
from lab.errors import LabError, did_you_mean
from lab.scaffold import leakage, table_splits

COMMON_TARGETS = ("target", "label", "class", "y", "outcome")
SENTINELS = (-1, *(sign * (10**digits - 1) for digits in range(1, 7) for sign in (-1, 1)))  # -9, 9, -99, 99, ...
SENTINEL_SHARE = 0.002
MOSTLY = 0.5
WEIGHTS = re.compile(r"(\w+[_ ])?(weights?|wt|wgt|pweight|fnlwgt)", re.IGNORECASE)
Facts = list[tuple[str, str]]


def settings_of(path: str, target: str | None, names: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The data section for a table with columns of these names; raises LabError if the target is not clear."""
    target = target or _common_target(names)
    if target not in names:
        raise LabError(f"--target: no column '{target}'; {did_you_mean(target, names)}")
    return {"kind": "table", "path": path, "target": target, **given}


def _common_target(names: Sequence[str]) -> str:
    """The column with a common name for a target; raises LabError if there is none."""
    found = {name.lower(): name for name in names}
    for name in COMMON_TARGETS:
        if name in found:
            return found[name]
    raise LabError(f"--target: which column is to be predicted? the file has {', '.join(names)}")


def with_split(settings: dict[str, Any], given: Mapping[str, Any]) -> tuple[Table, Facts]:
    """A table with the split that it calls for, which is added to the settings, and facts that say why."""
    table = _table(settings)
    if table_splits.overrides_split(given):
        return table, []
    samples = table.read()
    found = table_splits.proposal(settings["path"], samples.x, settings["target"])
    if found is None or ("order_by" in found.settings and _sorted_by_class(samples)):
        return table, [("split", hint) for hint in _hints(samples.x)]
    settings |= found.settings
    return _table(settings), [("split", found.reason)]


def _table(settings: Mapping[str, Any]) -> Table:
    table: Table = part("data", {**settings, "batch_size": 1}).build(seed=0)
    return table


def _sorted_by_class(samples: Samples) -> bool:
    """Whether the first and the last third of the rows have mostly different classes."""
    if not len(samples.class_names):
        return False
    third = max(len(samples.y) // 3, 1)
    parts = (samples.y[:third], samples.y[-third:])
    first, last = (np.bincount(part, minlength=len(samples.class_names)) / third for part in parts)
    return bool(np.abs(first - last).sum() / 2 > MOSTLY)


def _hints(inputs: pd.DataFrame) -> Iterator[str]:
    varied = [name for name in inputs.columns if inputs[name].nunique() > 1]
    dated = [name for name in varied if table_splits.times_of(inputs[name]) is not None]
    if dated:
        yield f"at random; set data.order_by: {dated[0]} if you will predict for later rows than you train on"


def weights(samples: Samples, data: Table) -> Iterator[str]:
    """A hint on a column that has the name and the values of weights; it may be a weight in kilograms as well."""
    if data.weight is not None:
        return
    for name in map(str, samples.x.columns):
        column = samples.x[name]
        if WEIGHTS.fullmatch(name) and pd.api.types.is_numeric_dtype(column.dtype) and bool((column > 0).all()):
            yield f"'{name}' is a feature; if it says how often a row counts, set data.weight: {name}"


def columns(encoding: TableEncoding) -> Iterator[tuple[str, list[str]]]:
    """The columns by the kind as which they are encoded."""
    numbers = [column.name for column in encoding.columns if isinstance(column, Number)]
    categories = [
        f"{column.name} ({len(column.values)} values{', embedded' if column.embedded else ''})"
        for column in encoding.columns
        if isinstance(column, Category)
    ]
    dates = [column.name for column in encoding.columns if isinstance(column, Date)]
    for kind, found in (("numbers", numbers), ("categories", categories), ("dates", dates)):
        if found:
            yield kind, found


def warnings(samples: Samples, data: Table) -> Iterator[str]:
    """What may mislead: copies, columns that give the target away, marks that look like numbers, classes alike."""
    inputs = samples.x.drop(columns=data.rows.not_inputs(), errors="ignore")
    copies = list(_copies_in_test(data))
    yield from copies or leakage.duplicate_rows(inputs.assign(**{data.target: samples.y.reshape(len(inputs))}))
    yield from leakage.leaking_columns(inputs, samples.y, data.target, data.task)
    for name in inputs.columns:
        yield from _sentinels(inputs[name])
    yield from _similar("classes", samples.class_names)
    for column in data.encoding.columns:
        if isinstance(column, Category):
            yield from _similar(f"'{column.name}':", column.values)


def _copies_in_test(data: Table) -> Iterator[str]:
    train, test = (without_weights(data.splits[split]).x.numpy() for split in ("train", "test"))
    if len(train) > leakage.MAX_ROWS_COMPARED:
        return
    count = table_splits.near_copies(train, test)
    if count:
        yield f"{count:,} of {len(test):,} test rows have the inputs of a training row: new rows are harder than these"


def _sentinels(column: pd.Series) -> Iterator[str]:
    """A warning if a number such as -999 repeats far from all others."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return
    values = column.dropna().to_numpy(dtype=float)
    for mark in SENTINELS:
        count = int((values == mark).sum())
        others = values[values != mark]
        if count < max(2, SENTINEL_SHARE * len(values)) or len(others) < 2:
            continue
        gap = min(abs(others.min() - mark), abs(others.max() - mark))
        if not others.min() <= mark <= others.max() and gap > np.ptp(others):
            yield (
                f"column '{column.name}' is {mark:g} in {count:,} rows, far from all others: if that means missing, "
                f"set data.missing: ['', NA, {mark:g}]"
            )


def _similar(what: str, names: Iterable[object]) -> Iterator[str]:
    """A warning for classes, or values of a column, that differ in case or spaces alone."""
    alike: dict[str, list[str]] = {}
    for name in map(str, names):
        alike.setdefault(re.sub(r"[\s_-]+", "", name).casefold(), []).append(name)
    for same in alike.values():
        if len(same) > 1:
            yield f"{what} {' and '.join(map(repr, same))} differ in case or spaces alone: are they the same?"
