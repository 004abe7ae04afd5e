"""The model of a run, loaded from its artifacts alone, without training data or experiment file."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from lab.data import encodings
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.series import SeriesEncoding
from lab.data.reading import times
from lab.data.reading.column_types import date_format
from lab.errors import LabError
from lab.tracking import models
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun

if TYPE_CHECKING:
    from torch.export import ExportedProgram


BATCH_SIZE = 4_096  # samples that go through the network together


def load(run: str, by: str = stored_runs.BEST_BY) -> "Model":
    """The model of a run, to `predict` with; raises LabError.

    The run is named by id, the first letters of it, name, `latest:lstm` or `best:lstm`, the best `by` a metric.
    """
    found = stored_runs.find(run, by)
    program = torch.export.load(_program_file(models.download(found), found))
    content = json.loads(found.artifact("encoding.json").read_text(encoding="utf-8"))
    return Model(found, encodings.from_json(content["input"]), Output(**content["output"]), program)


def _program_file(folder: Path, run: StoredRun) -> Path:
    for path in folder.rglob("*.pt2"):
        return path
    raise LabError(f"the model of run {run.id[:8]} holds no exported program (.pt2)")


@dataclass(frozen=True)
class Output:
    """The task, and the names of its classes or of its targets."""

    task: str
    class_names: Sequence[str]
    target_names: Sequence[str]


@dataclass(frozen=True)
class Model:
    """A trained model with its encoding: raw data in, named predictions out."""

    run: StoredRun
    encoding: Encoding
    output: Output
    program: "ExportedProgram"

    def __repr__(self) -> str:
        return f"the model of run {self.run.id} ({self.run.name}): {self.output.task}"

    def predict(self, raw: Any) -> pd.DataFrame:
        """The predictions for raw samples, a row each, in their order; raises LabError for invalid samples.

        `raw` is of the kind that the model was trained on: a DataFrame of rows; an array (N, ...), or its samples as
        the rows of a DataFrame; paths of images; or a DataFrame that holds a series up to now, for which the result
        has a row for each of the next steps. Columns: `prediction`, and `probability of ...` for each class; for
        several targets, `prediction of ...` for each.
        """
        outputs = self._outputs_of(raw)
        if isinstance(self.encoding, SeriesEncoding) and isinstance(raw, pd.DataFrame):
            by_target = outputs.reshape(-1, self.encoding.horizon)
            names = list(self.encoding.columns[: len(by_target)])
            return forecast_table(raw, by_target.T, names, self.encoding.time)
        frame = named_outputs(outputs, self.output)
        return frame.set_index(raw.index) if isinstance(raw, pd.DataFrame) else frame

    def _outputs_of(self, raw: Any) -> NDArray[np.float32]:
        """Probabilities (N, classes) or values (N, T) for raw samples; images are decoded batch by batch."""
        if not len(raw):
            raise LabError("there are no samples to predict for")
        if isinstance(raw, Sequence):
            batches = (raw[first : first + BATCH_SIZE] for first in range(0, len(raw), BATCH_SIZE))
            return np.concatenate([self.outputs(self.encoding.encode(batch)) for batch in batches])
        if isinstance(self.encoding, ArrayEncoding) and isinstance(raw, pd.DataFrame):
            raw = _samples(raw, self.encoding.shape)
        return self.outputs(self.encoding.encode(raw))

    def outputs(self, encoded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (N, classes) or values (N, T) for encoded samples (N, ...)."""
        network: Callable[[torch.Tensor], torch.Tensor] = self.program.module()
        with torch.inference_mode():
            parts = [network(part).numpy() for part in torch.from_numpy(encoded).split(BATCH_SIZE)]
        return np.concatenate(parts)

    def network(self) -> nn.Module:
        """The trained network alone, without gradients: standardised inputs (N, ...) to raw outputs, such as logits."""
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch 2.13 about its own pytrees
            whole = torch.export.unflatten(self.program)
        network = whole.get_submodule("architecture" if hasattr(whole, "architecture") else "module")
        return network.requires_grad_(False)

    @property
    def example(self) -> NDArray[np.float32]:
        """The encoded samples with which the model was exported."""
        (samples,), _ = self.program.example_inputs
        return samples.numpy()


