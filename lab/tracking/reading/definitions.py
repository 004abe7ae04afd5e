"""Whether a metric means the same in several trainings: a loss does not where the settings of the loss differ."""

from collections.abc import Iterable, Mapping
from typing import Any

from lab.config import kinds, schema
from lab.tracking.reading.metric_names import split_of, without_ending

OF_DATA = ("class_counts", "class_names")  # arguments of a loss that are no settings


def defining(metric: str, settings: Iterable[str]) -> list[str]:
    """The settings, by dotted names, that say what a metric is: those of the loss, or of a metric in `metrics:`."""
    name = without_ending(split_of(metric)[1])
    return [each for each in settings if (each.startswith("loss.") if name == "loss" else each == f"metrics.{name}")]


def differing(metric: str, trainings: Iterable[Mapping[str, Any]]) -> str:
    """The first setting by which a metric means something else in one of some trainings; "" where there is none."""
    definitions = [{name: settings[name] for name in defining(metric, settings)} for settings in trainings]
    if len({frozenset(each) for each in definitions}) > 1:
        definitions = [_with_defaults(each) for each in definitions]
    for name in sorted({name for each in definitions for name in each}):
        if len({_comparable(each[name]) for each in definitions if name in each}) > 1:
            return name
    return ""


def _with_defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition with the settings that were left out, where the loss is one of the lab's."""
    kind = definition.get("loss.kind")
    if kind not in kinds.SHIPPED["loss"]:
        return dict(definition)
    defaults = schema.defaults(kinds.find("loss", kind), OF_DATA)
    return {f"loss.{name}": value for name, value in defaults.items()} | dict(definition)


def _comparable(value: Any) -> float | str:
    """A setting, or the text that is stored of it."""
    try:
        return float(str(value))
    except ValueError:
        return str(value)
