"""The files of stored runs, listed and downloaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking.reading.stored_runs import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient


MOST_FILES = 500  # of a run that are listed
LARGEST_TEXT = 2_000_000  # bytes


class Artifacts:
    """Reads the artifacts of runs; every method raises LabError where the store or the file cannot be read."""

    def __init__(self) -> None:
        self._client: MlflowClient = connect()

    def sizes(self, run: str) -> dict[str, int]:
        """The sizes of the artifacts of a run in bytes, of at most about MOST_FILES."""
        from mlflow.exceptions import MlflowException

        found: dict[str, int] = {}
        folders = [""]
        try:
            while folders and len(found) < MOST_FILES:
                for entry in self._client.list_artifacts(run, folders.pop() or None):
                    if entry.is_dir:
                        folders.append(entry.path)
                    else:
                        found[entry.path] = entry.file_size or 0
        except (MlflowException, OSError) as error:
            raise LabError(f"the files of this run cannot be listed: {str(error).partition(chr(10))[0]}") from None
        return dict(sorted(found.items()))

    def file(self, run: str, path: str) -> Path:
        """Download an artifact; returns its local path."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self._client.download_artifacts(run, path))
        except (MlflowException, OSError) as error:
            raise LabError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from None

    def text(self, run: str, path: str) -> str:
        """An artifact as text, cut at LARGEST_TEXT bytes."""
        local = self.file(run, path)
        with local.open("rb") as file:
            content = file.read(LARGEST_TEXT).decode(errors="replace")
        cut = local.stat().st_size > LARGEST_TEXT
        return content + ("\n… (the rest is in the file)" if cut else "")
