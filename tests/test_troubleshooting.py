"""Messages whose remedy is longer than a line name a section of docs/troubleshooting.md, and each is named."""

import ast
import re
from pathlib import Path

from shipped import PROJECT
from test_docs import anchors

from lab.errors import LabError, install, see

PAGE = PROJECT / "docs" / "troubleshooting.md"
CODE = [*(PROJECT / "lab").rglob("*.py"), *(PROJECT / "dashboard").rglob("*.py")]


def named(path: Path) -> list[str]:
    """The sections that the calls of `see` in a file name."""
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    arguments = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "see"]
    assert all(isinstance(each, ast.Constant) for each in arguments), f"{path}: see() is not given a plain name"
    return [str(ast.literal_eval(each)) for each in arguments]


def sections() -> list[str]:
    """The sections that belong to a message: those under the first heading."""
    part = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    return [title.lower().replace(" ", "-") for title in re.findall(r"^### (.*)$", part, re.MULTILINE)]


def test_a_message_ends_with_the_place_of_its_remedy_in_one_line() -> None:
    error = LabError(f"data.csv: No space left on device{see('disk-full')}")
    assert str(error) == "data.csv: No space left on device; see docs/troubleshooting.md#disk-full"


def test_every_section_that_a_message_names_exists() -> None:
    for path in CODE:
        for section in named(path):
            assert section in anchors(PAGE), f"{path} names #{section}"


def test_every_section_of_the_messages_is_named_by_one() -> None:
    reached = {section for path in CODE for section in named(path)}
    assert len(sections()) > 8
    assert set(sections()) <= reached


def test_a_missing_package_is_installed_with_the_pinned_versions_and_keeps_the_lab_editable() -> None:
    command, _, place = install("vision").partition("; ")
    assert command == ".venv/bin/pip install -c constraints.txt -e '.[vision]'"
    assert place == "see docs/troubleshooting.md#missing-package"
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        assert path.name == "errors.py" or not re.search(r"pip install (?!-c constraints\.txt -e)(.*)\.\[", text), path
