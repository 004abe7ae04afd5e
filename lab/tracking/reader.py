"""Runs as they stand in the store."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient


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

    client = store.client()
    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        address = store.without_password(store.tracking_uri())
        raise LabError(f"the store {address} does not answer: {_first_line(error)}") from None
    return client


def find(run_id: str) -> StoredRun:
    """The run of that id, or the only one whose id begins so; raises LabError."""
    if not re.fullmatch("[0-9a-f]{1,32}", run_id):
        raise LabError(f"'{run_id}' is no run id; write the one that `lab run` printed, or its first letters")
    client = connect()
    experiments = {e.experiment_id: e.name for e in client.search_experiments()}
    matching = client.search_runs(list(experiments), f"attributes.run_id LIKE '{run_id}%'", max_results=5)
    if len(matching) != 1:
        found = "several ids begin so; write more of it" if matching else "`make mlflow` shows all runs"
        raise LabError(f"no single run '{run_id}': {found}")
    run = matching[0]
    return StoredRun(
        run.info.run_id,
        run.info.run_name,
        experiments[run.info.experiment_id],
        run.info.status,
        run.data.params,
        run.data.tags,
        run.data.metrics,
        client,
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
