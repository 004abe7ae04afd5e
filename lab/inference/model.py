"""The model of a run, loaded from its artifacts alone, without training data or experiment file."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
from lab.data.encodings.outputs import Output, named_outputs, value_columns
from lab.data.encodings.sequence import SequenceEncoding
from lab.data.encodings.series import SeriesEncoding
from lab.data.reading.times import columns as times
from lab.data.reading.times import dates
from lab.data.reading.times.steps import TimeStep
from lab.errors import LabError
from lab.tracking import models
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun

if TYPE_CHECKING:
    from torch.export import ExportedProgram


BATCH_SIZE = 4_096  # samples that go through the network together
MOST_VALUES = 1 << 18  # token numbers that do; each is embedded in many channels


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
        the rows of a DataFrame; a list of sequences of unequal length, an array with NaN after the end of each, or a
        DataFrame with one column of lists; paths of images; texts or their paths; or a DataFrame that holds a series up
        to now, for which the result has a row for each of the next steps, of each series if there are several.
        Columns: `prediction`, and `probability of ...` for each class; for several targets, `prediction of ...` for
        each; for labels all three, the first with the list of those that are said; beside values their quantiles, such
        as `quantile 0.9`, and the ends `lower` and `upper` of their interval, as far as the run has them.
        """
        if self.output.task == "language":
            raise LabError(f"run {self.run.id[:8]} writes text: `lab predict {self.run.id[:8]} --prompt ...`")
        outputs = self._outputs_of(raw)
        if isinstance(self.encoding, SeriesEncoding) and isinstance(raw, pd.DataFrame):
            return forecasts(raw, outputs, self.encoding, self.output.bands)
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

    def outputs(self, encoded: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities (N, classes) or values (N, T) for encoded samples (N, ...)."""
        together = max(MOST_VALUES // encoded.shape[1], 1) if self.encoding.kind == "text" else BATCH_SIZE
        with torch.inference_mode():
            parts = [self.module(part).numpy() for part in torch.from_numpy(encoded).split(together)]
        return np.concatenate(parts)

    @cached_property
    def module(self) -> nn.Module:
        """The program as a module of encoded samples, made once: it takes longer than what a small network does."""
        return self.program.module()

    def network(self) -> nn.Module:
        """The trained network alone, without gradients: standardised inputs (N, ...) to raw outputs, such as logits.

        Raises LabError for networks of sequences of unequal length and of text by characters, which torch 2.13 cannot
        take out of their programs.
        """
        if self.output.task == "language":
            raise LabError(
                f"run {self.run.id[:8]}: a network that writes text cannot be taken out of its model; use outputs() of "
                "encoded text, or load the weights of its checkpoint"
            )
        if isinstance(self.encoding, SequenceEncoding):
            raise LabError(
                f"run {self.run.id[:8]}: a network of sequences of unequal length cannot be taken out of its model; "
                "use outputs() of raw sequences, or load the weights of its checkpoint"
            )
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch 2.13 about its own pytrees
            whole = torch.export.unflatten(self.program)
        network = whole.get_submodule("architecture" if hasattr(whole, "architecture") else "module")
        return network.requires_grad_(False)

    @property
    def example(self) -> NDArray[Any]:
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


def forecasts(
    raw: pd.DataFrame, outputs: NDArray[np.float32], encoding: SeriesEncoding, bands: Sequence[str] = ()
) -> pd.DataFrame:
    """Outputs (S, (1 + bands) · targets · horizon) as a table: for each series the next steps, with their times.

    Where the rows have no times, the steps are numbered from 1 in a column `step`.
    """
    values = outputs.reshape(len(outputs), -1, encoding.horizon)
    columns = value_columns(encoding.columns[: values.shape[1] // (1 + len(bands))], bands)
    tables = []
    for (name, rows), forecast in zip(encoding.split(raw), values, strict=True):
        table = pd.DataFrame(forecast.T, columns=columns)
        if encoding.parts and encoding.time in rows.columns:
            following = _next_dates(rows[encoding.time], len(table), encoding.step)
            table = pd.DataFrame(encoding.parts.taken_apart(following, rows)).join(table)
        elif encoding.time in rows.columns:
            table.insert(0, str(encoding.time), following_times(rows[encoding.time], len(table), encoding))
        else:
            table.insert(0, "step", np.arange(1, len(table) + 1))
        if encoding.series is not None:
            table.insert(0, encoding.series, name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def following_times(column: pd.Series, count: int, encoding: SeriesEncoding | None = None) -> list[object]:
    """The next `count` times of an ascending column, in its own format; gaps in it do not matter."""
    format = encoding.format if encoding else None
    moments = times.to_timestamps(column, format)
    if not pd.api.types.is_datetime64_any_dtype(moments.dtype):
        return _next_numbers(moments, count)
    following = _next_dates(moments, count, encoding.step if encoding else None)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return list(following)
    found = format or getattr(times.format_of(column), "text", None)
    written = dates.write(following, found, str(column.iloc[-1]))
    return [int(text) for text in written] if pd.api.types.is_numeric_dtype(column.dtype) else list(written)


def _next_numbers(moments: pd.Series, count: int) -> list[object]:
    step = moments.diff().median()
    if pd.api.types.is_integer_dtype(moments.dtype) and step == int(step):
        step = int(step)
    return [moments.iloc[-1] + step * ahead for ahead in range(1, count + 1)]


def _next_dates(moments: pd.Series, count: int, step: str | None) -> pd.DatetimeIndex:
    """The next dates: by a calendar frequency such as the last working days of months, else by the step."""
    frequency = pd.DatetimeIndex(moments.to_numpy(), freq="infer").freq if len(moments) > 2 else None
    if frequency is not None:
        return pd.date_range(moments.iloc[-1], periods=count + 1, freq=frequency)[1:]
    known = TimeStep.parse(step) if step else TimeStep.of(moments)
    return known.after(moments.iloc[-1], count)
