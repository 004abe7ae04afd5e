"""The files of a run: which there are, and their content."""

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.tracking import reader

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST = 500  # files listed of a run
LARGEST_TEXT = 2_000_000  # bytes of a text that is shown


class Artifacts:
    """Reads the files of runs; every method raises LabError where the store or the file is not there."""

    def __init__(self) -> None:
        self._client: MlflowClient = reader.connect()

    def sizes(self, run: str) -> dict[str, int]:
        """The size of each file of a run in bytes, the first MOST files."""
        from mlflow.exceptions import MlflowException

        found: dict[str, int] = {}
        folders = [""]
        try:
            while folders and len(found) < MOST:
                for entry in self._client.list_artifacts(run, folders.pop() or None):
                    if entry.is_dir:
                        folders.append(entry.path)
                    else:
                        found[entry.path] = entry.file_size or 0
        except (MlflowException, OSError) as error:
            raise LabError(f"the files of this run cannot be listed: {str(error).partition(chr(10))[0]}") from None
        return dict(sorted(found.items()))

    def file(self, run: str, path: str) -> Path:
        """A local copy of a file."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self._client.download_artifacts(run, path))
        except (MlflowException, OSError) as error:
            raise LabError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from None

    def text(self, run: str, path: str) -> str:
        """A file as text, cut at LARGEST_TEXT bytes."""
        local = self.file(run, path)
        with local.open("rb") as file:
            content = file.read(LARGEST_TEXT).decode(errors="replace")
        cut = local.stat().st_size > LARGEST_TEXT
        return content + ("\n… (the rest is in the file)" if cut else "")
