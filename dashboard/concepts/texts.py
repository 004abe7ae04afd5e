"""The pages of docs/concepts as text for the dashboard."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "concepts"
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")  # to a file, which a browser cannot open from here
LISTED = re.compile(r"^\| \[[^\]]*\]\(([\w-]+)\.md\)", re.MULTILINE)


@dataclass(frozen=True)
class Concept:
    """A page: its name in the address, its title, and its Markdown without title and without links to files."""

    name: str
    title: str
    text: str


def concepts(folder: Path = FOLDER) -> list[Concept]:
    """All pages in the order of the index; none where the lab is installed without its docs."""
    index = folder / "README.md"
    if not index.exists():
        return []
    return [_read(folder / f"{name}.md") for name in LISTED.findall(index.read_text(encoding="utf-8"))]


def _read(path: Path) -> Concept:
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    return Concept(path.stem, title.lstrip("# "), LINK.sub(r"\1", text).strip())
