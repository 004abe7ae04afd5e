"""The experiments of the store, by name."""

from typing import TYPE_CHECKING

from lab.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient


def id_of(client: "MlflowClient", name: str) -> str:
    """The id of the MLflow experiment of that name, created or restored if necessary."""
    from mlflow.exceptions import MlflowException

    existing = client.get_experiment_by_name(name)
    if existing is None:
        location = store.files_of(name).as_uri() if store.is_local() else None
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException:  # another process was faster
            existing = client.get_experiment_by_name(name)
            if existing is None:
                raise
    if existing.lifecycle_stage == "deleted":
        client.restore_experiment(existing.experiment_id)
    return existing.experiment_id
