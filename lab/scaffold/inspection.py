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
from lab.data.encodings.table import Date
from lab.data.images import Images
from lab.data.loaders import without_weights
from lab.data.reading import class_folders, table_files
from lab.data.reading.images import lists as image_lists
from lab.data.text.texts import Text
from lab.display.numbers import percent
from lab.errors import LabError, did_you_mean
from lab.modules.metrics.class_metrics import imbalanced
from lab.scaffold import image_findings, leakage, series_inspection, table_inspection, text_inspection

KINDS = ("table", "series", "arrays", "images", "text", "characters")
OPTIONS = {  # settings that have an option of the command line
    "path": "--data",
    "x": "--data",
    "target": "--target",
    "targets": "--target",
    "y": "--target",
    "kind": "--kind",
}
# Settings that are needed to read a file.
READING = ("separator", "text_encoding", "decimal", "thousands", "missing", "skip_rows")
MAX_LISTED = 8  # names in one line
# Names of grades: with two of them, classes may have an order.
ORDERED_WORDS = {
    *("low", "mid", "medium", "middle", "high", "small", "large", "poor", "fair", "good", "excellent", "bad", "never"),
    *("rarely", "sometimes", "often", "always", "none", "mild", "moderate", "severe", "disagree", "neutral", "agree"),
}


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


def inspect(
    path: str, target: str | None, kind: str | None, given: Mapping[str, Any], model: str | None = None
) -> Inspection:
    """Inspect a file or folder, with the `given` data settings; raises LabError if it cannot be used as it is.

    `model` is the architecture that the user chose, if any.
    """
    if not isinstance(given, Mapping):
        raise LabError(f"data: must be a mapping, not {given!r}")
    for name in OPTIONS.keys() & given.keys():
        raise LabError(f"data.{name}: use {OPTIONS[name]} instead")
    kind, names = (kind, None) if kind not in (None, "table") else kind_and_names(path, target, given, kind, model)
    if kind == "table":
        return _table(path, target, given, names or [])
    if kind == "text":
        return _texts(path, target, given, in_order=model not in (None, "bag"))
    others = {"series": _series, "arrays": _arrays, "images": _images, "characters": _characters}
    return others[kind](path, target, given)


def check_kind(kind: str | None) -> None:
    """Raise LabError for an unknown kind of data."""
    if kind is not None and kind not in KINDS:
        raise LabError(f"--kind: no such kind '{kind}'; {did_you_mean(kind, KINDS)}")


def kind_and_names(
    path: str, target: str | None, given: Mapping[str, Any], chosen: str | None, model: str | None = None
) -> tuple[str, list[str] | None]:
    """The kind of data at a path, unless it is chosen, and the names of the columns, if it has rows.

    It follows from the suffix, or from the files in a folder; and for rows from whether they list images, are regular
    in time, or have a text each and nothing else but the target. A .txt file that is no table is one text.
    """
    location = Path(path).expanduser()
    if chosen is None and location.is_dir():
        return ("text" if _has_texts(location) else "images"), None
    if chosen is None and location.suffix.lower() in (".npz", ".npy"):
        return "arrays", None
    if (chosen, target) == (None, None) and text_inspection.is_one_text(location):
        return "characters", None
    frame = _read(path, given)
    names = [str(name) for name in frame.columns]
    if chosen is not None:
        return chosen, names
    if "root" in given or image_lists.lists_images(frame, location.parent):
        return "images", names
    if series_inspection.is_series(frame, target):
        return "series", names
    return ("text" if text_inspection.is_text(frame, target, model) else "table"), names


def _has_texts(folder: Path) -> bool:
    """Whether a folder has texts, and no images."""
    return bool(class_folders.below(folder, class_folders.TEXTS)) and not class_folders.below(
        folder, class_folders.IMAGES
    )


