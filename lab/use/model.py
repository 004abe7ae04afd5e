"""The model of a run, from what the run kept alone: no training data, no experiment file."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lab.data import encodings
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.series import SeriesEncoding
from lab.errors import LabError
from lab.tracking import models, names, reader
from lab.tracking.reader import StoredRun
from lab.use import answers, forecast
from lab.use.answers import Output

if TYPE_CHECKING:
    from torch.export import ExportedProgram

ROWS_AT_ONCE = 4_096  # samples that go through the network together


@dataclass(frozen=True)
class Model:
    """A trained model with what stands before and behind it: raw data in, named predictions out."""

    run: StoredRun
    encoding: Encoding
    output: Output
    program: "ExportedProgram"

    def predict(self, raw: Any) -> pd.DataFrame:
        """The predictions for raw samples, a row each, in their order; raises LabError where they are unfit.

        `raw` is what the model was trained on: a DataFrame of rows; an array (N, ...), or its samples as the rows
        of a DataFrame; paths of images; or a DataFrame that holds a series up to now, for which the rows are the
        steps that follow. Columns: `prediction`, and of classes the `probability of` each; where several values
        are predicted, a `prediction of` each.
        """
        outputs = self._outputs_of(raw)
        if isinstance(self.encoding, SeriesEncoding) and isinstance(raw, pd.DataFrame):
            by_target = outputs.reshape(-1, self.encoding.horizon)
            names = list(self.encoding.columns[: len(by_target)])
            return forecast.table(raw, by_target.T, names, self.encoding.time)
        frame = answers.frame(outputs, self.output)
        return frame.set_index(raw.index) if isinstance(raw, pd.DataFrame) else frame

    def _outputs_of(self, raw: Any) -> NDArray[np.float32]:
        """Probabilities (N, classes) or values (N, T) for raw samples; images are decoded portion by portion."""
        if not len(raw):
            raise LabError("there are no samples to predict for")
        if isinstance(raw, Sequence):
            portions = (raw[first : first + ROWS_AT_ONCE] for first in range(0, len(raw), ROWS_AT_ONCE))
            return np.concatenate([self.outputs(self.encoding.encode(portion)) for portion in portions])
        if isinstance(self.encoding, ArrayEncoding) and isinstance(raw, pd.DataFrame):
            raw = _samples(raw, self.encoding.shape)
        return self.outputs(self.encoding.encode(raw))

    def outputs(self, encoded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (N, classes) or values (N, T) for encoded samples (N, ...)."""
        network: Callable[[torch.Tensor], torch.Tensor] = self.program.module()
        with torch.inference_mode():
            parts = [network(part).numpy() for part in torch.from_numpy(encoded).split(ROWS_AT_ONCE)]
        return np.concatenate(parts)

    @property
    def example(self) -> NDArray[np.float32]:
        """A few encoded samples, as the model was exported with."""
        (samples,), _ = self.program.example_inputs
        return samples.numpy()


def load(name: str, by: str = names.METRIC) -> Model:
    """The model of a run, named by id, first letters, name, `latest:lstm` or `best:lstm`; raises LabError."""
    run = reader.find(name, by)
    program = torch.export.load(_program_file(models.folder(run), run))
    content = json.loads(run.artifact("encoding.json").read_text(encoding="utf-8"))
    return Model(run, encodings.from_json(content["input"]), Output(**content["output"]), program)


def _program_file(folder: Path, run: StoredRun) -> Path:
    for path in folder.rglob("*.pt2"):
        return path
    raise LabError(f"the model of run {run.id[:8]} holds no exported program (.pt2)")


def _samples(rows: pd.DataFrame, shape: tuple[int, ...]) -> NDArray[Any]:
    """Rows of numbers as samples (N, *shape); raises LabError where they are too few or too many, or no numbers."""
    if len(rows.columns) != prod(shape):
        raise LabError(
            f"samples of shape {shape} need {prod(shape)} columns of numbers, in order; there are {len(rows.columns)}"
        )
    for name, column in rows.items():
        if not pd.api.types.is_numeric_dtype(column.dtype):
            text = pd.to_numeric(column, errors="coerce").isna()
            row = int(text.to_numpy().argmax())
            raise LabError(f"column '{name}', row {row + 1}: {column.iloc[row]!r} is no number")
        if column.isna().any():
            raise LabError(f"column '{name}', row {int(column.isna().to_numpy().argmax()) + 1}: is empty")
    return rows.to_numpy(dtype=np.float32).reshape(len(rows), *shape)
