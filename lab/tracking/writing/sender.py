"""The sender: a separate process that uploads the journals of an outbox to MLflow while the runs train."""

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import files
from lab.errors import RedactingFormatter, redacted
from lab.tracking import store
from lab.tracking.writing import journal, upload
from lab.tracking.writing.system_metrics import SystemMetrics
from lab.tracking.writing.upload import Upload, state_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


POLL_SECONDS = 0.2
LONGEST_PAUSE = 30.0  # seconds between two attempts at a store that does not answer
RETRY_SECONDS = 3600.0  # for which a store that does not answer is tried after the last run has ended
HEARTBEAT_SECONDS = 15.0
LOCK = "lock"  # held by the process that sends
WRITER = "writer"  # held by the process whose runs these are, and so released however that process ends
LOG = "sender.log"
SENT = "delivered.json"


def main() -> None:
    """Run `python -m lab.tracking.writing.sender FOLDER`, as the process that writes the outbox does."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(15)  # training has priority
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result alone
        sent = send_outbox(Path(sys.argv[1]), RETRY_SECONDS)
    if sent is not None:
        with contextlib.suppress(BrokenPipeError):  # the process that started this one may be gone
            print(json.dumps(sent), flush=True)
    os._exit(0 if sent is not None else 1)  # skips the cleanup, which would complain about a closed pipe


def send_outbox(folder: Path, retry_seconds: float = 0.0) -> dict[str, str] | None:
    """Send an outbox until its writer is done, then delete it.

    Returns the MLflow run of each tracker's id, or None where records are pending. A store that fails is tried again
    while the writer lives, and for `retry_seconds` after that. Other processes may send between two attempts.
    """
    pause, deadline = POLL_SECONDS, None
    while folder.exists():
        before = progress(folder)
        try:
            return _send_all(folder)
        except Exception as error:  # a store that fails raises many kinds; the journals keep everything
            log_error(folder, error)
        pause = POLL_SECONDS if progress(folder) != before else min(2 * pause, LONGEST_PAUSE)
        if not has_writer(folder):
            if deadline is None:
                deadline, pause = time.monotonic() + retry_seconds, POLL_SECONDS  # the user waits for these records
            if time.monotonic() >= deadline:
                return None
        _sleep(folder, pause)
    return None


def _send_all(folder: Path) -> dict[str, str] | None:
    """Send until the writer is done; the runs, or None where another sender has sent them."""
    with files.locked(folder / LOCK):
        sender = Sender(folder, store.client(retries=0))
        while folder.exists():
            writing = has_writer(folder)  # checked before reading, so that all that was written is read
            sent = sender.send_new()
            if writing:
                sender.report()
                time.sleep(POLL_SECONDS)
            elif not sent:
                sender.close_open_runs()
                runs = sent_runs(folder)
                shutil.rmtree(folder, ignore_errors=True)
                return runs
    return None


def _sleep(folder: Path, seconds: float) -> None:
    """Sleep, but not beyond the end of the runs: the user waits for their records then."""
    deadline = time.monotonic() + seconds
    had_writer = has_writer(folder)
    while time.monotonic() < deadline and folder.exists() and has_writer(folder) == had_writer:
        time.sleep(POLL_SECONDS)


def log_error(folder: Path, error: Exception) -> None:
    """Write one line to an outbox's log."""
    line = redacted(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
    with contextlib.suppress(OSError), (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


class Sender:
    """Uploads the journals of one outbox."""

    def __init__(self, folder: Path, client: "MlflowClient"):
        self.folder = folder
        self.client = client
        self._system = SystemMetrics()
        self._heartbeat_due = 0.0
        self._uploads: dict[str, Upload] = {}

    def send_new(self) -> bool:
        """Send the records that were not sent yet; returns whether there were any."""
        sent = False
        for run in runs(self.folder):
            one = self._upload(run)
            sent |= one.send_new()
            if one.state["ended"]:
                self._remove(one)
        return sent

    def report(self) -> None:
        """Send the heartbeat of the open runs when it is due, and the machine's load with the oldest of them."""
        open_runs = [each for each in self._uploads.values() if each.is_open]
        if time.monotonic() >= self._heartbeat_due:
            self._heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
            for each in open_runs:
                self.client.set_tag(each.run_id, store.HEARTBEAT_TAG, str(int(time.time() * 1000)))
        for each in open_runs[:1]:
            self._system.log(self.client, each.run_id)

    def close_open_runs(self) -> None:
        """Close runs whose process died without an end record as KILLED, with the files that it had written."""
        for run in runs(self.folder):
            one = self._upload(run)
            if one.state["run_id"] is not None:  # else it was killed before its first record was complete
                one.send_files()
                one.end("KILLED", int(time.time() * 1000))
            self._remove(one)

    def _upload(self, run: Path) -> Upload:
        if run.name not in self._uploads:
            self._uploads[run.name] = Upload(run, self.client, self._find_run)
        return self._uploads[run.name]

    def _remove(self, done: Upload) -> None:
        """Note that a journal is sent completely, and delete it."""
        if run_id := done.state["run_id"]:
            journal.write_checked(self.folder / SENT, {"runs": sent_runs(self.folder) | {done.folder.name: run_id}})
        shutil.rmtree(done.folder)
        del self._uploads[done.folder.name]

    def _find_run(self, tracker_id: str) -> str | None:
        """The MLflow run of a tracker, from this outbox or from the store."""
        if (sibling := self._uploads.get(tracker_id)) and sibling.state["run_id"]:
            return sibling.state["run_id"]
        return next(iter(upload.stored_runs(self.client, tracker_id)), None)


def runs(folder: Path) -> list[Path]:
    """The folders of the runs in an outbox, parents first, then in the order in which they started."""
    journals: list[Path] = []
    with contextlib.suppress(FileNotFoundError):  # glob raises it where the outbox is deleted at that moment
        journals = [path.parent for path in folder.glob(f"*/{journal.FILE}")]
    return sorted(journals, key=lambda run: (journal.origin(run), run.name))


def sent_runs(folder: Path) -> dict[str, str]:
    """The MLflow run of each tracker's id whose journal is sent completely."""
    with contextlib.suppress(FileNotFoundError, journal.Damaged):
        return journal.read_checked(folder / SENT)["runs"]
    return {}


def progress(folder: Path) -> tuple[int, ...]:
    """A value that changes whenever a part of an outbox is sent."""
    return (len(sent_runs(folder)), *(state_of(run)["offset"] for run in runs(folder)))


def has_writer(folder: Path) -> bool:
    """Whether the process that writes an outbox is alive and not done with it."""
    return files.is_locked(folder / WRITER)


if __name__ == "__main__":
    main()
