"""Inspection of texts: which column of a table has them, and what to watch out for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lab.data.encodings.text import TEXT_FILE
from lab.data.reading import column_types, table_files
from lab.data.splitting import given_splits
from lab.data.text import fitting
from lab.data.text.texts import Text
from lab.errors import LabError, did_you_mean
from lab.scaffold.proposed_splits import overrides_split, proposal, repeats_identifiers
from lab.scaffold.table_inspection import COMMON_TARGETS

READERS = ("bag", "textcnn", "conv1d", "lstm", "gru", "transformer")
LEAST_WORDS = 4  # in a text, on average
LEAST_DIFFERENT = 0.5  # share of the texts
MAX_CELLS = 2_000  # that are looked at


def is_one_text(path: Path) -> bool:
    """Whether a file is a .txt file that has no rows of several columns."""
    if path.suffix.lower() != TEXT_FILE or not path.is_file():
        return False
    try:
        return len(table_files.read_table(str(path)).columns) == 1
    except LabError:
        return True


def text_columns(frame: pd.DataFrame, target: str | None = None) -> list[str]:
    """The columns of free text, those with the longest texts first: several words a cell, mostly different ones."""
    lengths = {str(name): _words(frame[name]) for name in frame.columns if str(name) != target}
    found = [name for name, words in lengths.items() if words >= LEAST_WORDS]
    return sorted(found, key=lambda name: -lengths[name])


def _words(column: pd.Series) -> float:
    """The mean number of words of a column of free text, 0 for any other column."""
    cells = column.dropna().head(MAX_CELLS)
    if not len(cells) or not column_types.is_text(cells) or not all(isinstance(cell, str) for cell in cells):
        return 0.0
    if cells.nunique() < LEAST_DIFFERENT * len(cells) or column_types.infer_date(cells) is not None:
        return 0.0
    return float(cells.str.split().str.len().mean())


def is_text(frame: pd.DataFrame, target: str | None, model: str | None = None) -> bool:
    """Whether the rows of a table are texts: a column of them, and none beside it from which a table would predict.

    Or a `model` is chosen that reads tokens alone.
    """
    target = target or _common_target(frame)
    found = text_columns(frame, target)
    if model in READERS:
        return bool(found)
    return bool(found) and not _inputs(frame.drop(columns=[*found, target], errors="ignore"))


def beside_others(frame: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """The columns of free text of a table, as `data.text`, that the settings do not use otherwise."""
    used = {name for value in settings.values() for name in ([value] if isinstance(value, str) else _as_list(value))}
    found = [name for name in text_columns(frame) if name not in used]
    return {"text": found} if found and "text" not in settings else {}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _inputs(frame: pd.DataFrame) -> list[str]:
    """The columns from which a table would predict: no identifiers, and none that say how to split the rows."""
    try:
        findings = column_types.infer(frame, {}, column_types.Settings())
    except LabError:
        return [str(name) for name in frame.columns]
    names = [finding.name for finding in findings if not finding.dropped]
    return [name for name in names if not (given_splits.is_column(frame[name]) or repeats_identifiers(frame[name]))]


def settings_of(path: str, target: str | None, frame: pd.DataFrame, given: Mapping[str, Any]) -> dict[str, Any]:
    """The data section for a table with a column of texts: that, the target, and the split that it calls for."""
    names = [str(name) for name in frame.columns]
    target = target or _common_target(frame)
    text = given.get("text") or next(iter(text_columns(frame, target)), None)
    rest = [name for name in names if name != text]
    target = target or (rest[0] if len(rest) == 1 else None)
    if target is None or target not in names:
        hint = did_you_mean(target, names) if target else f"the file has {', '.join(names)}"
        raise LabError(f"--target: {f'no column {target!r}' if target else 'which column is to be predicted?'}; {hint}")
    if text is None:
        raise LabError(f"data.text: which column has the texts? the file has {', '.join(names)}")
    settings = {"kind": "text", "path": path, "text": text, "target": target}
    split = None if overrides_split(given) else proposal(path, frame.drop(columns=[text, target]), target)
    return settings | (dict(split.settings) if split else {}) | dict(given)


def _common_target(frame: pd.DataFrame) -> str | None:
    """The column with a common name for a target, if there is one."""
    found = {str(name).lower(): str(name) for name in frame.columns}
    return next((found[name] for name in COMMON_TARGETS if name in found), None)


def for_a_bag(data: Text, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a tokenizer whose tokens need no order, unless the user has chosen one."""
    if {"tokenizer", "ngrams", "pairs", "buckets"} & given.keys():
        return {}
    found = fitting.for_a_bag(data.texts)
    short = {"ngrams": found.ngrams} if found.ngrams != fitting.Settings().ngrams else {}
    return short | {"pairs": found.pairs, "buckets": found.buckets}


def facts(data: Text) -> Iterator[tuple[str, str]]:
    """How many texts there are, and how long they are."""
    longest = max(len(text.split()) for text in data.texts)
    yield (
        "texts",
        f"{len(data.texts):,}, of {fitting.usual_words(data.texts):.0f} words in the median, {longest:,} at most",
    )


def warnings(data: Text) -> list[str]:
    """Copies of texts in several splits, which make test results too good."""
    train = {data.texts[index] for index in data.split_indices["train"].tolist()}
    held_out = [data.texts[index] for split in ("val", "test") for index in data.split_indices[split].tolist()]
    count = sum(text in train for text in held_out)
    if not count:
        return []
    texts = f"{count:,} validation or test texts are" if count > 1 else "one validation or test text is"
    return [f"{texts} in the training split too: copies inflate the test score; remove them unless they are real"]
