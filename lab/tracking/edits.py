"""Changes that the user makes to a recorded run: its name, tags, note and files, and archiving."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking.reading import stored_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient


NOTE = "mlflow.note.content"  # the tag that MLflow's own pages show as the description
RESERVED_PREFIXES = ("mlflow.", "lab.", "data.", "git.", "machine.", "version.")  # of tags that are recorded


def rename(run: str, name: str) -> None:
    """Rename a run; raises LabError."""
    if not name.strip():
        raise LabError("a name needs at least one character")
    with _client() as client:
        client.update_run(run, name=name.strip())


def note(run: str, text: str) -> None:
    """Set the description of a run; raises LabError."""
    with _client() as client:
        client.set_tag(run, NOTE, text)


def tag(runs: Iterable[str], key: str, value: str) -> None:
    """Set a tag of runs, or remove it where the value is empty; raises LabError."""
    key = key.strip()
    if not key:
        raise LabError("a tag needs a name")
    if key.startswith(RESERVED_PREFIXES):
        raise LabError(
            f"'{key}' is reserved: tags that start with {', '.join(RESERVED_PREFIXES)} are recorded by the lab"
        )
    with _client() as client:
        for run in runs:
            if value:
                client.set_tag(run, key, value)
            elif key in client.get_run(run).data.tags:
                client.delete_tag(run, key)


def archive(runs: Iterable[str]) -> None:
    """Hide runs from every list, as MLflow does when it deletes them; raises LabError."""
    with _client() as client:
        for run in runs:
            client.delete_run(run)


def restore(runs: Iterable[str]) -> None:
    """Restore archived runs; raises LabError."""
    with _client() as client:
        for run in runs:
            client.restore_run(run)


def replace_files(run: str, folder: str, source: Path) -> None:
    """Write the files below `source` to a folder of a run's artifacts, in place of those in it; raises LabError.

    In a store that cannot delete files, those of other names stay.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    new = {f"{folder}/{path.relative_to(source).as_posix()}" for path in source.rglob("*") if path.is_file()}
    with _client() as client:
        old = [path for path in _files_below(client, run, folder) if path not in new]
        client.log_artifacts(run, str(source), folder)
        repository = get_artifact_repository(client.get_run(run).info.artifact_uri)
        with suppress(Exception):  # whatever a store raises that cannot
            for path in old:
                repository.delete_artifacts(path)


def _files_below(client: "MlflowClient", run: str, folder: str) -> Iterator[str]:
    for entry in client.list_artifacts(run, folder):
        yield from _files_below(client, run, entry.path) if entry.is_dir else [entry.path]


@contextmanager
def _client() -> Iterator["MlflowClient"]:
    from mlflow.exceptions import MlflowException

    try:
        yield stored_runs.connect()
    except (MlflowException, OSError) as error:
        raise LabError(f"not changed: {str(error).partition(chr(10))[0]}") from None
