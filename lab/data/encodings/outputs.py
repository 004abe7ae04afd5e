"""What a model predicts, in the user's terms: classes and their probabilities, labels, or values.

Copied into the logged model of rows and texts, like the encoding: it imports neither torch nor the lab.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABEL_SEPARATOR = ";"


@dataclass(frozen=True)
class Output:
    """The task, and the names of its classes, of its labels, or of its targets.

    `thresholds` are the probabilities above which the second of two classes, or each label, is said; empty where the
    most probable class is. `bands` are the names of what is predicted beside each value: quantiles, ends of intervals.
    """

    task: str
    class_names: Sequence[str]
    target_names: Sequence[str]
    thresholds: Sequence[float] = ()
    bands: Sequence[str] = ()


def named_outputs(outputs: NDArray[np.float32], output: Output) -> pd.DataFrame:
    """Probabilities (N, classes) or values (N, T) as a table with a row per sample."""
    if output.task == "multilabel" and output.class_names:
        return _labels(outputs, output)
    if output.class_names:
        names = np.asarray(output.class_names, dtype=object)
        named = {f"probability of {name}": outputs[:, index] for index, name in enumerate(names)}
        return pd.DataFrame({"prediction": names[decided(outputs, output)]} | named)
    return pd.DataFrame(dict(zip(value_columns(output.target_names, output.bands), outputs.T, strict=True)))


def value_columns(names: Sequence[str], bands: Sequence[str]) -> list[str]:
    """The columns of predicted values: those of all targets, then each of the bands, likewise."""
    kinds = ["prediction", *bands]
    return kinds if len(names) < 2 else [f"{kind} of {name}" for kind in kinds for name in names]


def decided(probabilities: NDArray[np.float32], output: Output) -> NDArray[Any]:
    """Class numbers (N,) for probabilities (N, classes): by a threshold, the median of ordered ones, or likeliest.

    Of labels 0 or 1, (N, K).
    """
    if output.task == "multilabel":
        return (probabilities > np.asarray(output.thresholds or [0.5], np.float32)).astype(np.int64)
    if output.task == "ordinal":
        return (probabilities.cumsum(axis=1)[:, :-1] < 0.5).sum(axis=1)
    if output.thresholds:
        return (probabilities[:, 1] > np.float32(output.thresholds[0])).astype(np.int64)
    return probabilities.argmax(axis=1)


def _labels(probabilities: NDArray[np.float32], output: Output) -> pd.DataFrame:
    """The labels of each sample as a text, 0 or 1 for each, and the probability of each."""
    said = decided(probabilities, output)
    lists = [[name for name, yes in zip(output.class_names, row, strict=True) if yes] for row in said]
    table: dict[str, Any] = {"prediction": [_joined(each) for each in lists]}
    table |= {f"prediction of {name}": said[:, index] for index, name in enumerate(output.class_names)}
    table |= {f"probability of {name}": probabilities[:, index] for index, name in enumerate(output.class_names)}
    return pd.DataFrame(table)


def _joined(labels: Sequence[str]) -> str:
    """Labels in one cell; as a JSON list where one of them has the separator in it."""
    if any(LABEL_SEPARATOR in label for label in labels):
        return json.dumps(list(labels))
    return LABEL_SEPARATOR.join(labels)
