"""CSV files, also those of Lightning's CSVLogger, as runs."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.tracking.transfer.formats.runs import Foreign, Value, flat

SETTINGS = "hparams.yaml"  # of Lightning's CSVLogger and TensorBoardLogger
STEP_COLUMNS = ("step", "epoch")  # the first that a table has numbers its rows


def read(path: Path, name: str) -> Foreign:
    """A table with a row per epoch or step, empty where a metric was not measured; its times are that of the file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        numbering = next((each for each in STEP_COLUMNS if each in (rows.fieldnames or ())), None)
        time = int(path.stat().st_mtime * 1000)
        values = [each for row in rows for each in _of_row(row, numbering, time, f"{path}:{rows.line_num}")]
    if not values:
        raise LabError(f"{path}: has no values; the first line names the metrics, each further one is an epoch")
    return Foreign(name, "csv", path.parent, values, settings(path.parent / SETTINGS))


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


def settings(path: Path) -> dict[str, Any]:
    """The settings beside a run, those in sections under dotted names; none where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise LabError(f"{path}: is not plain YAML: {' '.join(str(error).split())[:120]}") from None
    return dict(flat(content)) if isinstance(content, dict) else {}
