"""The outbox: the journals that one process writes, and the sender process that uploads them to MLflow."""

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import see, without_password
from lab.tracking import store
from lab.tracking.writing import journal, sender
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.tracking.writing.upload import state_of, stored_runs

if TYPE_CHECKING:
    from filelock import FileLock

PATIENCE = 10.0  # seconds without progress after which the end of a run no longer waits for a store that fails
BUSY_PATIENCE = 120.0  # the same where no failure is known: the machine may be busy
LEAST_FREE_BYTES = 1_000_000  # with less, neither a local store can be written nor the log of its errors


@dataclass(frozen=True)
class Delivery:
    """The result of sending: the MLflow run of each tracker's id, the number of pending records, the last error."""

    run_ids: dict[str, str]
    pending: int = 0
    error: str = ""

    @property
    def message(self) -> str:
        """What the user is told about pending records."""
        server = f"the tracking server {without_password(store.tracking_uri())}"
        where = "mlruns/mlflow.db" if store.is_local() else server
        when = "they are sent when it answers, or by `lab sync`"
        return f"{self.pending:,} records are pending for {where}; {when}{see('records-pending')}"


class Outbox:
    """Creates trackers and waits until their records are sent. Nothing is written before the first tracker starts."""

    def __init__(self, journals: Path | None = None) -> None:
        self.folder = (journals or store.journals()) / uuid.uuid4().hex
        self.delivery = Delivery({})  # known once closed
        self._trackers: list[str] = []
        self._sender: subprocess.Popen[bytes] | None = None
        self._writer_lock: FileLock | None = None

    def tracker(
        self, tracker_id: str | None = None, parent: str | None = None, recorded: Recorded | None = None
    ) -> Tracker:
        """A tracker of a new run, or with `tracker_id` one that resumes the run of that tracker.

        `parent` is the tracker id of the parent run; values in `recorded` are not recorded again.
        """
        folder = self.folder / (tracker_id or uuid.uuid4().hex)
        self._trackers.append(folder.name)
        return Tracker(folder, self._open, parent, tracker_id is not None, recorded)

    def _open(self) -> None:
        """Create the outbox and start the sender with the first run; start it again if it was killed."""
        if self._writer_lock is None:
            self._writer_lock = _create_locked(self.folder)
            self._sender = start_sender(self.folder)
        elif self._sender is not None and self._sender.poll() is not None:
            self._sender = start_sender(self.folder)

    def close(self) -> Delivery:
        """Wait until everything is sent, or the store does not answer; pending records stay in the journals.

        Every tracker must have ended. A sender that has not sent everything keeps running.
        """
        if self._sender is not None and self._writer_lock is not None:
            if self._sender.poll() is not None and self.folder.exists():
                self._sender = start_sender(self.folder)  # the first one was killed
            self.release()
            self.delivery = self._wait(self._sender)
            self._sender = None
        return self.delivery

    def release(self) -> None:
        """Release the writer's lock: no more records will come. Does not wait until they are sent."""
        if self._writer_lock is not None:
            self._writer_lock.release()
            self._writer_lock = None

    def _wait(self, process: "subprocess.Popen[bytes]") -> Delivery:
        before, since = sender.progress(self.folder), time.monotonic()
        while process.poll() is None and time.monotonic() - since < self._patience():
            time.sleep(0.05)
            if (progress := sender.progress(self.folder)) != before:
                before, since = progress, time.monotonic()
        if process.returncode == 0 and process.stdout:
            return Delivery(json.loads(process.stdout.read()))
        found = pending(self.folder)
        return found if found.pending else Delivery(found.run_ids | self._sent_by_another(found.run_ids))

    def _sent_by_another(self, known: Collection[str]) -> dict[str, str]:
        """The other runs, from the store: a process that found this outbox first has sent and deleted it."""
        found: dict[str, str] = {}
        with suppress(Exception):  # a store that fails raises many kinds; the records are in it all the same
            client = store.client(retries=0)
            for tracker in set(self._trackers).difference(known):
                if stored := stored_runs(client, tracker):
                    found[tracker] = stored[0]
        return found

    def _patience(self) -> float:
        """Seconds to wait without progress."""
        try:
            failing = (self.folder / sender.LOG).stat().st_size > 0
            disk_full = shutil.disk_usage(self.folder).free < LEAST_FREE_BYTES
        except FileNotFoundError:  # the sender has just finished
            return PATIENCE
        return PATIENCE if failing or disk_full else BUSY_PATIENCE


def _create_locked(folder: Path) -> "FileLock":
    """Create an outbox whose writer's lock is held from the moment at which other processes see it.

    The lock is a FileLock because forked processes, such as those of a DataLoader, must not hold it too: it would
    outlive this process.
    """
    from filelock import FileLock

    hidden = folder.with_name(f".{folder.name}")
    hidden.mkdir(parents=True)
    lock = FileLock(hidden / sender.WRITER, thread_local=False, fallback_to_soft=False)
    lock.acquire()
    hidden.rename(folder)
    return lock


def start_sender(folder: Path) -> subprocess.Popen[bytes]:
    """Start a sender for an outbox, in a process and terminal session of its own, so that Ctrl-C does not reach it.

    Its working directory is that of the store, wherever this process has gone since; modules there are not for it (-P):
    one named like a module of Python would end it.
    """
    with (folder / sender.LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.tracking.writing.sender", str(folder)],
            cwd=folder.parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def pending(folder: Path) -> Delivery:
    """The pending records of an outbox and the last error; no records where another sender has sent them."""
    run_ids = sender.sent_runs(folder)
    count = 0
    for run in sender.runs(folder):
        with suppress(FileNotFoundError):  # it was just sent
            state = state_of(run)
            count += len(journal.read(run, state["offset"])[0])
            if state["run_id"]:
                run_ids[run.name] = state["run_id"]
    return Delivery(run_ids, count, _last_error(folder) if count else "")


def _last_error(folder: Path) -> str:
    """The last line in the log of an outbox's sender."""
    with suppress(FileNotFoundError, IndexError):
        return (folder / sender.LOG).read_text(errors="replace").strip().splitlines()[-1]
    return ""
