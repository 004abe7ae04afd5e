"""docs/notebook.ipynb runs from top to bottom, and shows what it promises."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from shipped import PROJECT

import lab


@pytest.mark.usefixtures("workplace")
def test_the_notebook_runs_and_shows_tables_and_a_plot(workplace: Path) -> None:
    (workplace / "docs").mkdir()
    notebook = nbformat.read(PROJECT / "docs" / "notebook.ipynb", as_version=4)
    stored = shown(notebook)
    place = {"metadata": {"path": str(workplace / "docs")}}  # where Jupyter opens it
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()
    assert shown(notebook) == stored
    assert {"text/html", "image/png"} <= {kind for kinds in stored for kind in kinds}
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert set(lab.runs()["state"]) == {"✓ finished"}


def shown(notebook: nbformat.NotebookNode) -> list[set[str]]:
    """The kinds of output of each cell, such as text/html."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    return [{kind for output in each for kind in output.get("data", {})} for each in outputs]
