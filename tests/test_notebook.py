"""docs/notebook.ipynb runs from top to bottom, and shows what it promises."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from shipped import PROJECT

import lab


def test_the_notebook_runs_and_shows_tables_and_a_plot(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Streamlit sets it in the process that has run its tests
    (workplace / "docs").mkdir()
    notebook = nbformat.read(PROJECT / "docs" / "notebook.ipynb", as_version=4)
    stored = kinds(notebook)
    place = {"metadata": {"path": str(workplace / "docs")}}  # where Jupyter opens it
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()
    assert kinds(notebook) == stored
    assert {"text/html", "image/png"} <= set.union(*stored)
    shown = [output.data.get("text/html") for output in outputs(notebook) if output.output_type == "display_data"]
    assert shown.count("") == 5  # the places of the progress bars of three runs, a comparison and a study
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]
    assert set(lab.runs()["state"]) == {"✓ finished"}


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def kinds(notebook: NotebookNode) -> list[set[str]]:
    """The kinds of each output, such as text/html."""
    return [set(output.get("data", {})) for output in outputs(notebook)]
