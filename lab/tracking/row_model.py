"""The model of a table as MLflow loads it: raw rows in, predictions out.

Never imported: `models.save_for_rows` puts this text behind that of the encoding into one file, which travels with
the model, so that it needs no lab.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel

from lab.data.encodings.table import TableEncoding


class RowModel(PythonModel):
    """Rows of a table to a column `prediction`; for classes to `probability of ...` each as well."""

    def load_context(self, context: Any) -> None:
        """Read encoding and exported network."""
        content = json.loads(Path(context.artifacts["encoding"]).read_text(encoding="utf-8"))
        self.encoding = TableEncoding.from_json(content["input"])
        self.class_names = content["output"]["class_names"]
        self.network = torch.export.load(context.artifacts["network"]).module()

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Predictions in the order of the rows."""
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(self.encoding.encode(model_input))).numpy()
        if not self.class_names:
            return pd.DataFrame({"prediction": outputs[:, 0]}, index=model_input.index)
        likeliest = [self.class_names[place] for place in outputs.argmax(axis=1)]
        table = {"prediction": likeliest}
        table |= {f"probability of {name}": outputs[:, place] for place, name in enumerate(self.class_names)}
        return pd.DataFrame(table, index=model_input.index)


mlflow.models.set_model(RowModel())
