"""Hyperparameters of any kind as settings with dotted names and values that do not change from run to run."""

import dataclasses
import functools
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np
from torch import Tensor

from lab.tracking.writing.tracker import stored_name

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in the repr of an object: another one in every process
MOST_ELEMENTS = 100  # of a tensor or an array that are written out
INTERNAL = ("_class_path", "_instantiator")  # entries of LightningCLI's own
Primitive = bool | int | float | str | None


def flatten(params: Mapping[str, Any] | Namespace | None) -> dict[str, Any]:
    """Settings such as `optimizer.lr` from nested dicts, namespaces and dataclasses; the values can be JSON.

    Other values become text that is the same in every process: two runs must not differ by the address of an object.
    """
    return {stored_name(name): value for name, value in _flat(params or {}, "") if name not in INTERNAL}


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    entries = _entries(value)
    if entries is None:
        yield name, _plain(value)
        return
    for key, entry in entries.items():
        yield from _flat(entry, f"{name}.{key}" if name else str(key))


def _entries(value: Any) -> Mapping[Any, Any] | None:
    """What a nested setting contains; None for a value."""
    if isinstance(value, Namespace):
        return vars(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        return dict(enumerate(value))
    return None


def _plain(value: Any) -> Any:
    """A value as JSON has it, else as text."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Primitive):
        return value
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return _array(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(entry)) for entry in value)
    return _text(value)


def _array(value: Any) -> Any:
    """A number or a short list of numbers; of more, the shape."""
    if isinstance(value, np.generic) or value.ndim == 0:
        return _plain(value.item())
    size = value.numel() if isinstance(value, Tensor) else value.size
    return value.tolist() if size <= MOST_ELEMENTS else f"{type(value).__name__} of shape {tuple(value.shape)}"


def _text(value: Any) -> str:
    """A class or function by its name, any other object by its text, without addresses."""
    if isinstance(value, functools.partial):
        arguments = [str(_plain(entry)) for entry in value.args]
        arguments += [f"{name}={_plain(entry)}" for name, entry in value.keywords.items()]
        return f"{_text(value.func)}({', '.join(arguments)})"
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return f"{value.__module__}.{name}"
    return ADDRESS.sub("", str(value))
