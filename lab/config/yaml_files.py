"""Read and write YAML: safely, with `1e-4` as a number, and with duplicate keys as errors."""

import re
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which by default reads `1e-4` as text and keeps the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    problem=f"a setting's name must be text, not {key!r}", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"`{key}` is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def parse(text: str, source: str) -> Any:
    """The value of a YAML text; raises LabError, with line and column, if it does not parse."""
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
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    return mapping(text, str(path)), first_comment(text)


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
