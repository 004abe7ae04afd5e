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


class RowModel(PythonModel):
    """Predicts rows: a column `prediction` and, for each class, `probability of ...`; or each `prediction of ...`."""

    def load_context(self, context: Any) -> None:
        """Read the encoding and the exported network."""
        content = json.loads(Path(context.artifacts["encoding"]).read_text(encoding="utf-8"))
        self.encoding = from_json(content["input"])
        self.class_names, self.target_names = (content["output"][name] for name in ("class_names", "target_names"))
        self.network = torch.export.load(context.artifacts["network"]).module()

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """The predictions, in the order of the rows."""
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(self.encoding.encode(model_input))).numpy()
        if not self.class_names and outputs.shape[1] > 1:
            columns = [f"prediction of {name}" for name in self.target_names]
            return pd.DataFrame(outputs, columns=columns, index=model_input.index)
        if not self.class_names:
            return pd.DataFrame({"prediction": outputs[:, 0]}, index=model_input.index)
        predicted = [self.class_names[index] for index in outputs.argmax(axis=1)]
        table = {"prediction": predicted}
        table |= {f"probability of {name}": outputs[:, index] for index, name in enumerate(self.class_names)}
        return pd.DataFrame(table, index=model_input.index)


mlflow.models.set_model(RowModel())
