"""Inspection of a table: its columns, the split that it calls for, and what to watch out for."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab.config.sections import part
from lab.data.encodings.table import Category, Date, Number, TableEncoding
from lab.data.encodings.text import FreeText
from lab.data.loaders import without_weights
from lab.data.reading import column_types
from lab.data.reading.targets import label_lists
from lab.data.samples import Samples
from lab.data.table import Table
from lab.errors import LabError, did_you_mean
from lab.scaffold import leakage, proposed_splits

COMMON_TARGETS = ("target", "label", "class", "y", "outcome")
SENTINELS = (-1, *(sign * (10**digits - 1) for digits in range(1, 7) for sign in (-1, 1)))  # -9, 9, -99, 99, ...
SENTINEL_SHARE = 0.002
MOSTLY = 0.5
WEIGHTS = re.compile(r"(\w+[_ ])?(weights?|wt|wgt|pweight|fnlwgt)", re.IGNORECASE)
LISTED = 0.1  # share of the cells with several labels, from which a column is one of lists
FEW_LABELS = 100
Facts = list[tuple[str, str]]


def settings_of(path: str, target: str | None, names: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The data section for a table with columns of these names; raises LabError if the target is not clear."""
    target = target or _common_target(names)
    wanted = [target] if target in names else [name.strip() for name in target.split(",")]
    if unknown := next((name for name in wanted if name not in names), None):
        raise LabError(f"--target: no column '{unknown}'; {did_you_mean(unknown, names)}")
    return {"kind": "table", "path": path, "target": wanted[0] if len(wanted) == 1 else wanted, **given}


def as_labels(settings: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, str]:
    """`task: multilabel` where the values of the targets say so: several columns of yes and no, or one of lists."""
    if "task" in settings:
        return {}
    targets = settings["target"]
    if isinstance(targets, str):
        return {"task": "multilabel"} if _are_lists(frame[targets]) else {}
    return {"task": "multilabel"} if all(label_lists.are_yes_and_no(frame[name]) for name in targets) else {}


def _are_lists(cells: pd.Series) -> bool:
    """Whether cells are lists of few labels: of Parquet, JSON, or with a separator that many of them have."""
    if label_lists.are_lists(cells):
        return True
    texts = cells.dropna().astype(str).str.strip()
    mark = label_lists.found_separator(texts) if column_types.is_text(cells) else None
    if mark is None or texts.str.contains(mark, regex=False).mean() < LISTED:
        return False
    labels = texts.str.strip("[]").str.split(mark).explode().str.strip()
    return labels.nunique() <= FEW_LABELS and bool((labels.value_counts() > 1).all())


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
    if proposed_splits.overrides_split(given):
        return table, []
    samples = table.read()
    found = proposed_splits.proposal(settings["path"], samples.x, settings["target"])
    if found is None or ("order_by" in found.settings and _sorted_by_class(samples)):
        return table, [("split", hint) for hint in _hints(samples.x)]
    settings |= found.settings
    return _table(settings), [("split", found.reason)]


def _table(settings: Mapping[str, Any]) -> Table:
    table: Table = part("data", {**settings, "batch_size": 1}).build(seed=0)
    return table


def _sorted_by_class(samples: Samples) -> bool:
    """Whether the first and the last third of the rows have mostly different classes."""
    if samples.strata is None:
        return False
    third = max(len(samples.y) // 3, 1)
    parts = (samples.y[:third], samples.y[-third:])
    first, last = (np.bincount(part, minlength=len(samples.class_names)) / third for part in parts)
    return bool(np.abs(first - last).sum() / 2 > MOSTLY)


def _hints(inputs: pd.DataFrame) -> Iterator[str]:
    varied = [name for name in inputs.columns if inputs[name].nunique() > 1]
    dated = [name for name in varied if proposed_splits.times_of(inputs[name]) is not None]
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
    texts = [
        f"{text.name} ({len(text.tokenizer.vocabulary):,} words)"
        for text in encoding.columns
        if isinstance(text, FreeText)
    ]
    kinds = {"numbers": numbers, "categories": categories, "dates": dates, "texts": texts}
    for kind, found in kinds.items():
        if found:
            yield kind, found


def warnings(samples: Samples, data: Table) -> Iterator[str]:
    """What may mislead: copies, columns that give the target away, marks that look like numbers, classes alike."""
    inputs = samples.x.drop(columns=data.rows.not_inputs(), errors="ignore")
    copies = list(_copies_in_test(data))
    columns = samples.y.reshape(len(inputs), -1)
    names = samples.class_names if data.task == "multilabel" else data.predicted
    targets = {f"target {name}": columns[:, index] for index, name in enumerate(names)}
    yield from copies or leakage.duplicate_rows(inputs.assign(**targets))
    for name, y in zip(names, columns.T, strict=True):
        yield from leakage.leaking_columns(inputs, y, name, data.task)
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
    count = proposed_splits.near_copies(train, test)
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
