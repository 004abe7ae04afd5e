"""The outcome of a run's test, read from its artifacts; a file that is damaged or of another shape counts as none."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard import store_reads
from lab.errors import LabError

OUTPUTS = "test_outputs.npz"
MAX_BYTES = 100_000_000  # unpacked


@dataclass(frozen=True)
class ClassOutputs:
    """Probabilities (N, K) of classes or labels, and the truth: class numbers (N,), or 0 and 1 (N, K) of labels.

    They are of N samples among the `total` of the test split.
    """

    true: np.ndarray
    probabilities: np.ndarray
    names: list[str]
    total: int

    @property
    def labels(self) -> bool:
        """Whether a sample may have several, or none."""
        return self.true.ndim == 2

    def is_true(self, number: int) -> np.ndarray:
        """Whether each sample is of this class or has this label, (N,)."""
        return self.true[:, number] == 1 if self.labels else self.true == number


@dataclass(frozen=True)
class ValueOutputs:
    """True and predicted values (N, T), the ends of bands by name, the widest first, and the steps of each target."""

    true: np.ndarray
    predicted: np.ndarray
    bands: dict[str, tuple[np.ndarray, np.ndarray]]
    targets: dict[str, slice]
    forecast: bool


def class_outputs(run: str) -> ClassOutputs | None:
    """The probabilities that a run kept of its test; None if it has none that are valid."""
    if OUTPUTS not in store_reads.artifact_sizes(run):
        return None
    try:
        content = arrays(store_reads.artifact_bytes(run, OUTPUTS))
        names = [str(name) for name in content["names"]]
        found = ClassOutputs(content["true"], content["probabilities"], names, int(content["total"]))
    except (LabError, ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    shape = found.probabilities.shape
    fits = shape == (len(found.true), len(names)) and (not found.labels or found.true.shape == shape)
    return found if fits and len(found.true) else None


def arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz file, without pickles, and only where they are of a reasonable size; else ValueError."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > MAX_BYTES:
            raise ValueError("too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def value_outputs(run: str) -> ValueOutputs | None:
    """The predictions.csv of a run; None if it has none, raises ValueError or KeyError for one that is not valid."""
    content = store_reads.artifact_text(run, "predictions.csv")
    if not content:
        return None
    columns = _columns(pd.read_csv(io.StringIO(content)))
    true, predicted = columns.pop("true"), columns.pop("predicted")
    if true.shape != predicted.shape or not len(true):
        raise ValueError("true and predicted values differ in number")
    output = _output(run)
    forecast = output.get("task") == "forecasting"
    targets = _targets(output.get("target_names") or [], true.shape[1], forecast)
    return ValueOutputs(true, predicted, bands(columns), targets, forecast)


def _columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns `kind_1`, `kind_2`, ... of each kind as one array (N, T)."""
    found: dict[str, list[str]] = {}
    for column in table:
        found.setdefault(str(column).rpartition("_")[0], []).append(str(column))
    return {kind: table[names].to_numpy(float) for kind, names in found.items()}


def bands(columns: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The interval, and the quantiles in pairs from the outside in, each with its lower and upper ends."""
    found = {"interval": (columns["lower"], columns["upper"])} if {"lower", "upper"} <= set(columns) else {}
    quantiles = [name for name in columns if name.startswith("quantile")]
    for low, high in zip(quantiles[: len(quantiles) // 2], reversed(quantiles), strict=False):
        found[f"{low} to {high.split()[-1]}"] = (columns[low], columns[high])
    return found


def _targets(names: list[str], width: int, forecast: bool) -> dict[str, slice]:
    """The columns of each target: one each, of a forecast its steps, which are named `target +step`."""
    if len(names) != width:
        names = ["forecast"] * width if forecast else [f"output {number + 1}" for number in range(width)]
    found: dict[str, slice] = {}
    for number, name in enumerate(names):
        target = str(name).rpartition(" +")[0] or str(name) if forecast else str(name)
        first = found[target].start if target in found else number
        found[target] = slice(first, number + 1)
    return found


def _output(run: str) -> dict[str, Any]:
    """What encoding.json says of the outputs."""
    try:
        return dict(json.loads(store_reads.artifact_text(run, "encoding.json") or "{}")["output"])
    except (ValueError, TypeError, KeyError):
        return {}


def confusion_matrix(run: str) -> tuple[np.ndarray, list[str]] | None:
    """The counts (true class, predicted class) and the class names of a run; None if it has no valid matrix."""
    try:
        content = json.loads(store_reads.artifact_text(run, "confusion_matrix.json") or "null")
        counts = np.asarray(content["counts"], dtype=float)
        names = [str(name) for name in content["class_names"]]
    except (ValueError, TypeError, KeyError):
        return None
    return (counts, names) if counts.shape == (len(names), len(names)) else None


def label_scores(run: str) -> pd.DataFrame | None:
    """A row for each label of a run's test: label, samples, precision, recall, f1; None if it has no valid scores."""
    try:
        content = pd.DataFrame(json.loads(store_reads.artifact_text(run, "labels.json") or "null"))
        numbers = content[["samples", "precision", "recall", "f1"]].astype(float)
        return pd.concat([content["labels"].astype(str).rename("label"), numbers], axis=1)
    except (ValueError, TypeError, KeyError):
        return None
