"""The documentation site: built from docs/ without a warning, a dead link, or anything from outside."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shipped import PROJECT

from lab.documentation import serving, site

installed = all(importlib.util.find_spec(name) for name in serving.REQUIRED)
# In CI a skipped test would hide a site that does not build.
needs_mkdocs = pytest.mark.skipif(
    not installed and not os.environ.get("CI"),
    reason="needs mkdocs-material: pip install -c constraints.txt -e '.[docs]'",
)
LOADED = re.compile(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="?(https?://[^"> ]+)')


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", "mkdocs.yml", "-d", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=PROJECT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@needs_mkdocs
def test_the_site_builds_without_a_warning_and_has_every_page(built: Path) -> None:
    pages = {path.relative_to(built).as_posix() for path in built.rglob("*.html")}
    sources = {path.relative_to(site.DOCS).as_posix() for path in site.DOCS.rglob("*.md")}
    expected = {name.replace("README.md", "index.html").replace(".md", ".html") for name in sources}
    assert {"index.html", "project/CHANGELOG.html"} | expected <= pages


@needs_mkdocs
def test_no_page_loads_anything_from_outside(built: Path) -> None:
    loaded = [url for path in built.rglob("*.html") for url in LOADED.findall(path.read_text(encoding="utf-8"))]
    assert not loaded


@needs_mkdocs
def test_code_that_a_page_links_to_is_a_page(built: Path) -> None:
    concept = (built / "concepts" / "modules.html").read_text(encoding="utf-8")
    assert 'href="../source/lab/architectures/perceptron.py.html"' in concept
    assert "SequentialMLP" in (built / "source/lab/architectures/perceptron.py.html").read_text(encoding="utf-8")


def test_every_page_of_docs_is_in_the_navigation() -> None:
    listed = re.findall(r"^ +- ([\w/-]+\.md)$", (PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {path.relative_to(site.DOCS).as_posix() for path in site.DOCS.rglob("*.md")}
    assert sorted(listed) == sorted({*pages, "index.md"})


def test_a_link_out_of_docs_has_a_place_in_the_site() -> None:
    assert site.address(PROJECT / "README.md") == "index.md"
    assert site.address(PROJECT / "CHANGELOG.md") == "project/CHANGELOG.md"
    assert site.address(PROJECT / "lab" / "errors.py") == "source/lab/errors.py.md"
    assert site.address(PROJECT / "docs" / "runs.md") == "runs.md"
