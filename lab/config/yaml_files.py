"""Read and write YAML: safely, in bounded time, with `1e-4` as a number, and with duplicate keys as errors."""

import re
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError, abbreviated

LONGEST_TEXT = 300_000  # characters: PyYAML takes half a second for as many
MOST_VALUES = 5_000  # with each alias counted as often as it is used: nine lists of nine aliases are 9^9 values
DEEPEST = 50  # levels of lists and mappings; PyYAML, JSON and pydantic each recurse
STANDARD = "tag:yaml.org,2002:"
MERGE = f"{STANDARD}merge"
TIMESTAMP = f"{STANDARD}timestamp"
PLAIN = {MERGE, *(f"{STANDARD}{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map"))}
NUMBERS = (f"{STANDARD}int", f"{STANDARD}float")
TYPES = "use numbers, text, lists and mappings only"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which by default has no bounds, reads `1e-4` as text and keeps the last of equal keys.

    What its constructors raise for a value such as `!!int xyz` is turned into an error with a position.
    """

    # Dates are text: no setting has the type of a date, and `2026-02-30` would raise.
    yaml_implicit_resolvers = {  # noqa: RUF012 (declared so by PyYAML)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0
        self._values = 0  # so far, aliases expanded
        self._values_in: dict[int, int] = {}  # finished node (its id) to the number of values in it

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; raises MarkedYAMLError for a document too deep, too large or endless."""
        event = self.peek_event()
        before = self._values
        self._depth += 1
        if self._depth > DEEPEST:
            raise _error(event, f"more than {DEEPEST} levels of lists and mappings")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._values_in:
                raise _error(event, f"`*{event.anchor}` contains itself")
            self._values += self._values_in[id(node)]
        else:
            self._values += 1
            self._values_in[id(node)] = self._values - before
        if self._values > MOST_VALUES:
            raise _error(event, f"more than {MOST_VALUES:,} values")
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; raises MarkedYAMLError where it has none, or one of another type than JSON has."""
        if node.tag not in PLAIN:
            raise _error(node, f"no such type: {abbreviated(node.tag.replace(STANDARD, '!!'))}; {TYPES}")
        try:
            if node.tag in NUMBERS and ":" in node.value:
                raise ValueError("1:30 as 90, to the base of 60, is not what anybody means")
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # half of a surrogate pair is no text
        except (ValueError, KeyError, AttributeError):  # `0x_`, `!!bool xyz`, `!!float x`, 5,000 digits
            kind, shown = node.tag.removeprefix(STANDARD), node.value if isinstance(node.value, str) else "this"
            raise _error(node, f"`{abbreviated(shown)}` cannot be read as {kind}; quote it if it is text") from None
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are texts, each given once; a key beside `<<` replaces the merged one."""
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
        return super().construct_mapping(node, deep)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _error(key_node, f"a setting's name must be text, not {abbreviated(repr(key))}")
            if key in seen:
                raise _error(key_node, f"`{abbreviated(key)}` is given twice")
            seen.add(key)


def _error(place: yaml.Node | yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)  # type: ignore[arg-type]


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def parse(text: str, source: str) -> Any:
    """The value of a YAML text; raises LabError, with line and column, if it does not parse."""
    if len(text) > LONGEST_TEXT:
        raise LabError(f"{source}: {len(text):,} characters; at most {LONGEST_TEXT:,} are read")
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: constructs plain values only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        position = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise LabError(f"{source}: {position}{error.problem}") from None
    except yaml.YAMLError as error:
        raise LabError(f"{source}: not YAML: {' '.join(str(error).split())}") from None


def read(path: Path) -> tuple[dict[str, Any], str]:
    """A YAML file's top-level mapping, and its first comment as one line."""
    try:
        text = _text(path)
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    return mapping(text, str(path)), first_comment(text)


def _text(path: Path) -> str:
    """The text of a file, without a byte-order mark; raises LabError for what is no file, or far too large."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe or a device may never end
        raise LabError(f"{path}: cannot be read: it is not a file")
    with path.open("rb") as file:
        content = file.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise LabError(f"{path}: more than {LONGEST_TEXT:,} bytes; that is no experiment")
    return content.decode("utf-8-sig")


def mapping(text: str, source: str) -> dict[str, Any]:
    """The top-level mapping of a YAML text; raises LabError."""
    content = parse(text, source)
    if not isinstance(content, dict):
        raise LabError(f"{source}: must contain settings (`data: {{kind: ...}}`), not {type(content).__name__}")
    return content


def first_comment(text: str) -> str:
    """The first block of comment lines of a text, joined."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(line.lstrip("# ").rstrip())
        elif line.strip() or lines:
            break
    return " ".join(lines)


def write(settings: dict[str, Any]) -> str:
    """Settings as YAML text, in the given order."""
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
