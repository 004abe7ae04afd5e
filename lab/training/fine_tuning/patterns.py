"""Patterns of names, by which settings choose parameters: `freeze`, `optimizer.groups`."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

from lab.architectures.members import Members
from lab.weights.loading import plain_names


def names_for_patterns(module: nn.Module, names: Iterable[str]) -> dict[str, str]:
    """Each name of a parameter or layer to the one that patterns are for: without wrappers, and as in every member."""
    prefixes = _members_of(module)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(next((each for each in prefixes if name.startswith(each)), ""), []).append(name)
    return {
        prefix + inner: plain
        for prefix, group in groups.items()
        for inner, plain in plain_names(name.removeprefix(prefix) for name in group).items()
    }


def _members_of(module: nn.Module) -> list[str]:
    """What the names begin with in each member; nothing for a single network."""
    found = next((name for name, layer in module.named_modules() if isinstance(layer, Members)), None)
    if found is None:
        return []
    start = f"{found}." if found else ""
    return [f"{start}members.{name}." for name, _ in module.get_submodule(f"{start}members").named_children()]


def matches(pattern: str, name: str, plain: str) -> bool:
    """Whether a pattern is for a parameter, by either of its names."""
    return fnmatchcase(plain, pattern) or fnmatchcase(name, pattern)
