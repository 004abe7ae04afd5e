"""Offline folders of W&B as runs: `wandb leet inspect --json` prints the records in a .wandb file.

That command is W&B's documented reader of these files; W&B's Python API reads only from its server.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError, install
from lab.tracking.transfer.formats import programs
from lab.tracking.transfer.formats.runs import (
    LABELS,
    NOTES,
    Foreign,
    Value,
    flat,
    listed,
    milliseconds,
    number,
    without_media,
)

PATTERN = "run-*.wandb"
COMMAND = ("leet", "inspect", "--json")  # since W&B 0.31
MISSING = f"W&B's files need its program, 0.31 or newer, which reads them: {install('import')}"
OWN = "_"  # starts the names of what W&B itself adds: _step, _timestamp, _runtime, _wandb


def read_all(paths: Sequence[Path]) -> list[Foreign]:
    """The runs in .wandb files; raises LabError where W&B's program is missing, too old, or cannot read one."""
    program = programs.find("wandb") if paths else None
    if paths and program is None:
        raise LabError(f"{paths[0]}: {MISSING}")
    return [_read(program, path) for path in paths if program]


def _read(program: Path, path: Path) -> Foreign:
    try:
        printed = programs.output([program, *COMMAND, path], path)
    except LabError as error:
        raise LabError(f"{path}: {MISSING}") if "No such command" in str(error) else error from None
    run = _Run()
    with programs.reading(path, "W&B"):
        for record in programs.objects(printed):
            run.add(record["type"], record.get(record["type"], {}))
        if run.about:
            return run.as_foreign(path)
    raise LabError(f"{path}: holds no run: W&B was ended before it wrote one; move it away")


@dataclass
class _Run:
    """What the records read so far say of a run."""

    about: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    exit_code: int | None = None
    has_ended: bool = False
    statistics: int = 0

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Take in a record; those of kinds that are not for a run's metrics and settings do not count."""
        if kind == "run":
            self.about |= content
            self._change(self.settings, content.get("config", {}))
        elif kind == "config":
            self._change(self.settings, content)
        elif kind == "summary":
            self._change(self.summary, content)
        elif kind == "history":
            self._add_row(content["item"], content.get("step", {}).get("num"))
        elif kind == "stats":
            self.statistics += 1
        elif kind == "exit":
            self.has_ended, self.exit_code = True, content.get("exit_code", 0)

    def _change(self, content: dict[str, Any], change: dict[str, Any]) -> None:
        content |= change.get("update", {})
        for name in change.get("remove", ()):
            content.pop(name, None)

    def _add_row(self, row: dict[str, Any], numbered: int | None) -> None:
        step = numbered if numbered is not None else int(row["_step"])
        time = round(row["_timestamp"] * 1000) if "_timestamp" in row else milliseconds(self.about["start_time"])
        self.values += [Value(name, step, time, value) for name, value in self._numbers(row)]

    def _numbers(self, row: dict[str, Any]) -> Iterator[tuple[str, float]]:
        own = {name: value for name, value in row.items() if not name.startswith(OWN)}
        numbers = without_media(own)
        self.others |= {name.split(".")[0] for name in own.keys() - numbers.keys()}
        for name, value in numbers.items():
            if (found := number(value)) is None:
                self.others.add(name)
            else:
                yield name, found

    def as_foreign(self, path: Path) -> Foreign:
        """The run; numbers that are in its summary alone are values of its last step."""
        started = milliseconds(self.about["start_time"])
        last = max(((each.step, each.time) for each in self.values), default=(0, started))
        logged = {each.metric for each in self.values}
        self.values += [Value(name, *last, value) for name, value in self._numbers(self.summary) if name not in logged]
        left_out = self.others | ({"system metrics"} if self.statistics else set())
        tags = {NOTES: self.about.get("notes"), LABELS: ", ".join(self.about.get("tags", ()))}
        settings = {name: value for name, value in self.settings.items() if not name.startswith(OWN)}
        return Foreign(
            self.about.get("display_name") or self.about["run_id"],
            "wandb",
            path.parent,
            self.values,
            dict(flat(settings)),
            listed(left_out),
            self._status,
            started,
            tags={name: text for name, text in tags.items() if text},
        )

    @property
    def _status(self) -> str:
        """One that has not ended was killed, or runs still: then a later import brings what it has by then."""
        if not self.has_ended:
            return "KILLED"
        return "FAILED" if self.exit_code else "FINISHED"
