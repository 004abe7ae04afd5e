"""The best model of a run as an MLflow LoggedModel, which predicts without the lab."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.tracking import store

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient
    from torch import nn

NAME = "model"


def save(predictor: "nn.Module", example: "np.ndarray", folder: Path) -> None:
    """Write a model in MLflow's own format, its graph exported by torch.export: no pickle, no lab inside.

    `example` is a raw input (N, ...) with N > 1; the model takes any N.
    """
    store.quiet_mlflow()
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    with torch.no_grad():
        output = predictor(torch.from_numpy(example)).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of recurrent layers' internal weight lists, which the graph has no need of
        mlflow.pytorch.save_model(
            predictor,
            folder,
            signature=infer_signature(example, output),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", "torch", "numpy")],
        )


def create(client: "MlflowClient", run_id: str, record: dict[str, Any]) -> str:
    """A LoggedModel of the run, still empty; its id."""
    run = client.get_run(run_id)
    return client.create_logged_model(
        run.info.experiment_id, name=NAME, source_run_id=run_id, model_type=record["task"]
    ).model_id


def stored(client: "MlflowClient", run_id: str) -> list[str]:
    """The LoggedModels of the run in the store."""
    run = client.get_run(run_id)
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    return [model.model_id for model in found]


def upload(client: "MlflowClient", run_id: str, model_id: str, folder: Path) -> None:
    """Fill the LoggedModel from a folder that `save` wrote, and link it to its run."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    described = Model.load(folder)
    described.model_id = model_id
    described.run_id = run_id
    described.save(folder / "MLmodel")
    client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
