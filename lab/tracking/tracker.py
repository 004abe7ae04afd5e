"""What a run holds on to while it is tracked: its journal, its folder of files, and its sender."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.tracking import journal, sender, store
from lab.tracking.journal import Journal

PATIENCE = 20.0  # seconds without progress after which the end of a run no longer waits for the store
LONGEST_PARAM = 6_000  # characters; MLflow's limit


@dataclass(frozen=True)
class Delivery:
    """What became of a run's records: the MLflow run they are in, and how many still wait."""

    run_id: str | None
    waiting: int
    trouble: str = ""


class Tracker:
    """Tracks one run. Everything is written to the local journal; nothing here waits for the store.

    Files that are to be kept with the run are written below `folder`, then named to `artifact`. Nothing is
    written before `start`.
    """

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.folder = store.journals() / self.id

    def start(self, experiment: str, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open the journal and start the sender."""
        self.folder.mkdir(parents=True)
        self._journal = Journal(self.folder)
        params = {key: _as_param(value) for key, value in settings.items()}
        self._journal.append("start", experiment=experiment, name=name, params=params, tags=dict(tags))
        self._sender = start_sender(self.folder)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record metric values at a step (an epoch, for those of an epoch)."""
        self._journal.append("metrics", step=step, values=dict(values))

    def tags(self, values: Mapping[str, str]) -> None:
        """Record or change tags."""
        self._journal.append("tags", values=dict(values))

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
        self.path(name).write_text(content, encoding="utf-8")
        self.artifact(name)

    def model(self, name: str, task: str) -> None:
        """Keep the model saved below `folder` as the run's LoggedModel."""
        self._journal.append("model", path=name, task=task)

    def end(self, status: str) -> None:
        """The run ended: FINISHED, FAILED or KILLED. Nothing may be recorded after it."""
        self._journal.append("end", status=status)
        self._journal.close()

    def wait(self) -> Delivery:
        """Wait until all is sent, or the store does not answer; what waits stays in the journal."""
        before, since = -1, time.monotonic()
        while self._sender.poll() is None and time.monotonic() - since < PATIENCE:
            time.sleep(0.05)
            if (offset := sent_so_far(self.folder)["offset"]) != before:
                before, since = offset, time.monotonic()
        self._sender.terminate()
        run_id, _ = self._sender.communicate()
        if self._sender.returncode == 0:
            return Delivery(run_id.decode().strip(), 0)
        return waiting(self.folder)


def start_sender(folder: Path) -> subprocess.Popen[bytes]:
    """A sender for a journal, in a process and a terminal session of its own: Ctrl-C does not reach it."""
    with (folder / sender.LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.tracking.sender", str(folder), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def sent_so_far(folder: Path) -> sender.State:
    """How far a journal is sent."""
    try:
        return json.loads((folder / sender.STATE).read_text())
    except FileNotFoundError:
        return {"run_id": None, "offset": 0, "model_id": None, "ended": False}


def waiting(folder: Path) -> Delivery:
    """What waits of a journal that could not be sent, and why."""
    state = sent_so_far(folder)
    records, _ = journal.read(folder, state["offset"])
    lines = (folder / sender.LOG).read_text(errors="replace").strip().splitlines()
    return Delivery(state["run_id"], len(records), lines[-1] if lines else "")


def _as_param(value: Any) -> str:
    """A setting as the text that MLflow keeps: plain for text and numbers, JSON for lists and mappings."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_PARAM else text[: LONGEST_PARAM - 1] + "…"
