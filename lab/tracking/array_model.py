"""The model of arrays or images of a run with a decision threshold, as MLflow loads it: arrays in, predictions out.

Never imported: `models.save_deciding` writes this source below that of `Output`, in one file, which is logged with the
model, so that the model does not need the lab. Models without a threshold are those of MLflow's own PyTorch flavour.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel

from lab.data.encodings.outputs import Output, named_outputs


class ArrayModel(PythonModel):
    """Predicts samples (N, ...): the columns that `lab predict` writes."""

    def load_context(self, context: Any) -> None:
        """Read the names of the outputs, their thresholds, and the exported network."""
        content = json.loads(Path(context.artifacts["encoding"]).read_text(encoding="utf-8"))
        self.output = Output(**content["output"])
        self.network = torch.export.load(context.artifacts["network"]).module()

    # MLflow takes a type of `model_input` for a signature of its own.
    def predict(self, context: Any, model_input, params: Any = None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """The predictions, in the order of the samples."""
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(np.ascontiguousarray(model_input))).numpy()
        return named_outputs(outputs, self.output)


mlflow.models.set_model(ArrayModel())
