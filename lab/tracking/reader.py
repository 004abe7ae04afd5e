"""Runs as they stand in the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking import names, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class StoredRun:
    """One run: its settings as text, its tags, and the last value of each metric."""

    id: str
    name: str
    experiment: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    client: "MlflowClient"

    def artifact(self, name: str) -> Path:
        """A local path of an artifact; raises LabError where the run has none of that name."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self.client.download_artifacts(self.id, name))
        except (MlflowException, OSError) as error:
            raise LabError(f"run {self.id} has no {name}: {_first_line(error)}") from None


def connect() -> "MlflowClient":
    """A client of a store that answers; raises LabError where there is none."""
    if store.is_local() and not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `lab run lstm`")
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = store.client()
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        address = store.without_password(store.tracking_uri())
        raise LabError(f"the store {address} does not answer: {_first_line(error)}") from None
    return client


def find(name: str, by: str = names.METRIC) -> StoredRun:
    """The run of that id, prefix of an id, or name, or `latest:EXPERIMENT`, or `best:EXPERIMENT` by a metric.

    Raises LabError where that is not one run.
    """
    client = connect()
    experiments = _experiments(client)
    return _stored(names.resolve(client, experiments, name, by), experiments, client)


def best(experiment: str, by: str = names.METRIC, top: int = 5) -> list[StoredRun]:
    """The finished runs of an experiment with the best values of a metric, best first; raises LabError."""
    client = connect()
    experiments = _experiments(client)
    return [_stored(run, experiments, client) for run in names.best(client, experiments, experiment, by, top)]


def _experiments(client: "MlflowClient") -> dict[str, str]:
    """The experiments' names with their ids."""
    return {each.name: each.experiment_id for each in client.search_experiments()}


def _stored(run: "Run", experiments: Mapping[str, str], client: "MlflowClient") -> StoredRun:
    name_of = {experiment_id: name for name, experiment_id in experiments.items()}
    info, data = run.info, run.data
    experiment = name_of[info.experiment_id]
    return StoredRun(info.run_id, info.run_name, experiment, info.status, data.params, data.tags, data.metrics, client)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
