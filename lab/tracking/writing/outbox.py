"""The outbox: the journals that one process writes, and the sender that brings them to MLflow."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.tracking import store
from lab.tracking.writing import journal, sender
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.tracking.writing.upload import state_of

PATIENCE = 10.0  # seconds without progress after which the end of a run no longer waits for a store in trouble
ROOM = 1_000_000  # bytes; with less, a store here cannot be written, nor the log of its trouble
LONGEST_PATIENCE = 120.0  # the same where no trouble is known: the machine may be busy


@dataclass(frozen=True)
class Delivery:
    """What became of the records: the MLflow run of each tracker's id, and how many records still wait."""

    run_ids: dict[str, str]
    waiting: int = 0
    trouble: str = ""

    @property
    def words(self) -> str:
        """What a person is told of records that wait."""
        server = f"the tracking server {store.without_password(store.tracking_uri())}"
        where = "mlruns/mlflow.db" if store.is_local() else server
        return f"{self.waiting:,} records wait for {where}; they are sent when it answers, or by `lab sync`"


class Outbox:
    """Hands out trackers, and waits for their records to be sent. Nothing is written before one starts."""

    def __init__(self) -> None:
        self.folder = store.journals() / uuid.uuid4().hex
        self.delivery = Delivery({})  # known once closed
        self._sender: subprocess.Popen[bytes] | None = None
        self._writer: int | None = None  # the file whose lock says that the runs go on

    def tracker(
        self, tracker_id: str | None = None, parent: str | None = None, recorded: Recorded | None = None
    ) -> Tracker:
        """A tracker of a run; of an earlier one, that goes on, where `tracker_id` is that one's.

        `parent` is the id of the tracker below whose run this one stands; `recorded` is not recorded again.
        """
        folder = self.folder / (tracker_id or uuid.uuid4().hex)
        return Tracker(folder, self._open, parent, tracker_id is not None, recorded)

    def _open(self) -> None:
        """Make the outbox and start the sender with the first run."""
        if self._sender is None:
            self._writer = _made_with_writer(self.folder)
            self._sender = start_sender(self.folder)

    def close(self) -> Delivery:
        """Wait until all is sent, or the store does not answer; what waits stays in the journals.

        Every tracker must have ended. A sender that could not send all goes on alone.
        """
        if self._sender is not None and self._writer is not None:
            if self._sender.poll() is not None and self.folder.exists():
                self._sender = start_sender(self.folder)  # somebody killed it
            self.let_go()
            self.delivery = self._wait(self._sender)
            self._sender = None
        return self.delivery

    def let_go(self) -> None:
        """Say that nothing more comes, without waiting until all is sent."""
        if self._writer is not None:
            fcntl.flock(self._writer, fcntl.LOCK_UN)  # closing is not enough: a forked process may share it
            os.close(self._writer)
            self._writer = None

    def _wait(self, process: "subprocess.Popen[bytes]") -> Delivery:
        before, since = sender.progress(self.folder), time.monotonic()
        while process.poll() is None and time.monotonic() - since < self._patience():
            time.sleep(0.05)
            if (progress := sender.progress(self.folder)) != before:
                before, since = progress, time.monotonic()
        if process.returncode == 0 and process.stdout:
            return Delivery(json.loads(process.stdout.read()))
        return waiting(self.folder)

    def _patience(self) -> float:
        """Seconds to wait without progress."""
        try:
            in_trouble = (self.folder / sender.LOG).stat().st_size > 0
            no_room_to_say_so = shutil.disk_usage(self.folder).free < ROOM
        except FileNotFoundError:  # the sender is just done
            return PATIENCE
        return PATIENCE if in_trouble or no_room_to_say_so else LONGEST_PATIENCE


def _made_with_writer(folder: Path) -> int:
    """Make an outbox and hold its writer's lock, in one step for all who look: the file that is locked."""
    fresh = folder.with_name(f".{folder.name}")
    fresh.mkdir(parents=True)
    file = os.open(fresh / sender.WRITER, os.O_WRONLY | os.O_CREAT, 0o644)
    fcntl.flock(file, fcntl.LOCK_EX)
    fresh.rename(folder)
    return file


def start_sender(folder: Path) -> subprocess.Popen[bytes]:
    """A sender for an outbox, in a process and a terminal session of its own: Ctrl-C does not reach it."""
    with (folder / sender.LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.tracking.writing.sender", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def waiting(folder: Path) -> Delivery:
    """What waits of an outbox that could not be sent, and why; nothing where another sender sent it."""
    run_ids = sender.delivered(folder)
    count = 0
    for run in sender.runs(folder):
        with suppress(FileNotFoundError):  # it was just sent
            state = state_of(run)
            count += len(journal.read(run, state["offset"])[0])
            if state["run_id"]:
                run_ids[run.name] = state["run_id"]
    return Delivery(run_ids, count, _trouble(folder) if count else "")


def _trouble(folder: Path) -> str:
    """The last thing that the sender of an outbox complained about."""
    with suppress(FileNotFoundError, IndexError):
        return (folder / sender.LOG).read_text(errors="replace").strip().splitlines()[-1]
    return ""
