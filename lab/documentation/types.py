"""The type of a setting in words, from the annotation that checks it."""

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt

from lab.config.types import FoldText

PLAIN = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null", dict: "mapping"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def words(annotation: Any) -> str:
    """An annotation as a person would say it: `whole number ≥ 1, or null`."""
    if annotation == FoldText:
        return "fold, such as `2/5`"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return " ".join([words(inner[0]), " and ".join(_bounds(inner[1:]))]).strip()
    if origin in (Union, types.UnionType):
        return ", or ".join(dict.fromkeys(map(words, inner)))
    if origin is Literal:
        return ", ".join(f"`{value}`".replace("\t", "\\t") for value in inner)
    if origin in (list, tuple):
        return "list" if inner[0] is Any or get_origin(inner[0]) is dict else f"list of {_in_brackets(words(inner[0]))}"
    if origin is dict:
        return "mapping"
    return PLAIN.get(annotation, "any value" if annotation is Any else getattr(annotation, "__name__", str(annotation)))


def _in_brackets(text: str) -> str:
    return f"({text})" if "," in text else text


def _bounds(metadata: Iterable[Any]) -> list[str]:
    """`≥ 1` and the like."""
    return [
        f"{sign} {getattr(bound, name):g}"
        for bound in metadata
        if isinstance(bound, Ge | Gt | Le | Lt | Interval)
        for name, sign in SIGNS.items()
        if getattr(bound, name, None) is not None
    ]
