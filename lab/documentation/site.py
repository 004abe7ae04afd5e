"""A hook of mkdocs: README is the site's first page, and what pages link to outside docs/ is a page as well.

A link to a file of the project, such as ../lab/errors.py, works in a clone and on a code host; here its target becomes
a page below source/ or project/, and the link is rewritten to it. mkdocs.yml names this file; it imports nothing of the
lab.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import relpath
from typing import Any

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
LINK = re.compile(r"(?<=\]\()([^)#\s]+)(?=[#)])")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}

origins: dict[str, Path] = {}  # address of a page in the site to the file that it is made from


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of files outside docs/."""
    from mkdocs.structure.files import File

    origins.clear()
    waiting = [PROJECT / "README.md", *DOCS.rglob("*.md")]
    while waiting:
        origin = waiting.pop()
        place = address(origin)
        if place in origins:
            continue
        origins[place] = origin
        if origin.suffix == ".md":
            waiting += [target for _, target in linked(origin) if target.is_file() and _is_page(target)]
        if not _in_docs(origin):
            files.append(File.generated(config, place, content=content(origin)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite the links of a page to where their targets are in the site."""
    place = page.file.src_uri
    if place not in origins or origins[place].suffix != ".md":
        return markdown
    targets = {link: relpath(address(target), Path(place).parent.as_posix()) for link, target in linked(origins[place])}
    return LINK.sub(lambda found: targets.get(found[1], found[1]), markdown)


def address(path: Path) -> str:
    """Where a file of the project is in the site; a folder is shown by the first page."""
    if path.is_dir():
        return "index.md"
    if _in_docs(path):
        return path.relative_to(DOCS).as_posix()
    name = path.relative_to(PROJECT).as_posix()
    if name == "README.md":
        return "index.md"
    return f"project/{name}" if path.suffix == ".md" else f"source/{name}.md"


def linked(page: Path) -> Iterator[tuple[str, Path]]:
    """The links of a page to files and folders of the project, and those."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / link).resolve()
        if target.exists() and target.is_relative_to(PROJECT):
            yield link, target


def content(path: Path) -> str:
    """A file as a page: code in a block under its name."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path.relative_to(PROJECT)}\n\n`````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n`````\n"


def _is_page(path: Path) -> bool:
    """Whether it is a page of the site: not the pictures and notebooks in docs/, which are copied."""
    return path.suffix == ".md" or not _in_docs(path)


def _in_docs(path: Path) -> bool:
    return path.is_relative_to(DOCS)
