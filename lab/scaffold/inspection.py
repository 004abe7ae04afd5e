"""A look at somebody's data: of what kind it is, what is in it, and what should make one wary."""

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
from lab.data.reading import columns, table_files, times
from lab.errors import LabError, did_you_mean
from lab.scaffold import leakage

OPTIONS = {
    "path": "--data",
    "x": "--data",
    "target": "--target",
    "targets": "--target",
    "y": "--target",
    "kind": "--kind",
}
HOW_WRITTEN = ("separator", "text_encoding")  # the settings that reading a file needs
KINDS = ("table", "series", "arrays", "images")
USUAL_TARGETS = ("target", "label", "class", "y", "outcome")
UNEVEN = 0.8  # share of the largest class from which accuracy misleads
MOST_NAMED = 8
# Days between two rows, and how many rows a season has: a year of months, quarters or weeks, a week of days, a day of
# hours, an hour of minutes.
SEASONS = ((30.4, 12), (91.3, 4), (7.0, 52), (1.0, 7), (1 / 24, 24), (1 / 1440, 60))
FEWEST_WINDOWS = 40  # to learn from
TRAINING_SHARE = 0.6


@dataclass(frozen=True)
class Look:
    """The data section of an experiment, the data itself, what was found (about what, in words), and warnings."""

    settings: dict[str, Any]
    data: DataModule
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The number of training samples."""
        return len(self.data.splits["train"])  # type: ignore[arg-type]


def look(path: str, target: str | None, kind: str | None, given: Mapping[str, Any]) -> Look:
    """Look at a file or folder, with some settings given; raises LabError where it cannot be used as it is."""
    if not isinstance(given, Mapping):
        raise LabError(f"data: must be a mapping, not {given!r}")
    for name in OPTIONS.keys() & given.keys():
        raise LabError(f"data.{name}: give it as {OPTIONS[name]}")
    kind = kind or kind_of(path, target, given)
    return {"table": _table, "series": _series, "arrays": _arrays, "images": _images}[kind](path, target, given)


def kind_of(path: str, target: str | None, given: Mapping[str, Any]) -> str:
    """The kind of data that a path holds: by its name, and for rows by whether they are regular in time."""
    place = Path(path).expanduser()
    if place.is_dir():
        return "images"
    if place.suffix.lower() in (".npz", ".npy"):
        return "arrays"
    return "series" if _is_series(_rows(path, given), target) else "table"


def _rows(path: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """The file as the settings say that it is written."""
    written = {name: given[name] for name in HOW_WRITTEN if name in given}
    mistakes = schema.check(table_files.read_table, written, "data", ("path",))
    if mistakes:
        raise LabError(*mistakes)
    return table_files.read_table(path, **written)


def _is_series(frame: pd.DataFrame, target: str | None) -> bool:
    """Whether there is one row for each step of time, and what stands in it are numbers."""
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


def _prepared(settings: dict[str, Any]) -> DataModule:
    # A batch of one sample fits into any data until a better one is chosen.
    data: DataModule = part("data", settings | {"batch_size": 1}).build(seed=0)
    data.prepare()
    return data


def _table(path: str, target: str | None, given: Mapping[str, Any]) -> Look:
    frame = _rows(path, given)
    target = target or _usual_target(frame)
    columns.check_names([target], frame, "--target")
    settings = {"kind": "table", "path": path, "target": target, **given}
    data = _prepared(settings)
    assert isinstance(data.encoding, TableEncoding)
    facts = [("rows", f"{len(frame):,}, {len(frame.columns)} columns"), *data.notes]
    facts += [("classes", words) for words in _balance(data)]
    facts += list(_columns(data.encoding))
    missing = frame.drop(columns=target).isna().mean().sort_values(ascending=False)
    missing = missing[missing > 0]
    if len(missing):
        facts.append(("missing", _some(f"{name} {share:.1%}" for name, share in missing.items())))
    warnings = [*leakage.repeated_rows(frame), *leakage.telling_columns(frame, target, data.task), *_uneven(data)]
    return Look(settings, data, facts, warnings)


def _usual_target(frame: pd.DataFrame) -> str:
    """The column that is called as targets are; raises LabError where none is."""
    names = {str(name).lower(): str(name) for name in frame.columns}
    for usual in USUAL_TARGETS:
        if usual in names:
            return names[usual]
    known = ", ".join(str(name) for name in frame.columns)
    raise LabError(f"--target: which column is to be predicted? the file has {known}")


def _columns(encoding: TableEncoding) -> Iterator[tuple[str, str]]:
    """How the columns are taken."""
    numbers = [column.name for column in encoding.columns if column.kind == "number"]
    categories = [
        f"{column.name} ({len(column.values)} values{', embedded' if column.embedded else ''})"
        for column in encoding.columns
        if isinstance(column, Category)
    ]
    dates = [column.name for column in encoding.columns if isinstance(column, Date)]
    for kind, found in (("numbers", numbers), ("categories", categories), ("dates", dates)):
        if found:
            yield kind, f"{len(found)}: {_some(found)}"


def _series(path: str, target: str | None, given: Mapping[str, Any]) -> Look:
    frame = _rows(path, given)
    time = given.get("time") or times.find(frame)
    columns.check_names([time], frame, "data.time")
    chosen = target.split(",") if target else None
    columns.check_names(chosen or [], frame, "--target")
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
        (
            "season",
            f"{season} steps" if season else "none known; a year, week or day would be, had the rows such times",
        ),
        ("windows", f"{window} past steps to the next {horizon}"),
    ]
    return Look(settings, data, facts, leakage.repeated_rows(frame))


def _arrays(path: str, target: str | None, given: Mapping[str, Any]) -> Look:
    if Path(path).suffix.lower() == ".npz":
        settings = {"kind": "arrays", "path": path, **given}
    elif target:
        settings = {"kind": "arrays", "x": path, "y": target, **given}
    else:
        raise LabError(f"--target: {path} holds x; name the NPY file of y, or save both in one NPZ file as x and y")
    data = _prepared(settings)
    facts = [("samples", f"{_samples(data):,} of {data.sizes.input_shape}"), *data.notes]
    facts += [("classes", words) for words in _balance(data)]
    return Look(settings, data, facts, list(_uneven(data)))


def _images(path: str, target: str | None, given: Mapping[str, Any]) -> Look:
    if target:
        raise LabError("--target: images have their classes from the names of their folders; leave it out")
    settings = {"kind": "images", "path": path, **given}
    data = _prepared(settings)
    facts = [*data.notes, *(("classes", words) for words in _balance(data))]
    return Look(settings, data, facts, list(_uneven(data)))


def _samples(data: DataModule) -> int:
    return sum(len(split) for split in data.splits.values())  # type: ignore[arg-type, misc]


def _shares(data: DataModule) -> np.ndarray:
    """The share of each class in the training split."""
    labels: torch.Tensor = data.splits["train"].y  # type: ignore[attr-defined]
    return np.bincount(labels.numpy(), minlength=len(data.class_names)) / len(labels)


def _balance(data: DataModule) -> Iterator[str]:
    """How frequent the classes are, the largest first."""
    if data.class_names:
        shares = sorted(zip(_shares(data), data.class_names, strict=True), reverse=True)
        yield _some(f"{name} {share:.1%}" for share, name in shares)


def _uneven(data: DataModule) -> Iterator[str]:
    if data.class_names and _shares(data).max() > UNEVEN:
        largest = data.class_names[int(_shares(data).argmax())]
        yield f"{_shares(data).max():.0%} are '{largest}': look at f1 rather than at accuracy"


def _some(words: Iterator[str] | Sequence[str]) -> str:
    """The first few, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more


def check_kind(kind: str | None) -> None:
    """Raise LabError for a kind of data that there is not."""
    if kind is not None and kind not in KINDS:
        raise LabError(f"--kind: no such kind '{kind}'; {did_you_mean(kind, KINDS)}")


def season_length(times: pd.Series) -> int | None:
    """How many rows make a season, by the time between them; None where that is not known."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return None
    days = float(np.median(times.diff().dropna() / np.timedelta64(1, "D")))
    return next((rows for step, rows in SEASONS if abs(days / step - 1) < 0.1), None)


def window_and_horizon(rows: int, season: int | None) -> tuple[int, int]:
    """Two or three seasons back and one ahead, as far as the rows allow; else a few steps each."""
    training = int(rows * TRAINING_SHARE)
    if season:
        for seasons in (3, 2, 1):
            if training - (seasons + 1) * season >= FEWEST_WINDOWS:
                return seasons * season, season
    horizon = max(1, min(12, rows // 25))
    return max(2, min(3 * horizon, training // 3)), horizon
