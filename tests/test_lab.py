"""What `import lab` offers, and what it costs."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lab


def test_importing_the_lab_and_reading_runs_imports_nothing_heavy() -> None:
    code = (
        "import sys, lab\n"
        "assert 'run' in dir(lab)\n"
        "training = {'torch', 'lightning', 'mlflow'}\n"
        "heavy = (training | {'pandas', 'numpy', 'rich', 'lab.errors'}) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "lab.runs, lab.curves\n"
        "assert not training & set(sys.modules), training & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there_documented_and_listed() -> None:
    assert set(lab.__all__) == set(lab._MODULES)
    for name in lab.__all__:
        assert getattr(lab, name).__doc__
        assert name in dir(lab)
    assert lab.load.__module__ == "lab.inference.model"


def test_other_names_are_unknown() -> None:
    with pytest.raises(AttributeError, match="module 'lab' has no attribute 'runn'"):
        lab.runn  # noqa: B018


def test_imports_point_one_way() -> None:
    """Late imports and those for types alone count too; `prepare` raises CycleError for a circle."""
    top = Path(lab.__file__).parent
    files = {_module(path, top): path for path in top.rglob("*.py")}
    graph = {module: _imported(path, files.keys() - {module}) for module, path in files.items()}
    TopologicalSorter(graph).prepare()
    assert "lab.errors" in graph["lab.training.run"]


def _module(path: Path, top: Path) -> str:
    return ".".join(path.relative_to(top.parent).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, others: set[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{name.name}" for name in node.names}
            found |= submodules if submodules <= others else {*submodules, node.module}
    return found & others
