"""Check settings against the signature of a constructor, with pydantic."""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from numbers import Number
from types import SimpleNamespace
from typing import Any, Union, get_args, get_origin, get_type_hints

import pydantic

from lab.errors import abbreviated, did_you_mean

NO_YAML = "must be an object that cannot be written in YAML"
GIVEN = "; give it a value, or name the argument in_features, out_features, ... if the data decides it"


def check(
    target: Callable[..., Any],
    settings: Mapping[str, Any],
    path: str,
    supplied: Collection[str] = (),
    also: Collection[str] = (),
) -> list[str]:
    """Check settings against the signature of `target`; returns one line per error.

    `path` is the dotted name of the section, "" at the top level; `supplied` are parameters that are not settings;
    `also` are settings of the section that are checked elsewhere, and which a misspelt one may mean.
    """
    model = _settings_model(target, frozenset(supplied))
    try:
        # Validated as JSON: strict about types, except that a list is accepted for a tuple.
        model.model_validate_json(json.dumps(dict(settings)))
    except pydantic.ValidationError as error:
        return _messages(error, model, path, also)
    except (TypeError, ValueError) as error:
        return [f"{path}: {error}; use numbers, text, lists and mappings only"]
    return []


def defaults(target: Callable[..., Any], supplied: Collection[str] = ()) -> dict[str, Any]:
    """The settings of `target` that have a default value of a plain type."""
    return {
        name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for name, (_, parameter) in parameters(target).items()
        if name not in supplied
        and isinstance(parameter.default, bool | int | float | str | list | tuple | dict | type(None))
    }


def names(target: Callable[..., Any]) -> list[str]:
    """The names of all parameters of `target`."""
    return list(parameters(target))


def accepts(target: Callable[..., Any], name: str) -> bool:
    """Whether `target` has a parameter of that name."""
    return name in parameters(target)


def requires(target: Callable[..., Any], name: str) -> bool:
    """Whether `target` has a parameter of that name without a default."""
    return accepts(target, name) and parameters(target)[name][1].default is inspect.Parameter.empty


def dotted(path: str, name: str) -> str:
    """`optimizer` and `lr` as `optimizer.lr`."""
    return f"{path}.{name}" if path and name else path or name


@cache
def parameters(target: Callable[..., Any]) -> dict[str, tuple[Any, inspect.Parameter]]:
    """Name to (type, parameter) of the parameters of `target`."""
    hints = _hints(target.__init__ if inspect.isclass(target) else target)
    signature = inspect.signature(target)
    return {name: (hints.get(name, Any), parameter) for name, parameter in signature.parameters.items()}


def _hints(function: Any) -> dict[str, Any]:
    """The types of the parameters that can be resolved at run time: names for type checkers alone cannot."""
    found: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        one = SimpleNamespace(__annotations__={name: annotation})
        with suppress(NameError):
            found |= get_type_hints(one, getattr(function, "__globals__", {}), include_extras=True)
    return found


@cache
def _settings_model(target: Callable[..., Any], supplied: frozenset[str]) -> type[pydantic.BaseModel]:
    """The parameters of `target`, without those that the lab supplies, as a pydantic model."""
    fields: dict[str, Any] = {}
    extra: Any = "forbid"
    for name, (annotation, parameter) in parameters(target).items():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY) and name not in supplied:
            default = ... if parameter.default is parameter.empty else parameter.default
            # The alias allows parameters with names that pydantic reserves.
            fields[f"setting_{name}"] = (_as_float(annotation), pydantic.Field(default, alias=name))
    config = pydantic.ConfigDict(extra=extra, strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
    return pydantic.create_model(f"{target.__name__}Settings", __config__=config, **fields)


def _as_float(annotation: Any) -> Any:
    """A type with `numbers.Number`, of which JSON knows nothing, as `float`."""
    if get_origin(annotation) is Union:
        return Union[tuple(map(_as_float, get_args(annotation)))]  # noqa: UP007 (made at run time)
    return float if annotation is Number else annotation


def _messages(
    error: pydantic.ValidationError, model: type[pydantic.BaseModel], path: str, also: Collection[str]
) -> list[str]:
    """One line per invalid setting; the errors of the branches of a union are joined."""
    known = [*(str(field.alias) for field in model.model_fields.values()), *also]
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        setting = str(detail["loc"][0]) if detail["loc"] else ""
        message = _message(detail, known, path)
        if message not in found.setdefault(setting, []):
            found[setting].append(message)
    return [f"{dotted(path, setting)}: {_joined(messages)}" for setting, messages in found.items()]


def _message(detail: Any, known: list[str], path: str) -> str:
    """The message for one pydantic error."""
    kind, value = detail["type"], detail["input"]
    if "isinstance" in detail["msg"]:  # pydantic's way to say that JSON has no such type
        return f"{NO_YAML}, not {_shown(value)}"
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        near = did_you_mean(str(detail["loc"][0]), known, f"{path}." if path else "")
        return f"no such setting; {near}"
    if kind == "missing":
        return "is required" + (GIVEN if path == "model" else "")
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), '')}, not {_shown(value)}"
    bounds = {
        "greater_than": f"must be greater than {context.get('gt', 0):g}",
        "greater_than_equal": f"must be at least {context.get('ge', 0):g}",
        "less_than": f"must be less than {context.get('lt', 0):g}",
        "less_than_equal": f"must be at most {context.get('le', 0):g}",
        "finite_number": "must be a finite number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "list_type": "must be a list",
        "tuple_type": "must be a list",
        "dict_type": "must be a mapping",
    }
    return f"{bounds.get(kind, detail['msg'])}, not {_shown(value)}"


def _joined(messages: list[str]) -> str:
    """Several messages for one setting as one: 'must be a number, or text, not [1]'."""
    messages = [message for message in messages if not message.startswith(NO_YAML)] or messages
    if len(messages) == 1:
        return messages[0]
    ends = {message.rpartition(", not ")[2] for message in messages}
    if len(ends) > 1:
        return "; or ".join(messages)
    starts = [message.rpartition(", not ")[0].removeprefix("must be ") for message in messages]
    return f"must be {', or '.join(starts)}, not {ends.pop()}"


def _shown(value: Any) -> str:
    """A value as it is written in YAML, abbreviated."""
    if value is None:
        return "null"
    shown = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return abbreviated(shown)
