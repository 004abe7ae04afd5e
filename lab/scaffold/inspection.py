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
from lab.data.images import Images
from lab.data.reading import column_types, image_lists, table_files, times
from lab.data.table import Table
from lab.errors import LabError, did_you_mean
from lab.modules.class_metrics import imbalanced
from lab.scaffold import image_findings, leakage, table_inspection

KINDS = ("table", "series", "arrays", "images")
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
# Days between two rows, and rows in a season: a year of months, quarters or weeks, a week of days, a day of hours, an
# hour of minutes.
SEASONS = ((30.4, 12), (91.3, 4), (7.0, 52), (1.0, 7), (1 / 24, 24), (1 / 1440, 60))
MIN_WINDOWS = 40  # in the training split
TRAINING_SHARE = 0.6


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
    frame = _read(path, given)
    if "root" in given or image_lists.lists_images(frame, location.parent):
        return "images"
    return "series" if _is_series(frame, target) else "table"


def _read(path: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a file, read with the settings given for it."""
    settings = {name: given[name] for name in READING if name in given}
    errors = schema.check(table_files.read_table, settings, "data", ("path",))
    if errors:
        raise LabError(*errors)
    return table_files.read_table(path, **settings)


def _is_series(frame: pd.DataFrame, target: str | None) -> bool:
    """Whether the rows are regular in time and all other columns are numeric."""
    try:
        time = times.find(frame)
        moments = times.to_timestamps(frame[time])
        if not pd.api.types.is_datetime64_any_dtype(moments.dtype):
            return False
        times.check_regular(moments, time)
    except LabError:
        return False
    others = frame.drop(columns=time)
    return target != time and all(pd.api.types.is_numeric_dtype(others[name].dtype) for name in others)


def _table(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    frame = _read(path, given)
    settings = table_inspection.settings_of(path, target, frame, given)
    settings, split, samples = table_inspection.with_split(settings, given)
    data = _prepared(settings)
    assert isinstance(data, Table)
    facts = [("rows", f"{len(samples.x):,}, {len(frame.columns)} columns"), *_without_reason(data.notes, split), *split]
    facts += [("classes", text) for text in _balance(data)]
    facts += [(kind, f"{len(names)}: {_listed(names)}") for kind, names in table_inspection.columns(data.encoding)]
    missing = samples.x.isna().mean().sort_values(ascending=False)
    missing = missing[missing > 0]
    if len(missing):
        facts.append(("missing", _listed(f"{name} {share:.1%}" for name, share in missing.items())))
    return Inspection(settings, data, facts, [*table_inspection.warnings(samples, data), *_imbalance(data)])


def _without_reason(notes: Sequence[tuple[str, str]], split: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The notes, without that on the split where the reason for it is said."""
    return [note for note in notes if note[0] != "split" or not split]


def _series(path: str, target: str | None, given: Mapping[str, Any]) -> Inspection:
    frame = _read(path, given)
    time = given.get("time") or times.find(frame)
    column_types.check_names([time], frame, "data.time")
    chosen = target.split(",") if target else None
    column_types.check_names(chosen or [], frame, "--target")
    moments = times.to_timestamps(frame[time])
    season = season_length(moments)
    window, horizon = window_and_horizon(len(frame), season)
    settings: dict[str, Any] = {"kind": "series", "path": path, "time": time}
    if chosen:
        settings["targets"] = chosen
        covariates = [
            str(name)
            for name in frame.columns
            if str(name) not in (time, *chosen) and pd.api.types.is_numeric_dtype(frame[name].dtype)
        ]
        settings |= {"covariates": covariates} if covariates else {}
    settings |= {"window": window, "horizon": horizon, **given}
    data = _prepared(settings)
    facts = [
        ("rows", f"{len(frame):,}, from {times.formatted(moments.iloc[0])} to {times.formatted(moments.iloc[-1])}"),
        *data.notes,
        ("season", f"{season} steps" if season else "unknown: rows are not a month, week, day, hour or minute apart"),
        ("windows", f"{window} past steps to the next {horizon}"),
    ]
    return Inspection(settings, data, facts, leakage.duplicate_rows(frame))


def season_length(times: pd.Series) -> int | None:
    """The number of rows in a season, by the time between rows; None if unknown."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return None
    days = float(np.median(times.diff().dropna() / np.timedelta64(1, "D")))
    return next((rows for step, rows in SEASONS if abs(days / step - 1) < 0.1), None)


def window_and_horizon(rows: int, season: int | None) -> tuple[int, int]:
    """Up to three seasons back and one ahead, as far as the rows allow; without a season, a few steps."""
    training = int(rows * TRAINING_SHARE)
    if season:
        for seasons in (3, 2, 1):
            if training - (seasons + 1) * season >= MIN_WINDOWS:
                return seasons * season, season
    horizon = max(1, min(12, rows // 25))
    return max(2, min(3 * horizon, training // 3)), horizon


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
    if target and Path(path).expanduser().is_dir():
        raise LabError("--target: the classes of images are the names of their folders; leave it out")
    settings = {"kind": "images", "path": path, **({"target": target} if target else {}), **given}
    data = _prepared(settings)
    assert isinstance(data, Images)
    facts = [*data.notes, *(("classes", text) for text in _balance(data))]
    settings |= data.files.columns
    return Inspection(settings, data, facts, [*image_findings.copies(data), *_imbalance(data)])


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
    if data.class_names and imbalanced(data.class_counts):
        largest = data.class_names[int(_shares(data).argmax())]
        kind = "bce" if len(data.class_names) == 2 else "cross_entropy"
        yield (
            f"{_shares(data).max():.0%} are '{largest}': accuracy misleads, compare balanced_accuracy instead; "
            f"`loss: {{kind: {kind}, class_weights: balanced}}` makes every class count as much as any other"
        )


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    """The first names, and the number of the others."""
    every = list(names)
    more = f" and {len(every) - MAX_LISTED} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more
