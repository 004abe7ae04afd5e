"""The experiment file that `lab new` writes: commented, checked, and ready to train."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.config import experiment, sections, yaml_files
from lab.errors import LabError
from lab.files import atomic_output, may_replace
from lab.scaffold.inspection import Look, check_kind, look
from lab.scaffold.recipes import Choice, choose
from lab.training import building


@dataclass(frozen=True)
class Scaffold:
    """What was found, and the file that was written."""

    look: Look
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
    """Look at data and write `experiments/NAME.yaml`, with settings that somebody wants otherwise put in their place.

    Raises LabError, with nothing written, where it cannot be.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise LabError(f"'{name}' is no name for an experiment: use letters, digits, _ and - only")
    check_kind(kind)
    path = experiment.FOLDER / f"{name}.yaml"
    found = look(data, target, kind, sections.overridden({"data": {}}, overrides)["data"])
    choice = choose(found, model)
    choice = replace(choice, sections=sections.overridden(choice.sections, overrides))
    text = as_text(name, found, choice)
    found.data.batch_size = choice.sections["data"]["batch_size"]
    built = building.build(experiment.parse(name, text), found.data)
    if not may_replace(path, yes):
        raise LabError(f"{path} exists; choose another name, or replace it with --yes")
    with atomic_output(path) as fresh:
        fresh.write_text(text, encoding="utf-8")
    return Scaffold(found, choice, path, sum(p.numel() for p in built.module.parameters()))


def as_text(name: str, found: Look, choice: Choice) -> str:
    """The file: its question, what was found, and each section below the reason for it."""
    lines = [f"# {_question(found)}", "", f"# Written by `lab new` on {datetime.date.today()}. What it found:"]
    lines += [f"#   {about}: {words}" for about, words in found.facts]
    lines += [f"#   look out: {warning}" for warning in found.warnings]
    lines.append("")
    for line in yaml_files.write(dict(choice.sections)).splitlines():
        why = choice.why.get(line.partition(":")[0])
        lines += [f"# {why}", line] if why else [line]
    return "\n".join(lines) + "\n"


def _question(found: Look) -> str:
    place = Path(found.settings.get("path") or found.settings["x"]).name
    if found.data.task == "forecasting":
        targets = dict.fromkeys(name.rpartition(" +")[0] for name in found.data.target_names)
        return f"Can the next {found.settings['horizon']} steps of {', '.join(targets)} be forecast?"
    if found.settings["kind"] == "table":
        return f"Can {found.settings['target']} be told from the other columns of {place}?"
    return f"Can the {'classes' if found.data.class_names else 'values'} of {place} be told?"
