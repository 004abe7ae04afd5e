"""README and docs: every link leads somewhere, and every YAML block of an experiment is YAML."""

import re
from pathlib import Path

import pytest
import yaml
from shipped import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_block_is_yaml(page: Path) -> None:
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        lines = block.splitlines()
        alternatives = all(line.partition(":")[0] == lines[0].partition(":")[0] for line in lines)  # one per line
        for part in lines if alternatives else [block]:
            assert isinstance(yaml.safe_load(part), dict), part


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            links = LINK.findall(page.read_text(encoding="utf-8"))
            targets = [
                (page.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith("http")
            ]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert set(PAGES) <= reached


def test_the_messages_in_troubleshooting_are_those_of_the_lab() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "lab").rglob("*.py"))
    rows = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)`", rows, re.MULTILINE)
    assert len(messages) > 15
    for message in messages:
        for part in re.split(r"'?\.\.\.'?|'x'|\d{4}|;", message):
            assert part.strip() in code, message
