"""What a run holds, read whole, and its hash: two stores hold the same run where the hashes are equal."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, LoggedModel, Metric, Run

SOURCE_TAG = "lab.sync.source"  # of a copy: the id of the run that it is a copy of
HASH_TAG = "lab.sync.hash"  # of a copy that was verified: the hash of the content
# Tags of a copy that differ from those of its source, or that MLflow adds by itself.
OWN_TAGS = (SOURCE_TAG, HASH_TAG, "mlflow.runName", "mlflow.artifactLocation")


@dataclass(frozen=True)
class Content:
    """A run of one store: its entity, every value of its metrics, its files (path to hash) and its models."""

    run: "Run"
    metrics: list["Metric"]
    files: dict[str, str]
    models: list["LoggedModel"]
    model_files: list[dict[str, str]]  # of each model

    @property
    def datasets(self) -> list["DatasetInput"]:
        """The data sets that the run used."""
        return list(self.run.inputs.dataset_inputs) if self.run.inputs else []

    def hash(self, renamed: dict[str, str]) -> str:
        """SHA-256 of everything; ids of runs as tags are replaced by `renamed`, in which a copy has other ids."""
        info, data = self.run.info, self.run.data
        tags = {key: renamed.get(value, value) for key, value in data.tags.items() if key not in OWN_TAGS}
        values = sorted((each.key, each.step, each.timestamp, repr(each.value)) for each in self.metrics)
        models = sorted(
            (each.name, sorted(files.items())) for each, files in zip(self.models, self.model_files, strict=True)
        )
        datasets = sorted((each.dataset.name, each.dataset.digest) for each in self.datasets)
        whole = [info.run_name, info.status, info.start_time, info.end_time, data.params, tags, values]
        text = json.dumps([*whole, self.files, models, datasets], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read(client: "MlflowClient", run_id: str) -> Content:
    """Read a run whole; its files are downloaded one after the other, and not kept."""
    run = client.get_run(run_id)
    metrics = [each for name in run.data.metrics for each in client.get_metric_history(run_id, name)]
    models = models_of(client, run)
    with tempfile.TemporaryDirectory() as folder:
        files = dict(_hashes(client, run_id, Path(folder)))
    return Content(run, metrics, files, models, [_model_hashes(client, each) for each in models])


def models_of(client: "MlflowClient", run: "Run") -> list["LoggedModel"]:
    """The LoggedModels of a run, oldest first."""
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    return sorted(found, key=lambda each: each.creation_timestamp)


def paths(client: "MlflowClient", run_id: str) -> Iterator[str]:
    """The paths of the files of a run."""
    folders: list[str | None] = [None]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop()):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                yield entry.path


def download_model(client: "MlflowClient", model: "LoggedModel", folder: str) -> Path:
    """Download the files of a model below a folder."""
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=model.artifact_location, dst_path=folder, tracking_uri=uri_of(client)))


def uri_of(client: "MlflowClient") -> str:
    """The address of the client's store."""
    return str(client.tracking_uri)


def _hashes(client: "MlflowClient", run_id: str, folder: Path) -> Iterator[tuple[str, str]]:
    for path in paths(client, run_id):
        local = Path(client.download_artifacts(run_id, path, str(folder)))
        yield path, _hash(local)
        local.unlink()


def _model_hashes(client: "MlflowClient", model: "LoggedModel") -> dict[str, str]:
    """The hash of each file but MLmodel, in which a copy has the ids of its own run and model."""
    with tempfile.TemporaryDirectory() as name:
        folder = download_model(client, model, name)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "MLmodel"]
        return {str(path.relative_to(folder)): _hash(path) for path in files}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
