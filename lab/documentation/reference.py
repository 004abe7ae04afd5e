"""Write docs/reference/: every setting with its type, default and meaning, from the code that checks it.

Names, types and defaults are those of the constructors; what a setting does is a sentence in
docs/reference/settings.yaml, by section and name, or by section and `kind.name` where kinds differ.
`make reference` runs it.
"""

import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from lab.comparisons import comparison
from lab.config import kinds, schema, sections, trainer_settings
from lab.documentation import public_api
from lab.documentation.types import words
from lab.studies import space

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "reference"
MADE = "<!-- Made by `make reference` from the code and settings.yaml; edit those. -->\n"
LINE = 120  # characters of a line of text
OWN = {
    "data": "A kind of your own: [data](../data.md). Any `data:` also takes the settings of its last table.",
    "model": "A network of your own is `package.module:Class`: [experiments](../experiments.md).",
    "optimizer": "Any class of `torch.optim` works by its dotted path, with that class's arguments.",
    "scheduler": "Any class of `torch.optim.lr_scheduler` works by its dotted path, with that class's arguments.",
    "loss": "Any loss of `torch.nn`, and your own, works as `package.module:Class`. By default that of the task.",
    "data.augment": "Transforms of `torchvision.transforms.v2` work by name, your own as `package.module:Class`.",
}


