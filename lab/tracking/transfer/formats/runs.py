"""A run that another tool wrote, as all readers return it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

NOTES = "mlflow.note.content"  # the tag that MLflow shows as a run's description
LABELS = "labels"  # the tag that holds what W&B and Aim call tags
NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}  # as JSON has no such numbers
MEDIA = "_type"  # in a value that is an image, a table, a histogram: its numbers are no metrics


@dataclass(frozen=True)
class Value:
    """One value of a metric; the time is in milliseconds since 1970."""

    metric: str
    step: int
    time: int
    value: float


@dataclass(frozen=True)
class Foreign:
    """A run of another tool; `left_out` says what of it is not numbers of metrics.

    `status` is MLflow's; `started` and `ended` are in milliseconds since 1970, by default those of the values.
    """

    name: str
    tool: str
    place: Path
    values: list[Value]
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""
    status: str = "FINISHED"
    started: int | None = None
    ended: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of name, values and settings, and of the status where the run did not finish."""
        values = [(each.metric, each.step, each.time, repr(each.value)) for each in self.values]
        content = [self.name, self.tool, values, self.settings]
        content += [self.status] if self.status != "FINISHED" else []  # earlier versions had none
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def flat(content: Mapping[Any, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of sections under dotted names."""
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def number(value: Any) -> float | None:
    """A value of JSON as a number, or None where it is something else: a text, a list."""
    if isinstance(value, str):
        return NOT_FINITE.get(value)
    return float(value) if isinstance(value, int | float) else None


def without_media(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what belongs to images, tables and histograms, whose parts have dotted names beside `_type`."""
    media = tuple(name.removesuffix(MEDIA) for name in row if name.endswith(f".{MEDIA}"))
    return {name: value for name, value in row.items() if not name.startswith(media)} if media else dict(row)


def milliseconds(text: str) -> int:
    """An ISO 8601 time, that of this machine where it names no zone, in milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def listed(names: set[str]) -> str:
    """Names as the end of a sentence, the first five of many."""
    ordered = sorted(names)
    return ", ".join(ordered[:5]) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "")
