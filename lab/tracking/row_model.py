"""The model of a table, of texts, or of rows with a sequence each, as MLflow loads it: raw rows in, predictions out.

Never imported: `models.save_for_rows` appends this source to that of the encoding in one file, which is logged with the
model, so that the model does not need the lab.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel

from lab.data.encodings import from_json
from lab.data.encodings.outputs import Output, named_outputs


class RowModel(PythonModel):
    """Predicts rows: the columns that `lab predict` writes."""

    def load_context(self, context: Any) -> None:
        """Read the encoding and the exported network."""
        content = json.loads(Path(context.artifacts["encoding"]).read_text(encoding="utf-8"))
        self.encoding = from_json(content["input"])
        self.output = Output(**content["output"])
        self.network = torch.export.load(context.artifacts["network"]).module()

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """The predictions, in the order of the rows."""
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(self.encoding.encode(model_input))).numpy()
        return named_outputs(outputs, self.output).set_index(model_input.index)


mlflow.models.set_model(RowModel())
