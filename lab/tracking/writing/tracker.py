"""The tracker: the interface through which training records a run, in a journal and a folder of files."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab.errors import redacted
from lab.tracking.writing.journal import Journal

LONGEST_PARAM = 6_000  # characters; MLflow's limit
LONGEST_NAME = 250  # characters of the name of a metric or param; MLflow's limit
REFUSED_CHARACTERS = re.compile(r"[^\w/.: -]")  # by MLflow, in the name of a metric or param
LEADING_DOTS = re.compile(r"^\.{2,}")  # which it refuses, too


@dataclass(frozen=True)
class Recorded:
    """What an earlier part of a resumed run has recorded: (metric, step) pairs, and whether there is a model."""

    metrics: set[tuple[str, int]] = field(default_factory=set)
    model: bool = False


class Tracker:
    """Records one run in its local journal; never waits for the store. Created by an Outbox.

    Artifacts are written below `folder`, then named to `artifact`. Nothing is written before `start`. Secrets are
    removed from texts. Values in `recorded` are not recorded again.
    """

    def __init__(
        self,
        folder: Path,
        open_outbox: Callable[[], None],
        parent: str | None,
        continued: bool,
        recorded: Recorded | None = None,
    ):
        self.id = folder.name
        self.folder = folder
        self._open_outbox = open_outbox
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
        """Open the journal; `files` are texts that are kept even if the process dies right after the first record."""
        self._open_outbox()
        self.folder.mkdir()
        for path, text in (files or {}).items():
            self.path(path).write_text(redacted(text), encoding="utf-8")
        self._journal = Journal(self.folder)
        params = {key: as_param(value) for key, value in settings.items()}
        content = {"experiment": experiment, "name": redacted(name), "params": params, "tags": _redacted(tags)}
        self._journal.append("start", **content, **self._origin)
        for path in files or ():
            self.artifact(path)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record metric values at a step (an epoch, for those of an epoch)."""
        new = {name: value for name, value in values.items() if (name, step) not in self._recorded.metrics}
        if new:
            self._journal.append("metrics", step=step, values=new)

    def copy_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record metric values of an earlier run; later calls do not record them again."""
        self.metrics(values, step)
        self._recorded.metrics.update((name, step) for name in values)

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings that became known after the start; a setting cannot be changed.

        One record each: one that the store refuses takes no other with it.
        """
        for name, value in values.items():
            self._journal.append("params", values={name: as_param(value)})

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        self._journal.append("tags", values=_redacted(values))

    def path(self, name: str) -> Path:
        """The path of a file below `folder`; creates its parent folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def artifact(self, name: str) -> None:
        """Record the file of that name below `folder` as an artifact."""
        self._journal.append("artifact", path=name)

    def text(self, name: str, content: str) -> None:
        """Write a text and record it as an artifact."""
        self.path(name).write_text(redacted(content), encoding="utf-8")
        self.artifact(name)

    def model(self, name: str, task: str) -> None:
        """Record the model saved below `folder` as the run's LoggedModel."""
        if not self._recorded.model:
            self._journal.append("model", path=name, task=task)

    def end(self, status: str) -> None:
        """Record the end of the run: FINISHED, FAILED or KILLED. Nothing may be recorded after it."""
        self._journal.append("end", status=status)
        self._journal.close()


@cache
def stored_name(name: str) -> str:
    """The name of a metric or param with what MLflow refuses replaced: `acc@5` is stored as `acc_5`."""
    parts = [part for part in REFUSED_CHARACTERS.sub("_", name).split("/") if part not in ("", ".", "..")]
    return LEADING_DOTS.sub("_", "/".join(parts))[:LONGEST_NAME].rstrip("/") or "_"


def _redacted(values: Mapping[str, str]) -> dict[str, str]:
    return {name: redacted(value) for name, value in values.items()}


def as_param(value: Any) -> str:
    """A setting as the text of an MLflow param: text as it is, everything else as JSON."""
    text = redacted(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= LONGEST_PARAM else text[: LONGEST_PARAM - 1] + "…"
