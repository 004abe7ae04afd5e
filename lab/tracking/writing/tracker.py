"""What a run holds on to while it is tracked: its journal and its folder of files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import redacted
from lab.tracking.writing.journal import Journal

LONGEST_PARAM = 6_000  # characters; MLflow's limit


@dataclass(frozen=True)
class Recorded:
    """What an earlier part of a run has recorded: pairs of a metric and a step, and whether it has a model."""

    metrics: set[tuple[str, int]] = field(default_factory=set)
    model: bool = False


class Tracker:
    """Tracks one run. Everything is written to the local journal; nothing here waits for the store.

    Files that are to be kept with the run are written below `folder`, then named to `artifact`. Nothing is
    written before `start`. Secrets are left out of texts. What is `recorded` is not recorded twice. An Outbox makes
    trackers.
    """

    def __init__(
        self,
        folder: Path,
        opened: Callable[[], None],
        parent: str | None,
        continued: bool,
        recorded: Recorded | None = None,
    ):
        self.id = folder.name
        self.folder = folder
        self._opened = opened
        self._recorded = recorded or Recorded()
        self._origin = {"parent": parent, "continued": continued}

    def start(
        self,
        experiment: str,
        name: str,
        settings: Mapping[str, Any],
        tags: Mapping[str, str],
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Open the journal; `files` are texts that are kept even if the process dies behind the first record."""
        self._opened()
        self.folder.mkdir()
        for path, text in (files or {}).items():
            self.path(path).write_text(redacted(text), encoding="utf-8")
        self._journal = Journal(self.folder)
        params = {key: _as_param(value) for key, value in settings.items()}
        content = {"experiment": experiment, "name": redacted(name), "params": params, "tags": _redacted(tags)}
        self._journal.append("start", **content, **self._origin)
        for path in files or ():
            self.artifact(path)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record metric values at a step (an epoch, for those of an epoch)."""
        fresh = {name: value for name, value in values.items() if (name, step) not in self._recorded.metrics}
        if fresh:
            self._journal.append("metrics", step=step, values=fresh)

    def take_over(self, values: Mapping[str, float], step: int) -> None:
        """Record values of an earlier run, which are not recorded again."""
        self.metrics(values, step)
        self._recorded.metrics.update((name, step) for name in values)

    def tags(self, values: Mapping[str, str]) -> None:
        """Record or change tags."""
        self._journal.append("tags", values=_redacted(values))

    def path(self, name: str) -> Path:
        """The path below `folder` for a file of that name, its folder made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def artifact(self, name: str) -> None:
        """Keep the file of that name below `folder` with the run."""
        self._journal.append("artifact", path=name)

    def text(self, name: str, content: str) -> None:
        """Keep a text as a file with the run."""
        self.path(name).write_text(redacted(content), encoding="utf-8")
        self.artifact(name)

    def model(self, name: str, task: str) -> None:
        """Keep the model saved below `folder` as the run's LoggedModel."""
        if not self._recorded.model:
            self._journal.append("model", path=name, task=task)

    def end(self, status: str) -> None:
        """The run ended: FINISHED, FAILED or KILLED. Nothing may be recorded after it."""
        self._journal.append("end", status=status)
        self._journal.close()


def _redacted(values: Mapping[str, str]) -> dict[str, str]:
    return {name: redacted(value) for name, value in values.items()}


def _as_param(value: Any) -> str:
    """A setting as the text that MLflow keeps: plain for text and numbers, JSON for lists and mappings."""
    text = redacted(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= LONGEST_PARAM else text[: LONGEST_PARAM - 1] + "…"