def _read(path: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a file, read with the settings given for it."""
    settings = {name: given[name] for name in READING if name in given}
    errors = schema.check(table_files.read_table, settings, "data", ("path",))
    if errors:
        raise LabError(*errors)
    return table_files.read_table(path, **settings)


def _table(path: str, target: str | None, given: Mapping[str, Any], names: Sequence[str]) -> Inspection:
    settings = table_inspection.settings_of(path, target, names, given)
    frame = _read(path, given)
    settings |= table_inspection.as_labels(settings, frame)
    texts = text_inspection.beside_others(frame, settings)
    settings |= texts
    data, split = table_inspection.with_split(settings, given)
    samples = data.read()
    data.prepare()
    facts = [("rows", f"{len(samples.x):,}, {len(names)} columns"), *_without_reason(data.notes, split), *split]
    facts += [("text", f"{', '.join(map(repr, found))}; --kind text reads texts alone") for found in texts.values()]
    if any(isinstance(column, Date) for column in data.encoding.columns):
        facts += [("time", text) for text in series_inspection.irregular(frame, target)]
    facts += [("weights", hint) for hint in table_inspection.weights(samples, data)]
    facts += [*(("classes", text) for text in _balance(data)), *_order(data)]
    facts += [(kind, f"{len(found)}: {_listed(found)}") for kind, found in table_inspection.columns(data.encoding)]
    missing = samples.x.isna().mean().sort_values(ascending=False)
    missing = missing[(missing > 0) & (missing < 1)]  # an empty column is dropped, and said
    if len(missing):
        facts.append(("missing", _listed(f"{name} {100 * share:.1f} %" for name, share in missing.items())))
    return Inspection(settings, data, facts, [*table_inspection.warnings(samples, data), *_imbalance(data)])


def _without_reason(notes: Sequence[tuple[str, str]], split: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The notes, without that on the split where the reason for it is said."""
    return [note for note in notes if note[0] != "split" or not split]


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
    unequal = " at most, of unequal length" if data.sizes.padded else ""
    facts = [("samples", f"{_samples(data):,} of {data.sizes.input_shape}{unequal}"), *data.notes]
    facts += [("classes", text) for text in _balance(data)]
    return Inspection(settings, data, facts, list(_imbalance(data)))


def _images(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    if target and Path(path).expanduser().is_dir():
        raise LabError("--target: the classes of images are the names of their folders; leave it out")
    settings = {"kind": "images", "path": path, **({"target": target} if target else {}), **given}
    data = _prepared(settings)
    assert isinstance(data, Images)
    facts = [*data.notes, *(("classes", text) for text in _balance(data))]
    settings |= data.files.columns
    return Inspection(settings, data, facts, [*image_findings.copies(data), *_imbalance(data)])


def _texts(path: str, target: str | None, given: Mapping[str, Any], in_order: bool) -> Inspection:
    if Path(path).expanduser().is_dir():
        if target:
            raise LabError("--target: the classes of texts are the names of their folders; leave it out")
        settings: dict[str, Any] = {"kind": "text", "path": path, **given}
    else:
        settings = text_inspection.settings_of(path, target, _read(path, given), given)
    data = _prepared(settings)
    assert isinstance(data, Text)
    if not in_order and (tokens := text_inspection.for_a_bag(data, given)):
        settings |= tokens
        data = _prepared(settings)
        assert isinstance(data, Text)
    facts = [*text_inspection.facts(data), *data.notes, *(("classes", text) for text in _balance(data))]
    return Inspection(settings, data, facts, [*text_inspection.warnings(data), *_imbalance(data)])


def _characters(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    if target:
        raise LabError("--target: each character of a text is predicted from those before it; leave it out")
    settings = {"kind": "characters", "path": path, **given}
    data = _prepared(settings)
    length = data.sizes.input_shape[0]
    windows = ("windows", f"{_samples(data):,} of {length} characters, each with the next one for every place")
    return Inspection(settings, data, [*data.notes, windows])


def _prepared(settings: dict[str, Any]) -> DataModule:
    # A batch size of 1 is valid for any data; recipes.py chooses the real one.
    data: DataModule = part("data", settings | {"batch_size": 1}).build(seed=0)
    data.prepare()
    return data


def _samples(data: DataModule) -> int:
    return sum(len(split) for split in data.splits.values())  # type: ignore[arg-type, misc]


def _shares(data: DataModule) -> np.ndarray:
    """The share of each class, or label, in the training split."""
    labels: torch.Tensor = without_weights(data.splits["train"]).y
    if data.task == "multilabel":
        return labels.double().mean(0).numpy()
    return np.bincount(labels.numpy(), minlength=len(data.class_names)) / len(labels)


def _balance(data: DataModule) -> Iterator[str]:
    """The share of each class, or label, in the training split, the largest first."""
    if data.class_names:
        shares = sorted(zip(_shares(data), data.class_names, strict=True), reverse=True)
        yield _listed(f"{name} {100 * share:.1f} %" for share, name in shares)


def _order(data: DataModule) -> Iterator[tuple[str, str]]:
    """How to ask for an order, where the classes look as if they had one."""
    names = [name.lower() for name in data.class_names]
    if data.task != "classification" or len(names) < 3:
        return
    if all(name.lstrip("-").isdigit() for name in names):
        yield "order", "if the numbers are grades, data.task: ordinal learns their order"
    elif len(ORDERED_WORDS & set(names)) > 1:
        example = ", ".join(data.class_names)
        yield "order", f"if the classes have one, set data.task: ordinal and data.order, the lowest first: [{example}]"


def _imbalance(data: DataModule) -> Iterator[str]:
    if data.class_names and imbalanced(data.class_counts):
        largest = data.class_names[int(_shares(data).argmax())]
        kind = "bce" if len(data.class_names) == 2 else "cross_entropy"
        yield (
            f"{percent(_shares(data).max())} are '{largest}': accuracy misleads, compare balanced_accuracy instead; "
            f"`loss: {{kind: {kind}, class_weights: balanced}}` makes every class count as much as any other"
        )


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    """The first names, and the number of the others."""
    every = list(names)
    more = f" and {len(every) - MAX_LISTED} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more
