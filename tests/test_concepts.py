"""docs/concepts: every snippet runs, every name of the lab that a page links to exists, and no page is left out."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shipped import PROJECT, SHIPPED

FOLDER = PROJECT / "docs" / "concepts"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_LINK = re.compile(r"\[`([\w.]+)`\]\((\.\./\.\./lab/[\w/]+\.py)\)")
COMPARISONS = {path.stem for path in (PROJECT / "experiments" / "comparisons").glob("*.yaml")}
# Each page in a namespace of its own, all in one process: importing torch takes longer than all of them.
RUN = """
import sys, traceback
from pathlib import Path
import torch
torch.set_num_threads(1)
for name in sys.argv[1:]:
    try:
        exec(compile(Path(name).read_text(), name, "exec"), {"__name__": Path(name).stem})
    except BaseException:
        print("FAILED", Path(name).stem, traceback.format_exc())
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the snippets of all pages printed: nothing, unless one failed."""
    folder = tmp_path_factory.mktemp("snippets")
    files = []
    for page in PAGES:
        files.append(folder / f"{page.stem}.py")
        files[-1].write_text("\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))), encoding="utf-8")
    command = [sys.executable, "-c", RUN, *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_snippets_of_a_page_run_and_their_figures_hold(failures: str, page: Path) -> None:
    assert BLOCK.search(page.read_text(encoding="utf-8"))
    found = re.search(rf"^FAILED {page.stem} (.*?)(?=^FAILED|\Z)", failures, re.MULTILINE | re.DOTALL)
    assert not found, found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_that_a_page_links_to_is_in_that_file(page: Path) -> None:
    links = CODE_LINK.findall(page.read_text(encoding="utf-8"))
    assert links
    for name, target in links:
        assert name in _defined(page.parent / target), (name, target)


def _defined(path: Path) -> set[str]:
    """The functions and classes of a module, and the methods of its classes as Class.method."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    top = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, kinds)]
    methods = {f"{each.name}.{inner.name}" for each in top for inner in each.body if isinstance(inner, kinds)}
    return {each.name for each in top} | methods


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_the_trap_and_which_shipped_experiment_and_comparison_show_it(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    assert re.search(r"^## .*trap", content, re.MULTILINE)
    table = content.partition("## In the lab")[2]
    rows = dict(re.findall(r"^\| (where|experiment|comparison) \| (.*) \|$", table, re.MULTILINE))
    assert set(rows) == {"where", "experiment", "comparison"}
    assert set(re.findall(r"NAME=(\w+)", rows["experiment"])) <= set(SHIPPED)
    assert set(re.findall(r"make compare NAME=(\w+)", rows["comparison"])) <= COMPARISONS


def test_the_index_lists_every_page() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == {page.name for page in PAGES}