def _samples(rows: pd.DataFrame, shape: tuple[int, ...]) -> NDArray[Any]:
    """Rows of numbers as samples (N, *shape); raises LabError for missing or superfluous columns and for text."""
    if len(rows.columns) != prod(shape):
        raise LabError(
            f"samples of shape {shape} need {prod(shape)} columns of numbers, in order; there are {len(rows.columns)}"
        )
    for name, column in rows.items():
        if not pd.api.types.is_numeric_dtype(column.dtype):
            text = pd.to_numeric(column, errors="coerce").isna()
            row = int(text.to_numpy().argmax())
            raise LabError(f"column '{name}', row {row + 1}: {column.iloc[row]!r} is not a number")
        if column.isna().any():
            raise LabError(f"column '{name}', row {int(column.isna().to_numpy().argmax()) + 1}: is empty")
    return rows.to_numpy(dtype=np.float32).reshape(len(rows), *shape)


def named_outputs(outputs: NDArray[np.float32], output: Output) -> pd.DataFrame:
    """Probabilities (N, classes) or values (N, T) as a table with a row per sample."""
    if output.class_names:
        predicted = np.asarray(output.class_names, dtype=object)[outputs.argmax(axis=1)]
        named = {f"probability of {name}": outputs[:, index] for index, name in enumerate(output.class_names)}
        return pd.DataFrame({"prediction": predicted} | named)
    if outputs.shape[1] == 1:
        return pd.DataFrame({"prediction": outputs[:, 0]})
    return pd.DataFrame({f"prediction of {name}": outputs[:, index] for index, name in enumerate(output.target_names)})


def forecast_table(
    series: pd.DataFrame, values: NDArray[np.float32], names: list[str], time: str | None
) -> pd.DataFrame:
    """Values (horizon, T) of the series `names`, each row with its time; `time` is the column of times in `series`.

    Without such a column, the rows are numbered from 1 in a column `step`.
    """
    columns = ["prediction"] if len(names) == 1 else [f"prediction of {name}" for name in names]
    forecast = pd.DataFrame(values, columns=columns)
    if time not in series.columns:
        forecast.insert(0, "step", np.arange(1, len(values) + 1))
    else:
        forecast.insert(0, str(time), following_times(series[time], len(values)))
    return forecast


def following_times(column: pd.Series, count: int) -> list[object]:
    """The next `count` times of a regular column, in its own format."""
    moments = times.to_timestamps(column)
    if not pd.api.types.is_datetime64_any_dtype(moments.dtype):
        return _next_numbers(moments, count)
    dates = _next_dates(moments, count)
    return list(dates) if pd.api.types.is_datetime64_any_dtype(column.dtype) else _written(dates, column)


def _next_numbers(moments: pd.Series, count: int) -> list[object]:
    step = moments.diff().median()
    if pd.api.types.is_integer_dtype(moments.dtype) and step == int(step):
        step = int(step)
    return [moments.iloc[-1] + step * ahead for ahead in range(1, count + 1)]


def _next_dates(moments: pd.Series, count: int) -> pd.DatetimeIndex:
    """The next dates: by a calendar frequency such as months or working days, else by the median step."""
    frequency = pd.DatetimeIndex(moments.to_numpy(), freq="infer").freq if len(moments) > 2 else None
    if frequency is not None:
        return pd.date_range(moments.iloc[-1], periods=count + 1, freq=frequency)[1:]
    step = moments.diff().median()
    return pd.DatetimeIndex([moments.iloc[-1] + step * ahead for ahead in range(1, count + 1)])


def _written(dates: pd.DatetimeIndex, column: pd.Series) -> list[object]:
    """Dates as text in the format of a column."""
    format, last = date_format(column), str(column.iloc[-1])
    if format is not None:
        return [date.strftime(format) for date in dates]
    return [date.isoformat(sep="T" if "T" in last else " ")[: len(last)] for date in dates]