@dataclass(frozen=True)
class Setting:
    """One setting: where it is described, and what the code says about it."""

    section: str
    kind: str | None
    name: str
    type: str
    default: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its sentence in settings.yaml, the most specific first."""
        return (f"{self.kind}.{self.name}", self.name) if self.kind else (self.name,)

    def meaning(self, described: dict[str, dict[str, str]]) -> str:
        """What it does; raises KeyError where nobody has said it."""
        of_section = described.get(self.section, {})
        for key in self.keys:
            if key in of_section:
                return of_section[key]
        raise KeyError(f"docs/reference/settings.yaml has no sentence for {self.section}: {' or '.join(self.keys)}")


def pages() -> dict[str, str]:
    """The name of each page to its content."""
    described = yaml.safe_load((FOLDER / "settings.yaml").read_text(encoding="utf-8"))
    made = {
        "experiment.md": _page("An experiment file", "experiment", described),
        "data.md": _page("Section `data`", "data", described) + _augment(described),
        **{f"{name}.md": _page(f"Section `{name}`", name, described) for name in _PARTS[1:]},
        "trainer.md": _page("Section `trainer`", "trainer", described),
        "search.md": _page("Section `search`", "search", described),
        "comparison.md": _page("A comparison file", "comparison", described),
        "python.md": public_api.page(),
    }
    return {"README.md": _index(made), **{name: f"{content}\n{MADE}" for name, content in made.items()}}


def settings() -> list[Setting]:
    """Every setting that the lab checks."""
    return [
        setting for section in (*_TABLES, *_PARTS, "data.augment") for *_, rows in _tables(section) for setting in rows
    ]


_PARTS = ("data", "model", "optimizer", "scheduler", "loss")


def _early_stopping() -> list[Setting]:
    return _of(sections.early_stopping, "early_stopping", supplied=sections.SUPPLIED["early_stopping"])


def _trainer() -> list[Setting]:
    own = [setting for checked in trainer_settings.schemas() for setting in _of(checked, "trainer")]
    known = {setting.name for setting in own} | {*trainer_settings.SUPPLIED, *trainer_settings.REFUSED}
    return own + _of(kinds.trainer(), "trainer", supplied=known)


def _search() -> list[Setting]:
    hints = get_type_hints(space.Dimension)
    names = sorted(space.RANGE_KEYS | space.CHOICE_KEYS, key=list(hints).index)
    shown = {"choices": "list", "when": "mapping", "step": "number"}
    return [Setting("search", None, name, shown.get(name) or words(hints[name]), "") for name in names]


# Sections without kinds: title, and how its settings are found.
_TABLES: dict[str, list[tuple[str, Callable[[], list[Setting]]]]] = {
    "experiment": [
        ("The sections of a file", lambda: _of(sections.top_level, "experiment")),
        ("Section `early_stopping`", _early_stopping),
        ("Section `checkpoints`", lambda: _of(sections.checkpoints, "checkpoints")),
        ("Section `resources`", lambda: _of(sections.resources, "resources")),
        ("Section `seeds`", lambda: _of(sections.seeds, "seeds")),
    ],
    "trainer": [("Settings", _trainer)],
    "search": [("One entry, by the name of a setting", _search)],
    "comparison": [("Settings", lambda: _of(comparison.of_file, "comparison"))],
}


def _tables(section: str) -> Iterator[tuple[str, str, list[Setting]]]:
    """Title, introduction and settings of each table of a section."""
    for title, found in _TABLES.get(section, ()):
        yield title, "", found()
    for kind in kinds.SHIPPED.get(section, {}):
        target = kinds.find(section, kind)
        supplied = sections.SUPPLIED[section.partition(".")[0]]
        yield f"`kind: {kind}`", _first_sentence(target), _of(target, section, kind, supplied)
    if section == "data":
        yield "Of every kind", "", _of(sections.training_batches, "data")


def _of(
    target: Callable[..., Any], section: str, kind: str | None = None, supplied: Collection[str] = ()
) -> list[Setting]:
    """The settings of one constructor or schema."""
    parameters = schema.parameters(target)
    return [
        Setting(section, kind, name, words(annotation), _default(parameter))
        for name, (annotation, parameter) in parameters.items()
        if name not in supplied and parameter.kind is not parameter.VAR_KEYWORD
    ]


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return "required"
    value = parameter.default
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}`"


def _first_sentence(target: Callable[..., Any]) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join((inspect.getdoc(target) or "").partition("\n\n")[0].split())


def _page(title: str, section: str, described: dict[str, dict[str, str]], level: str = "##") -> str:
    lines = [f"# {title}\n"] if level == "##" else [f"{level[1:]} {title}\n"]
    lines += [
        f"{_wrapped(text)}\n" for text in (described.get("sections", {}).get(section, ""), OWN.get(section, "")) if text
    ]
    for heading, introduction, rows in _tables(section):
        lines += [f"{level} {heading}\n", *([f"{introduction}\n"] if introduction else [])]
        lines += [_table(rows, described)] if rows else ["No settings.\n"]
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, LINE, break_long_words=False, break_on_hyphens=False)


def _augment(described: dict[str, dict[str, str]]) -> str:
    return "\n" + _page("The transforms of `data.augment`", "data.augment", described, "###")


def _table(rows: list[Setting], described: dict[str, dict[str, str]]) -> str:
    head = "| setting | type | default | what it does |\n|---|---|---|---|\n"
    cells = [[f"`{row.name}`", row.type, row.default, row.meaning(described).strip()] for row in rows]
    return head + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in cells)


def _index(made: dict[str, str]) -> str:
    """The first page: a link to each of the others."""
    titles = {name: content.partition("\n")[0].lstrip("# ") for name, content in made.items()}
    links = "".join(f"- [{title}]({name})\n" for name, title in titles.items())
    introduction = (
        "Every setting with its type, its default and what it does. `.venv/bin/lab show NAME` prints an experiment "
        "with all defaults filled in; any setting is changed on the command line by its dotted name, as "
        "`optimizer.lr=0.01`."
    )
    return f"# Reference\n\n{_wrapped(introduction)}\n\n{links}\n{MADE}"


def write() -> int:
    """Write all pages; returns their number."""
    made = pages()
    for name, content in made.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    return len(made)


if __name__ == "__main__":
    try:
        print(f"{write()} pages in docs/reference/")
    except KeyError as error:
        sys.exit(str(error.args[0]))
