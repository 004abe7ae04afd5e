"""The data of a run as an MLflow dataset input, so that MLflow's pages and searches know what it was trained on.

It is made from the tags and params of the run's start record, which hold all that is known of the data.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

FINGERPRINT_TAG = "data.fingerprint"
PATH_PARAM = "data.path"
KIND_PARAM = "data.kind"
TASK_TAG = "lab.task"
REFUSALS = ("INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND")  # the second by servers older than datasets


def log(client: "MlflowClient", run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Record the data as the input of a run; nothing where its fingerprint is unknown. Doing it twice is harmless."""
    from mlflow.exceptions import MlflowException

    if FINGERPRINT_TAG not in tags:
        return
    try:
        client.log_inputs(run_id, datasets=[_input(params, tags)])
    except MlflowException as error:
        if error.error_code not in REFUSALS:
            raise
        logging.warning("the dataset of run %s is refused: %s", run_id, error)


def _input(params: Mapping[str, str], tags: Mapping[str, str]) -> "DatasetInput":
    """Name: the file's name without its ending, or the kind of data. Digest: the fingerprint."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    kind, path = params.get(KIND_PARAM, "data"), params.get(PATH_PARAM, "null")
    source: dict[str, Any]
    if path == "null":  # the data comes with the lab, or from a class of one's own
        name, source_type, source = kind, "code", {"tags": {KIND_PARAM: kind}}
    else:
        name, source_type, source = PurePath(path).stem or kind, "local", {"uri": path}
    dataset = Dataset(
        name=name,
        digest=tags[FINGERPRINT_TAG],
        source_type=source_type,
        source=json.dumps(source),
        profile=json.dumps({KIND_PARAM: kind, "task": tags.get(TASK_TAG, "")}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
