"""The experiment file that `lab new` writes: commented, checked and ready to train."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.config import experiment, yaml_files
from lab.config.overrides import overridden
from lab.errors import LabError
from lab.files import atomic_output, may_replace
from lab.scaffold.inspection import Inspection, check_kind, inspect
from lab.scaffold.recipes import Choice, choose
from lab.training import building


@dataclass(frozen=True)
class Scaffold:
    """The findings, the choice of settings, and the file that was written."""

    inspection: Inspection
    choice: Choice
    path: Path
    parameters: int


def new(
    name: str,
    data: str,
    target: str | None = None,
    model: str | None = None,
    kind: str | None = None,
    yes: bool = False,
    overrides: Sequence[str] = (),
) -> Scaffold:
    """Inspect data and write `experiments/NAME.yaml`, with the overrides applied.

    Raises LabError, with nothing written, if the data cannot be used or the experiment is invalid.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise LabError(f"'{name}' is not a valid name for an experiment: use letters, digits, _ and - only")
    check_kind(kind)
    path = experiment.FOLDER / f"{name}.yaml"
    found = inspect(data, target, kind, overridden({"data": {}}, overrides)["data"], model)
    choice = choose(found, model)
    choice = replace(choice, sections=_with_overrides(choice.sections, overrides))
    text = as_text(name, found, choice)
    found.data.batch_size = choice.sections["data"]["batch_size"]
    built = building.build(experiment.parse(name, text), found.data)
    if not may_replace(path, yes):
        raise LabError(f"{path} exists; choose another name, or replace it with --yes")
    with atomic_output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Scaffold(found, choice, path, sum(p.numel() for p in built.module.parameters()))


def _with_overrides(sections: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The sections with overrides, and without a search over settings that only the recommended model has."""
    changed = overridden(sections, overrides)
    if "search" in changed and changed["model"]["kind"] != sections["model"]["kind"]:
        changed["search"] = {name: space for name, space in changed["search"].items() if not name.startswith("model.")}
    return changed


def as_text(name: str, found: Inspection, choice: Choice) -> str:
    """The file: its question, the findings, and each section below the reason for it."""
    lines = [f"# {_question(found)}", "", f"# Written by `lab new` on {datetime.date.today()}, which found:"]
    lines += [f"#   {label}: {text}" for label, text in found.facts]
    lines += [f"#   warning: {warning}" for warning in found.warnings]
    lines.append("")
    for line in yaml_files.write(dict(choice.sections)).splitlines():
        why = choice.why.get(line.partition(":")[0])
        lines += [f"# {why}", line] if why else [line]
    return "\n".join(lines) + "\n"


def _question(found: Inspection) -> str:
    source = Path(found.settings.get("path") or found.settings["x"]).name
    if found.data.task == "forecasting":
        targets = dict.fromkeys(name.rpartition(" +")[0] for name in found.data.target_names)
        return f"Can the next {found.settings['horizon']} steps of {', '.join(targets)} be forecast?"
    if found.settings["kind"] == "table":
        targets = found.settings["target"]
        named = targets if isinstance(targets, str) else ", ".join(targets)
        return f"Can {named} be predicted from the other columns of {source}?"
    if found.settings["kind"] == "characters":
        return f"Which character comes next in {source}?"
    if found.settings["kind"] == "text":
        return f"Can {found.settings.get('target') or 'the classes'} be predicted from the texts of {source}?"
    if target := found.settings.get("target"):
        return f"Can {target} be predicted from the images of {source}?"
    return f"Can the {'classes' if found.data.class_names else 'values'} of {source} be predicted?"
