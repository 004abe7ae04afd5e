"""Runs that other tools wrote, read from their files: CSV (also of Lightning's CSVLogger) and TensorBoard's events."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

SETTINGS = "hparams.yaml"  # of Lightning's CSVLogger and TensorBoardLogger
STEP_COLUMNS = ("step", "epoch")  # the first that a table has numbers its rows
EVENTS = "events.out.tfevents.*"
NO_TENSORBOARD = "TensorBoard's files need its package, which reads them: .venv/bin/pip install tensorboard"
WANDB = (
    "is of W&B, whose offline files the lab does not read; bring it to its server by `wandb sync`, then write "
    'a CSV: wandb.Api().run("USER/PROJECT/ID").history().to_csv("metrics.csv")'
)


@dataclass(frozen=True)
class Value:
    """One value of a metric; the time is in milliseconds since 1970."""

    metric: str
    step: int
    time: int
    value: float


@dataclass(frozen=True)
class Foreign:
    """A run of another tool; `left_out` says what of it is not numbers of metrics."""

    name: str
    tool: str
    place: Path
    values: list[Value]
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 of name, values and settings."""
        values = [(each.metric, each.step, each.time, repr(each.value)) for each in self.values]
        text = json.dumps([self.name, self.tool, values, self.settings], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def find(folder: Path) -> list[Foreign]:
    """The runs below a folder: one per metrics.csv or folder of event files, else one per CSV file in it.

    Raises LabError for a file that cannot be read, and where there is nothing.
    """
    if not folder.is_dir():
        raise LabError(f"{folder}: is not a folder; name the one that holds the runs")
    if offline := next(folder.rglob("run-*.wandb"), None):
        raise LabError(f"{offline}: {WANDB}")
    found = [from_csv(path, _name(path.parent, folder)) for path in sorted(folder.rglob("metrics.csv"))]
    places = sorted({path.parent for path in folder.rglob(EVENTS)})
    found += [from_events(place, _name(place, folder)) for place in places]
    if not found:
        found = [from_csv(path, path.stem) for path in sorted(folder.glob("*.csv"))]
    if not found:
        raise LabError(f"{folder}: has no runs; metrics.csv, other .csv files or TensorBoard's {EVENTS} are read")
    return found


def _name(place: Path, folder: Path) -> str:
    """The path of a run's folder below the one that was named, or that one's own name."""
    return str(place.relative_to(folder)) if place != folder else folder.absolute().name


# CSV


def from_csv(path: Path, name: str) -> Foreign:
    """A table with a row per epoch or step, empty where a metric was not measured; its times are that of the file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        numbering = next((each for each in STEP_COLUMNS if each in (rows.fieldnames or ())), None)
        time = int(path.stat().st_mtime * 1000)
        values = [each for row in rows for each in _of_row(row, numbering, time, f"{path}:{rows.line_num}")]
    if not values:
        raise LabError(f"{path}: has no values; the first line names the metrics, each further one is an epoch")
    return Foreign(name, "csv", path.parent, values, _settings(path.parent / SETTINGS))


def _of_row(row: Mapping[str | None, Any], numbering: str | None, time: int, place: str) -> Iterator[Value]:
    if None in row:
        raise LabError(f"{place}: has more values than the first line has names")
    step = int(place.rpartition(":")[2]) - 1 if numbering is None else int(_number(row[numbering], numbering, place))
    for metric, text in row.items():
        if metric and text and metric != numbering:
            yield Value(metric, step, time, _number(text, metric, place))


def _number(text: str | None, column: str, place: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise LabError(f"{place}: {column}: '{text}' is not a number; remove that column or write one") from None


def _settings(path: Path) -> dict[str, Any]:
    """The settings beside a run, those in sections under dotted names; none where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise LabError(f"{path}: is not plain YAML: {' '.join(str(error).split())[:120]}") from None
    return dict(_flat(content, "")) if isinstance(content, dict) else {}


def _flat(content: Mapping[Any, Any], start: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


# TensorBoard


def from_events(place: Path, name: str) -> Foreign:
    """The scalars in the event files of a folder, every one of them, read by TensorBoard's own reader."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise LabError(f"{place}: {NO_TENSORBOARD}") from None
    events = EventAccumulator(str(place), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    kinds = events.Tags()
    values = [_scalar(tag, each, each.value) for tag in kinds["scalars"] for each in events.Scalars(tag)]
    in_tensors = [tag for tag in kinds["tensors"] if _is_scalar(events, tag)]
    for tag in in_tensors:  # as TensorFlow 2 writes them
        values += [_scalar(tag, each, make_ndarray(each.tensor_proto).item()) for each in events.Tensors(tag)]
    others = {kind: len(tags) for kind, tags in kinds.items() if isinstance(tags, list) and kind != "scalars"}
    others["tensors"] -= len(in_tensors)
    left_out = ", ".join(f"{count} {kind}" for kind, count in others.items() if count)
    return Foreign(name, "tensorboard", place, values, _settings(place / SETTINGS), left_out)


def _is_scalar(events: Any, tag: str) -> bool:
    return bool(events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars")


def _scalar(tag: str, event: Any, value: float) -> Value:
    return Value(tag, event.step, round(event.wall_time * 1000), float(value))
