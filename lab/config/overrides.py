"""Overrides such as `optimizer.lr=0.01`, applied to the sections of an experiment file."""

from collections.abc import Iterable, Mapping
from typing import Any

from lab.config import kinds, schema, yaml_files
from lab.config.sections import GROUPS, top_level
from lab.errors import LabError, abbreviated


def overridden(sections: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` applied; raises LabError with one line per error."""
    errors: list[str] = []
    changed = with_overrides(sections, overrides, errors)
    if errors:
        raise LabError(*errors)
    return changed


def with_overrides(sections: Any, overrides: Iterable[str], errors: list[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` applied; invalid ones are added to `errors`."""
    changed = {name: dict(part) if isinstance(part, dict) else part for name, part in sections.items()}
    overridden_names: set[str] = set()
    for override in overrides:
        name, equals, text = override.partition("=")
        section, _, setting = name.strip().partition(".")
        if not equals or not section or not name.isprintable():
            errors.append(f"{abbreviated(override)}: write a setting and its value, such as optimizer.lr=0.01")
            continue
        meant = [] if setting else _full_names(section, changed)
        if meant:
            errors.append(f"{section}: no such setting; did you mean {' or '.join(meant)}?")
            continue
        value = yaml_files.parse(text, abbreviated(override))
        content = changed.get(section)
        if content is None:
            content = schema.defaults(top_level).get(section) or {}
        if not setting:
            changed[section] = value
        elif isinstance(content, dict):
            if section == "optimizer" and setting.startswith(f"{GROUPS}."):
                setting, value = GROUPS, _with_group_setting(content.get(GROUPS), setting, value)
            changed[section] = content | {setting: value}
            overridden_names.add(name.strip())
        else:
            errors.append(f"{name}: no such setting; {section} is a single value")
    for section in kinds.SHIPPED:
        if f"{section}.kind" in overridden_names and isinstance(sections.get(section), dict):
            changed[section] = _without_old_settings(
                section, sections[section].get("kind"), changed[section], overridden_names
            )
    return changed


def _full_names(name: str, sections: Mapping[str, Any]) -> list[str]:
    """The settings that a name without its section may mean: `lr` is `optimizer.lr`; none for a section."""
    if name in schema.names(top_level):
        return []
    return [f"{section}.{name}" for section, part in sections.items() if isinstance(part, dict) and name in part]


def _with_group_setting(groups: Any, setting: str, value: Any) -> dict[str, Any]:
    """The groups of an optimizer with one setting changed: `groups.head.*.lr` is `lr` of the pattern `head.*`."""
    groups = groups if isinstance(groups, dict) else {}
    pattern, _, name = setting.removeprefix(f"{GROUPS}.").rpartition(".")
    before = groups.get(pattern)
    return {**groups, pattern: {**(before if isinstance(before, dict) else {}), name: value}}


def _without_old_settings(
    section: str, old_kind: Any, content: dict[str, Any], overridden_names: set[str]
) -> dict[str, Any]:
    """A section whose kind was overridden, without the settings in the file that only the old kind has."""
    try:
        old, new = kinds.find(section, old_kind), kinds.find(section, content["kind"])
    except LabError:  # reported when the section is checked
        return content
    return {
        name: value
        for name, value in content.items()
        if name == "kind"
        or f"{section}.{name}" in overridden_names
        or schema.accepts(new, name)
        or not schema.accepts(old, name)
    }
