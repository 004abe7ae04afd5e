"""The reference page of what `import lab` offers, from signatures and docstrings."""

import inspect
from typing import Any

import lab


def page() -> str:
    """The page, a heading for each public name."""
    head = "# From Python\n\nWhat `import lab` offers; [how it is used](../python.md).\n"
    return "\n".join([head, *(_entry(name, getattr(lab, name)) for name in sorted(lab.__all__, key=str.lower))])


def _entry(name: str, target: Any) -> str:
    """A name with its signature and docstring; of a class those of its public methods, too."""
    parts = [f"## `lab.{name}`\n", _described(name, target)]
    if inspect.isclass(target) and not issubclass(target, Exception):
        own = [(each, found) for each, found in vars(target).items() if not each.startswith("_")]
        parts += [_described(each, found) for each, found in own if inspect.isfunction(found)]
    return "\n".join(parts)


def _described(name: str, target: Any) -> str:
    return f"```text\n{name}{_signature(target)}\n```\n\n{inspect.getdoc(target) or ''}\n"


def _signature(target: Any) -> str:
    if inspect.isclass(target) and issubclass(target, Exception):
        return "(...)"
    shown = [parameter for parameter in inspect.signature(target).parameters.values() if parameter.name != "self"]
    return f"({', '.join(f'{_stars(each)}{each.name}{_default(each)}' for each in shown)})"


def _stars(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is parameter.VAR_KEYWORD else ""


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else f"={parameter.default!r}"
