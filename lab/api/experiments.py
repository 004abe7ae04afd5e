"""An experiment from what a caller writes: a name, a path or a mapping, and overrides as a mapping."""

import dataclasses
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from lab.config import experiment, yaml_files
from lab.config.experiment import Experiment
from lab.errors import LabError
from lab.files import LONGEST_NAME

UNNAMED = "unnamed"
Source = str | PathLike[str] | Mapping[str, Any]
Overrides = Mapping[str, Any]


def chosen(
    source: Source, overrides: Overrides | None = None, seed: int | None = None, name: str | None = None
) -> Experiment:
    """The experiment that a caller means, checked; raises LabError with one line per error.

    `source` is a name in experiments/, the path of a YAML file, or a mapping with the sections of one; `name` is that
    under which its runs are recorded, by default that of the file.
    """
    found = _loaded(source, as_texts(overrides, seed))
    return found if name is None else dataclasses.replace(found, name=checked_name(name))


def checked_name(name: Any) -> str:
    """A name, which may become that of a file; raises LabError for one that cannot."""
    valid = isinstance(name, str) and Path(name).name == name and name.strip() and not name.startswith(".")
    if not valid or len(name) > LONGEST_NAME:
        raise LabError(f"name: must be text that can be the name of a file, not {name!r}")
    return name


def _loaded(source: Source, overrides: tuple[str, ...]) -> Experiment:
    if isinstance(source, Mapping):
        return experiment.from_sections(UNNAMED, "", plain(source, "experiment"), overrides)
    if isinstance(source, PathLike) or (isinstance(source, str) and source.endswith((".yaml", ".yml"))):
        return experiment.read(Path(source), overrides)
    if isinstance(source, str):
        return experiment.load(source, overrides)
    raise LabError(f"experiment: must be a name, a path or a mapping of sections, not {type(source).__name__}")


def as_texts(overrides: Overrides | None, seed: int | None = None) -> tuple[str, ...]:
    """Overrides as on the command line, such as optimizer.lr=0.01; raises LabError."""
    flat = dotted(overrides, "overrides")
    if seed is not None:
        if "seed" in flat:
            raise LabError("seed: is given twice, as an argument and in the overrides")
        flat["seed"] = plain(seed, "seed")
    return tuple(f"{name}={_as_text(value)}" for name, value in flat.items())


def dotted(settings: Overrides | None, where: str) -> dict[str, Any]:
    """Plain values by dotted name, from {"optimizer.lr": 0.01} or {"optimizer": {"lr": 0.01}}; raises LabError."""
    if settings is not None and not isinstance(settings, Mapping):
        raise LabError(f'{where}: must be a mapping such as {{"optimizer.lr": 0.01}}, not {type(settings).__name__}')
    flat: dict[str, Any] = {}
    for name, content in plain(settings or {}, where).items():
        section = {name: content} if "." in name or not isinstance(content, dict) else content
        for setting, value in section.items():
            full = name if section is not content else f"{name}.{setting}"
            if full in flat:
                raise LabError(f"{where}: {full} is given twice")
            flat[full] = value
    return flat


def plain(value: Any, where: str) -> Any:
    """A value as YAML could hold it, NumPy's numbers included; a class becomes its address. Raises LabError."""
    if isinstance(value, Mapping):
        return {name: plain(content, f"{where}.{name}") for name, content in named(value, where).items()}
    if isinstance(value, list | tuple):
        return [plain(each, where) for each in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, PathLike):
        return str(Path(value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise LabError(f"{where}: must be a number, text, list or mapping, not {type(value).__name__}")


def named(mapping: Mapping[Any, Any], where: str) -> Mapping[str, Any]:
    """A mapping as it is; raises LabError for a name that is not text."""
    if strange := [name for name in mapping if not isinstance(name, str)]:
        raise LabError(f"{where}: a name must be text, not {strange[0]!r}")
    return mapping


def _as_text(value: Any) -> str:
    """A value as YAML in one line; text without quotes where it is read as the same text."""
    if isinstance(value, str):
        try:
            if yaml_files.parse(value, "") == value:
                return value
        except LabError:
            pass
    return json.dumps(value, ensure_ascii=False)
