"""The sender: a process of its own that brings the journals of an outbox to MLflow while the runs go on."""

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tracking import journal, store
from lab.tracking.system_metrics import SystemMetrics
from lab.tracking.upload import JOURNAL_TAG, Upload, state_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

POLL_SECONDS = 0.2
LONGEST_PAUSE = 30.0  # seconds between two attempts at a store that does not answer
LOCK = "lock"
LOG = "sender.log"
CLOSED = "closed"  # written by the outbox when nothing more will come
DELIVERED = "delivered.json"


def runs(folder: Path) -> list[Path]:
    """The folders of the runs in an outbox, parents first, then in the order in which they started."""
    journals = [path.parent for path in folder.glob(f"*/{journal.FILE}")]
    return sorted(journals, key=lambda run: (journal.origin(run), run.name))


def delivered(folder: Path) -> dict[str, str]:
    """The MLflow run of each tracker's id whose journal is sent whole."""
    try:
        return json.loads((folder / DELIVERED).read_text())
    except FileNotFoundError:
        return {}


def progress(folder: Path) -> tuple[int, ...]:
    """Something that changes whenever a part of an outbox is sent."""
    return (len(delivered(folder)), *(state_of(run)["offset"] for run in runs(folder)))


class Sender:
    """Brings the journals of one outbox to the store."""

    def __init__(self, folder: Path, client: "MlflowClient"):
        self.folder = folder
        self.client = client
        self.system = SystemMetrics()
        self._uploads: dict[str, Upload] = {}

    def send_new(self) -> bool:
        """Send what the journals hold beyond what was sent; whether there was anything."""
        sent = False
        for run in runs(self.folder):
            upload = self._upload(run)
            sent |= upload.send_new()
            if upload.state["ended"]:
                self._remove(upload)
        return sent

    def sample_system(self) -> None:
        """Record the machine's load with the oldest run that goes on."""
        for upload in list(self._uploads.values())[:1]:
            self.system.log(self.client, upload.run_id)

    def close_open_runs(self) -> None:
        """Close, as KILLED, runs whose process is gone without an end record, with the files it had written."""
        for run in runs(self.folder):
            upload = self._upload(run)
            upload.send_files()
            upload.end("KILLED", int(time.time() * 1000))
            self._remove(upload)

    def _upload(self, run: Path) -> Upload:
        if run.name not in self._uploads:
            self._uploads[run.name] = Upload(run, self.client, self._find_run)
        return self._uploads[run.name]

    def _remove(self, upload: Upload) -> None:
        """Note a journal that is sent whole, and remove it."""
        noted = delivered(self.folder) | {upload.folder.name: upload.run_id}
        fresh = self.folder / f"{DELIVERED}.new"
        fresh.write_text(json.dumps(noted))
        fresh.replace(self.folder / DELIVERED)
        shutil.rmtree(upload.folder)
        del self._uploads[upload.folder.name]

    def _find_run(self, tracker_id: str) -> str | None:
        """The MLflow run of a tracker, here or in the store."""
        if (beside := self._uploads.get(tracker_id)) and beside.state["run_id"]:
            return beside.state["run_id"]
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        found = self.client.search_runs(experiments, f"tags.`{JOURNAL_TAG}` = '{tracker_id}'", max_results=1)
        return found[0].info.run_id if found else None


def deliver(folder: Path, alive: Callable[[], bool]) -> dict[str, str] | None:
    """Send an outbox until it is closed, then remove it; its runs, or None where records wait.

    While `alive()`, a store that does not answer is tried again and again.
    """
    pause = POLL_SECONDS
    sender: Sender | None = None
    with store.locked(folder / LOCK):
        while folder.exists():  # unless a sender before this one sent it all
            was_alive = alive()  # asked before reading: what was written until then is read
            going_on = was_alive and not (folder / CLOSED).exists()
            try:
                sender = sender or Sender(folder, store.client())
                sent = sender.send_new()
                if going_on:
                    sender.sample_system()
                elif not sent:
                    sender.close_open_runs()
                    sent_runs = delivered(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                    return sent_runs
                pause = POLL_SECONDS if going_on else 0.0
            except Exception as error:  # whatever a store in trouble raises; the journals keep everything
                logging.warning("%s: %s", type(error).__name__, error)
                if not was_alive:
                    return None
                pause = min(max(pause, POLL_SECONDS) * 2, LONGEST_PAUSE)
            time.sleep(pause)
    return None


def main() -> None:
    """`python -m lab.tracking.sender FOLDER PARENT`, started by the process (an id) that writes the outbox."""
    folder = Path(sys.argv[1])
    logging.basicConfig(format="%(asctime)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(15)  # the runs themselves come first
    parent = int(sys.argv[2])  # not asked for here: it may be gone before this line
    sent = deliver(folder, alive=lambda: os.getppid() == parent)
    if sent is not None:
        with contextlib.suppress(BrokenPipeError):  # nobody is left to read it
            print(json.dumps(sent), flush=True)
    os._exit(0 if sent is not None else 1)  # at once: nothing is left to do, and a closed pipe would be reported


if __name__ == "__main__":
    main()
