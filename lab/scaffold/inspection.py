"""Inspection of your data: its kind, its settings, what is in it, and what to watch out for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lab.config import schema
from lab.config.sections import part
from lab.data.base import DataModule
from lab.data.encodings.table import Category, Date, TableEncoding
from lab.data.reading import column_types, table_files
from lab.errors import LabError, did_you_mean
from lab.scaffold import leakage, series_inspection

KINDS = ("table", "series", "arrays", "images")
OPTIONS = {  # settings that have an option of the command line
    "path": "--data",
    "x": "--data",
    "target": "--target",
    "targets": "--target",
    "y": "--target",
    "kind": "--kind",
}
READING = ("separator", "text_encoding")  # settings that are needed to read a file
COMMON_TARGETS = ("target", "label", "class", "y", "outcome")
IMBALANCED = 0.8  # share of the largest class from which accuracy misleads
MAX_LISTED = 8  # names in one line


@dataclass(frozen=True)
class Inspection:
    """The data section of an experiment, its data module, facts as (label, text), and warnings."""

    settings: dict[str, Any]
    data: DataModule
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The number of training samples."""
        return len(self.data.splits["train"])  # type: ignore[arg-type]


def inspect(path: str, target: str | None, kind: str | None, given: Mapping[str, Any]) -> Inspection:
    """Inspect a file or folder, with the `given` data settings; raises LabError if it cannot be used as it is."""
    if not isinstance(given, Mapping):
        raise LabError(f"data: must be a mapping, not {given!r}")
    for name in OPTIONS.keys() & given.keys():
        raise LabError(f"data.{name}: use {OPTIONS[name]} instead")
    kind = kind or kind_of(path, target, given)
    return {"table": _table, "series": _series, "arrays": _arrays, "images": _images}[kind](path, target, given)


def check_kind(kind: str | None) -> None:
    """Raise LabError for an unknown kind of data."""
    if kind is not None and kind not in KINDS:
        raise LabError(f"--kind: no such kind '{kind}'; {did_you_mean(kind, KINDS)}")


def kind_of(path: str, target: str | None, given: Mapping[str, Any]) -> str:
    """The kind of data at a path: by its suffix, and for rows by whether they are regular in time."""
    location = Path(path).expanduser()
    if location.is_dir():
        return "images"
    if location.suffix.lower() in (".npz", ".npy"):
        return "arrays"
    return "series" if series_inspection.is_series(_read(path, given), target) else "table"


def _read(path: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a file, read with the settings given for it."""
    settings = {name: given[name] for name in READING if name in given}
    errors = schema.check(table_files.read_table, settings, "data", ("path",))
    if errors:
        raise LabError(*errors)
    return table_files.read_table(path, **settings)


def _table(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    frame = _read(path, given)
    target = target or _common_target(frame)
    column_types.check_names([target], frame, "--target")
    settings = {"kind": "table", "path": path, "target": target, **given}
    data = _prepared(settings)
    assert isinstance(data.encoding, TableEncoding)
    facts = [("rows", f"{len(frame):,}, {len(frame.columns)} columns"), *data.notes]
    facts += [("classes", text) for text in _balance(data)]
    facts += list(_columns(data.encoding))
    missing = frame.drop(columns=target).isna().mean().sort_values(ascending=False)
    missing = missing[missing > 0]
    if len(missing):
        facts.append(("missing", _listed(f"{name} {share:.1%}" for name, share in missing.items())))
    warnings = [*leakage.duplicate_rows(frame), *leakage.leaking_columns(frame, target, data.task), *_imbalance(data)]
    return Inspection(settings, data, facts, warnings)


def _common_target(frame: pd.DataFrame) -> str:
    """The column with a common name for a target; raises LabError if there is none."""
    names = {str(name).lower(): str(name) for name in frame.columns}
    for name in COMMON_TARGETS:
        if name in names:
            return names[name]
    known = ", ".join(str(name) for name in frame.columns)
    raise LabError(f"--target: which column is to be predicted? the file has {known}")


def _columns(encoding: TableEncoding) -> Iterator[tuple[str, str]]:
    """The columns by the kind as which they are encoded."""
    numbers = [column.name for column in encoding.columns if column.kind == "number"]
    categories = [
        f"{column.name} ({len(column.values)} values{', embedded' if column.embedded else ''})"
        for column in encoding.columns
        if isinstance(column, Category)
    ]
    dates = [column.name for column in encoding.columns if isinstance(column, Date)]
    for kind, found in (("numbers", numbers), ("categories", categories), ("dates", dates)):
        if found:
            yield kind, f"{len(found)}: {_listed(found)}"


def _series(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    frame = _read(path, given)
    found = series_inspection.settings(frame, target, given)
    settings: dict[str, Any] = {"kind": "series", "path": path, **found, **given}
    data = _prepared(settings)
    rows, season = series_inspection.facts(frame, settings)
    windows = ("windows", f"{settings['window']} past steps to the next {settings['horizon']}")
    return Inspection(settings, data, [rows, *data.notes, season, windows], leakage.duplicate_rows(frame))


def _arrays(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    if Path(path).suffix.lower() == ".npz":
        settings = {"kind": "arrays", "path": path, **given}
    elif target:
        settings = {"kind": "arrays", "x": path, "y": target, **given}
    else:
        raise LabError(f"--target: {path} holds x; give the NPY file of y, or save both in one NPZ file as x and y")
    data = _prepared(settings)
    facts = [("samples", f"{_samples(data):,} of {data.sizes.input_shape}"), *data.notes]
    facts += [("classes", text) for text in _balance(data)]
    return Inspection(settings, data, facts, list(_imbalance(data)))


def _images(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    if target:
        raise LabError("--target: the classes of images are the names of their folders; leave it out")
    settings = {"kind": "images", "path": path, **given}
    data = _prepared(settings)
    facts = [*data.notes, *(("classes", text) for text in _balance(data))]
    return Inspection(settings, data, facts, list(_imbalance(data)))


def _prepared(settings: dict[str, Any]) -> DataModule:
    # A batch size of 1 is valid for any data; recipes.py chooses the real one.
    data: DataModule = part("data", settings | {"batch_size": 1}).build(seed=0)
    data.prepare()
    return data


def _samples(data: DataModule) -> int:
    return sum(len(split) for split in data.splits.values())  # type: ignore[arg-type, misc]


def _shares(data: DataModule) -> np.ndarray:
    """The share of each class in the training split."""
    labels: torch.Tensor = data.splits["train"].y  # type: ignore[attr-defined]
    return np.bincount(labels.numpy(), minlength=len(data.class_names)) / len(labels)


def _balance(data: DataModule) -> Iterator[str]:
    """The share of each class in the training split, the largest first."""
    if data.class_names:
        shares = sorted(zip(_shares(data), data.class_names, strict=True), reverse=True)
        yield _listed(f"{name} {share:.1%}" for share, name in shares)


def _imbalance(data: DataModule) -> Iterator[str]:
    if data.class_names and _shares(data).max() > IMBALANCED:
        largest = data.class_names[int(_shares(data).argmax())]
        yield f"{_shares(data).max():.0%} are '{largest}': accuracy misleads, compare f1 instead"


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    """The first names, and the number of the others."""
    every = list(names)
    more = f" and {len(every) - MAX_LISTED} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more
