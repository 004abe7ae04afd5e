"""The outbox: the journals that one process writes, and the sender that brings them to MLflow."""

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from lab.tracking import journal, sender, store
from lab.tracking.tracker import Recorded, Tracker
from lab.tracking.upload import state_of

PATIENCE = 20.0  # seconds without progress after which the end of a run no longer waits for a store in trouble
LONGEST_PATIENCE = 120.0  # the same where no trouble is known: the machine may be busy


@dataclass(frozen=True)
class Delivery:
    """What became of the records: the MLflow run of each tracker's id, and how many records still wait."""

    run_ids: dict[str, str]
    waiting: int = 0
    trouble: str = ""


class Outbox:
    """Hands out trackers, and waits for their records to be sent. Nothing is written before one starts."""

    def __init__(self) -> None:
        self.folder = store.journals() / uuid.uuid4().hex
        self.delivery = Delivery({})  # known once closed
        self._sender: subprocess.Popen[bytes] | None = None

    def tracker(
        self, tracker_id: str | None = None, parent: str | None = None, recorded: Recorded | None = None
    ) -> Tracker:
        """A tracker of a run; of an earlier one, that goes on, where `tracker_id` is that one's.

        `parent` is the id of the tracker below whose run this one stands; `recorded` is not recorded again.
        """
        folder = self.folder / (tracker_id or uuid.uuid4().hex)
        return Tracker(folder, self._open, parent, tracker_id is not None, recorded)

    def _open(self) -> None:
        """Start the sender with the first run."""
        if self._sender is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sender = start_sender(self.folder)

    def close(self) -> Delivery:
        """Wait until all is sent, or the store does not answer; what waits stays in the journals.

        Every tracker must have ended.
        """
        if self._sender is not None:
            self.delivery = self._wait(self._sender)
            self._sender = None
        return self.delivery

    def _wait(self, process: "subprocess.Popen[bytes]") -> Delivery:
        (self.folder / sender.CLOSED).touch()
        before, since = sender.progress(self.folder), time.monotonic()
        while process.poll() is None and time.monotonic() - since < self._patience():
            time.sleep(0.05)
            if (progress := sender.progress(self.folder)) != before:
                before, since = progress, time.monotonic()
        process.terminate()
        printed, _ = process.communicate()
        if process.returncode == 0:
            return Delivery(json.loads(printed))
        return waiting(self.folder)

    def _patience(self) -> float:
        """Seconds to wait without progress."""
        log = self.folder / sender.LOG
        return PATIENCE if log.exists() and log.stat().st_size else LONGEST_PATIENCE


def start_sender(folder: Path) -> subprocess.Popen[bytes]:
    """A sender for an outbox, in a process and a terminal session of its own: Ctrl-C does not reach it."""
    with (folder / sender.LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.tracking.sender", str(folder), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def waiting(folder: Path) -> Delivery:
    """What waits of an outbox that could not be sent, and why; nothing where another sender sent it."""
    if not folder.exists():
        return Delivery({})
    run_ids = sender.delivered(folder)
    count = 0
    for run in sender.runs(folder):
        state = state_of(run)
        count += len(journal.read(run, state["offset"])[0])
        if state["run_id"]:
            run_ids[run.name] = state["run_id"]
    lines = (folder / sender.LOG).read_text(errors="replace").strip().splitlines()
    return Delivery(run_ids, count, lines[-1] if lines else "")
