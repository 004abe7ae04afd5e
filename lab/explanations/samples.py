"""Samples in the user's own terms: where each is in the data, its inputs, its truth and what was predicted."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.base import DataModule, Split
from lab.data.encodings.outputs import LABEL_SEPARATOR
from lab.data.images import Images
from lab.data.reading.times.columns import formatted
from lab.data.table import Table
from lab.data.text.texts import Text
from lab.data.time_series.series_base import SeriesDataModule
from lab.data.time_series.windows import WindowDataset
from lab.explanations.outcomes import Outcomes
from lab.explanations.trained import Trained

LARGEST_INPUT = 2_000  # values of an array that are written out; a larger one has a thumbnail alone
Described = dict[str, Any]


def described(trained: Trained, split: Split, numbers: Sequence[int], found: Outcomes) -> list[Described]:
    """A dictionary of JSON types for each sample of a split: `id`, `index`, inputs, true, predicted, loss.

    `index` is that in the source, from 0. The inputs are a `row`, `values` in the order of the network's axes, or
    the `past` of a window, as far as they are small; `file` names that of an image or a table.
    """
    x, *_ = trained.samples(split, torch.as_tensor(numbers, dtype=torch.int64))
    origins = _origins(trained.data, split, list(numbers), trained.data.input_scale.invert(x))
    return [origin | _outcome(trained.data, found, number) for origin, number in zip(origins, numbers, strict=True)]


def _outcome(data: DataModule, found: Outcomes, number: int) -> Described:
    """Truth, prediction, loss, and the confidence in a class, or in what is said of a label."""
    if found.label is not None and found.confidence is not None:
        said = {"true": _labels(data, found.true[number]), "predicted": _labels(data, found.predicted[number])}
        about = {"label": data.class_names[found.label[number]], "confidence": float(found.confidence[number])}
        return said | about | {"loss": float(found.loss[number])}
    if found.confidence is not None:
        names = data.class_names
        named = {"true": names[int(found.true[number])], "predicted": names[int(found.predicted[number])]}
        return named | {"confidence": float(found.confidence[number]), "loss": float(found.loss[number])}
    true, predicted = plain(found.true[number]), plain(found.predicted[number])
    if len(true) == 1:
        true, predicted = true[0], predicted[0]
    return {"true": true, "predicted": predicted, "loss": float(found.loss[number])}


def _labels(data: DataModule, present: Any) -> str:
    return LABEL_SEPARATOR.join(name for name, yes in zip(data.class_names, present, strict=True) if yes) or "none"


def plain(values: Any) -> Any:
    """An array as lists of numbers with six significant digits, which is what single precision holds."""
    return np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[object])(np.asarray(values)).tolist()


def _origins(data: DataModule, split: Split, numbers: list[int], raw: Tensor) -> Iterator[Described]:
    """Where each sample is, and its inputs; `raw` (n, ...) are the encoded ones before they were standardised."""
    if isinstance(data, SeriesDataModule):
        return _windows(data, split, numbers, raw)
    indices = data.split_indices[split][numbers]
    match data:
        case Text() if not data.of_columns:
            return _texts(data, indices)
        case Table():
            return _rows(data, split, indices)
        case Images():
            paths = ((index, data.files.paths[index]) for index in indices.tolist())
            return (
                {"id": f"{path.parent.name}/{path.name}", "index": index, "file": str(path)} for index, path in paths
            )
    pairs = zip(indices.tolist(), raw, strict=True)
    return ({"id": f"sample {index}", "index": index, **_array(data, values)} for index, values in pairs)


def _rows(data: Table, split: Split, indices: NDArray[np.int64]) -> Iterator[Described]:
    """Rows as they are in the file, which is read once more: the network's inputs are encoded."""
    inputs = data.read().x.iloc[indices]
    file = data.rows.files.get(split) if data.fold is None else None
    for index, (_, row) in zip(indices.tolist(), inputs.iterrows(), strict=True):
        cells = {str(name): _cell(value) for name, value in row.items()}
        yield {"id": f"row {data.row_numbers[index]}", "index": index, "file": file or data.path, "row": cells}


def _texts(data: Text, indices: NDArray[np.int64]) -> Iterator[Described]:
    """Texts that are in files of their own, or come with the lab."""
    for index in indices.tolist():
        found: Described = {"id": f"text {index}"}
        if data.files:
            path = data.files[index]
            found = {"id": f"{path.parent.name}/{path.name}", "file": str(path)}
        yield found | {"index": index, "row": {data.text: data.texts[index]}}


def _cell(value: Any) -> Any:
    """A cell as a number or text, None where it is missing."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, pd.Timestamp):
        return formatted(value)
    return value if isinstance(value, bool | int | float) else str(value)


def _array(data: DataModule, values: Tensor) -> Described:
    """The values of an array: by name where it is a row of features."""
    if values.numel() > LARGEST_INPUT:
        return {}
    if values.ndim > 1:
        return {"values": plain(values)}
    names = data.feature_names or [f"column {number + 1}" for number in range(len(values))]
    return {"row": dict(zip(names, plain(values), strict=True))}


def _windows(data: SeriesDataModule, split: Split, numbers: list[int], raw: Tensor) -> Iterator[Described]:
    """Windows by the times of the steps that are forecast."""
    windows = data.splits[split]
    assert isinstance(windows, WindowDataset)
    ends = np.cumsum(data.lengths or [windows.series.shape[1]])
    for number, past in zip(numbers, raw, strict=True):
        first = int(windows.starts[number]) + data.window
        series = int(np.searchsorted(ends, first, side="right"))
        name = data.series_names[series] if len(data.series_names) > 1 else ""
        begin = int(ends[series - 1]) if series else 0
        times = [_time(data, step, begin) for step in (first, first + data.horizon - 1)]
        where = times[0] if times[0] == times[1] else " to ".join(times)
        found = {"id": f"{name}, {where}" if name else where, "index": first - begin, "times": times}
        yield (
            found
            | ({"series": name} if name else {})
            | ({"past": plain(past)} if past.numel() <= LARGEST_INPUT else {})
        )


def _time(data: SeriesDataModule, step: int, begin: int) -> str:
    """The time of a step; where there is none, its number in its series, from 0."""
    moment = None if data.times is None else data.times[step]
    if moment is None or pd.isna(moment):
        return f"step {step - begin}"
    return formatted(pd.Timestamp(moment) if isinstance(moment, np.datetime64) else moment)
