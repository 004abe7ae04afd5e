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


def test_the_map_of_the_code_names_every_package_and_none_that_is_gone() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = {name.rstrip("/") for name in re.findall(r"`((?:lab|dashboard)/[\w/]*)`", text)} | {"lab"}
    folders = {path.parent.relative_to(PROJECT).as_posix() for path in PROJECT.glob("*/**/__init__.py")}
    assert {folder for folder in folders if folder.startswith(("lab", "dashboard"))} <= listed
    assert not {name for name in listed if not (PROJECT / name).is_dir()}


def test_the_map_of_the_code_says_which_file_to_open_first() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for packages, files in re.findall(r"^\| (`(?:lab|dashboard|tests)/.*?) \| .* \| (.*?) \|$", text, re.MULTILINE):
        for name in re.findall(r"`([\w/.]+)`", files):
            folders = re.findall(r"`([\w/]+)`", packages)
            assert any((PROJECT / folder / name).is_file() for folder in folders), (packages, name)


def test_the_picture_of_the_way_of_a_run_names_packages_that_exist() -> None:
    picture = (PROJECT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    names = re.findall(r">(lab\.[\w.]+|dashboard)\b", picture)
    assert len(names) > 10
    for name in names:
        assert (PROJECT / name.replace(".", "/")).is_dir(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_picture_is_drawn_by_a_script_from_the_network(page: Path) -> None:
    """The site, which loads nothing from outside, would show its source."""
    assert "```mermaid" not in page.read_text(encoding="utf-8")
