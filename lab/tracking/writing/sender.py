"""The sender: a process of its own that brings the journals of an outbox to MLflow while the runs go on."""

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
from lab.tracking.writing.upload import Upload, state_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


POLL_SECONDS = 0.2
LONGEST_PAUSE = 30.0  # seconds between two attempts at a store that does not answer
LINGER = 3600.0  # seconds for which a store that does not answer is tried after the last run ended
HEARTBEAT_SECONDS = 15.0
LOCK = "lock"  # held while somebody sends
WRITER = "writer"  # held by the process whose runs these are, so let go of however it ends
LOG = "sender.log"
DELIVERED = "delivered.json"
SECONDS_BETWEEN = 5.0


def runs(folder: Path) -> list[Path]:
    """The folders of the runs in an outbox, parents first, then in the order in which they started."""
    journals = [path.parent for path in folder.glob(f"*/{journal.FILE}")]
    return sorted(journals, key=lambda run: (journal.origin(run), run.name))


def has_writer(folder: Path) -> bool:
    """Whether the process whose runs an outbox holds is alive, and not done with it."""
    return files.is_locked(folder / WRITER)


def delivered(folder: Path) -> dict[str, str]:
    """The MLflow run of each tracker's id whose journal is sent whole."""
    with contextlib.suppress(FileNotFoundError, journal.Damaged):
        return journal.read_checked(folder / DELIVERED)["runs"]
    return {}


def progress(folder: Path) -> tuple[int, ...]:
    """Something that changes whenever a part of an outbox is sent."""
    return (len(delivered(folder)), *(state_of(run)["offset"] for run in runs(folder)))


class Sender:
    """Brings the journals of one outbox to the store."""

    def __init__(self, folder: Path, client: "MlflowClient"):
        self.folder = folder
        self.client = client
        self._system = SystemMetrics()
        self._heartbeat_due = 0.0
        self._uploads: dict[str, Upload] = {}

    def send_new(self) -> bool:
        """Send what the journals hold beyond what was sent; whether there was anything."""
        sent = False
        for run in runs(self.folder):
            one = self._upload(run)
            sent |= one.send_new()
            if one.state["ended"]:
                self._remove(one)
        return sent

    def report(self) -> None:
        """Say now and then that the runs go on, and record the machine's load with the oldest."""
        going_on = [each for each in self._uploads.values() if each.goes_on]
        if time.monotonic() >= self._heartbeat_due:
            self._heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
            for each in going_on:
                self.client.set_tag(each.run_id, store.HEARTBEAT_TAG, str(int(time.time() * 1000)))
        for each in going_on[:1]:
            self._system.log(self.client, each.run_id)

    def close_open_runs(self) -> None:
        """Close, as KILLED, runs whose process is gone without an end record, with the files it had written."""
        for run in runs(self.folder):
            one = self._upload(run)
            if one.state["run_id"] is not None:  # else it was killed before its first record was whole
                one.send_files()
                one.end("KILLED", int(time.time() * 1000))
            self._remove(one)

    def _upload(self, run: Path) -> Upload:
        if run.name not in self._uploads:
            self._uploads[run.name] = Upload(run, self.client, self._find_run)
        return self._uploads[run.name]

    def _remove(self, done: Upload) -> None:
        """Note a journal that is sent whole, and remove it."""
        if run_id := done.state["run_id"]:
            journal.write_checked(
                self.folder / DELIVERED, {"runs": delivered(self.folder) | {done.folder.name: run_id}}
            )
        shutil.rmtree(done.folder)
        del self._uploads[done.folder.name]

    def _find_run(self, tracker_id: str) -> str | None:
        """The MLflow run of a tracker, here or in the store."""
        if (beside := self._uploads.get(tracker_id)) and beside.state["run_id"]:
            return beside.state["run_id"]
        return next(iter(upload.stored_runs(self.client, tracker_id)), None)


def deliver(folder: Path, linger: float = 0.0) -> dict[str, str] | None:
    """Send an outbox until its writer is done with it, then remove it; its runs, or None where records wait.

    A store in trouble is tried again while the writer lives, and `linger` seconds longer. Between two tries
    somebody else may send.
    """
    pause, patient_until = POLL_SECONDS, None
    while folder.exists():
        before = progress(folder)
        try:
            return _send_all(folder)
        except Exception as error:  # whatever a store in trouble raises; the journals keep everything
            note_trouble(folder, error)
        pause = POLL_SECONDS if progress(folder) != before else min(2 * pause, LONGEST_PAUSE)
        if not has_writer(folder):
            if patient_until is None:
                patient_until, pause = time.monotonic() + linger, POLL_SECONDS  # somebody waits for these records
            if time.monotonic() >= patient_until:
                return None
        _rest(folder, pause)
    return None


def note_trouble(folder: Path, error: Exception) -> None:
    """Write one line to an outbox's log."""
    line = redacted(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
    with contextlib.suppress(OSError), (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


def _send_all(folder: Path) -> dict[str, str] | None:
    """Send until the writer is done; the runs, or None where another sender had sent them."""
    with files.locked(folder / LOCK):
        sender = Sender(folder, store.client(retries=0))
        while folder.exists():
            going_on = has_writer(folder)  # asked before reading: what was written until then is read
            sent = sender.send_new()
            if going_on:
                sender.report()
                time.sleep(POLL_SECONDS)
            elif not sent:
                sender.close_open_runs()
                sent_runs = delivered(folder)
                shutil.rmtree(folder, ignore_errors=True)
                return sent_runs
    return None


def _rest(folder: Path, seconds: float) -> None:
    """Wait, but not beyond the end of the runs: then somebody waits for their records."""
    until = time.monotonic() + seconds
    had_writer = has_writer(folder)
    while time.monotonic() < until and folder.exists() and has_writer(folder) == had_writer:
        time.sleep(POLL_SECONDS)


def main() -> None:
    """`python -m lab.tracking.writing.sender FOLDER`, started by the process that writes the outbox."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(15)  # the runs themselves come first
    with contextlib.redirect_stdout(sys.stderr):  # what anybody else prints
        sent = deliver(Path(sys.argv[1]), LINGER)
    if sent is not None:
        with contextlib.suppress(BrokenPipeError):  # nobody is left to read it
            print(json.dumps(sent), flush=True)
    os._exit(0 if sent is not None else 1)  # at once: nothing is left to do, and a closed pipe would be reported


class SystemMetrics:
    """Samples now and then; a sample that cannot be sent is dropped, it is no record of the run."""

    def __init__(self) -> None:
        self._next = 0.0
        self._steps: dict[str, int] = {}  # of each run, the next
        self._monitors: list = []

    def log(self, client: "MlflowClient", run_id: str) -> None:
        """Send a sample, if the last one is long enough ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        if run_id not in self._steps:
            self._steps[run_id] = _samples_of(client, run_id)
        metrics = [Metric(f"system/{name}", value, now, self._steps[run_id]) for name, value in self._sample().items()]
        client.log_batch(run_id, metrics=metrics)
        self._steps[run_id] += 1

    def _sample(self) -> dict[str, float]:
        if not self._monitors:
            self._monitors = _monitors()
        sample: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            sample |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        return sample


def _samples_of(client: "MlflowClient", run_id: str) -> int:
    """How many samples a run has that is gone on with: its curves go on where they ended."""
    return len(client.get_metric_history(run_id, "system/cpu_utilization_percentage"))


def _monitors() -> list:
    """MLflow's own monitors; that of the GPU where there is one."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors: list = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except Exception:  # no NVIDIA library or no GPU: MLflow raises what it finds
        return monitors
    return monitors


if __name__ == "__main__":
    main()
