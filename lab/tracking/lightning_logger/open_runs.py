"""The runs that the loggers of this process have open, which copies of a logger share.

Runs share one outbox, and so one sender process. A run that goes on (`fit`, then `test`) while its earlier part is
still being sent gets another outbox: its sender waits for the earlier part.
"""

import atexit
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab.tracking.writing import sender
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker
from lab.tracking.writing.upload import state_of

_of_processes: dict[int, "OpenRuns"] = {}  # by process: a forked one must not write to the journals of its parent


class OpenRuns:
    """Starts and ends the runs of one process; a run is named by its id, that of its tracker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outboxes: list[Outbox] = []
        self._trackers: dict[str, Tracker] = {}
        self._stored: dict[str, str] = {}  # the MLflow runs of outboxes that are closed

    def get(self, run: str) -> Tracker | None:
        """The tracker of a run; None where it is not open."""
        return self._trackers.get(run)

    def start(self, journals: Path, run: str, experiment: str, name: str, tags: Mapping[str, str]) -> Tracker:
        """The tracker of a run, started unless it is open; continues the stored run of that id, if there is one.

        `journals` is the folder of the journals of its store.
        """
        with self._lock:
            if run not in self._trackers:
                tracker = self._outbox_for(journals, run).tracker(run)
                tracker.start(experiment, name, {}, tags)
                self._trackers[run] = tracker
            return self._trackers[run]

    def end(self, run: str, status: str) -> None:
        """Record the end of a run, if it is open; does not wait until it is sent."""
        with self._lock:
            if tracker := self._trackers.pop(run, None):
                tracker.end(status)

    def stored_id(self, run: str) -> str | None:
        """The id of a run in MLflow; None where the sender has not made it."""
        for outbox in self._outboxes:
            if found := sender.sent_runs(outbox.folder).get(run) or state_of(outbox.folder / run)["run_id"]:
                return found
        return self._stored.get(run)

    def close(self) -> None:
        """End what is open, wait until all is sent, and say what is pending."""
        status = "FINISHED" if getattr(sys, "last_value", None) is None else "FAILED"
        for run in list(self._trackers):
            self.end(run, status)
        while self._outboxes:
            delivery = self._outboxes.pop(0).close()
            self._stored |= delivery.run_ids
            if delivery.pending:
                print(f"lab: {delivery.message}", file=sys.stderr)

    def _outbox_for(self, journals: Path, run: str) -> Outbox:
        """An outbox in which no earlier part of the run is waiting."""
        for outbox in self._outboxes:
            if outbox.folder.parent == journals and outbox.folder.exists() and not (outbox.folder / run).exists():
                return outbox
        self._outboxes.append(Outbox(journals))
        return self._outboxes[-1]


def of_process() -> OpenRuns:
    """The open runs of this process; they are closed when it exits."""
    process = os.getpid()
    if process not in _of_processes:
        _of_processes[process] = OpenRuns()
        atexit.register(_close_at_exit, process)
    return _of_processes[process]


def _close_at_exit(process: int) -> None:
    if process == os.getpid() and process in _of_processes:
        with suppress(KeyboardInterrupt):  # the sender goes on without this process
            _of_processes[process].close()


def wait_for_stored_id(run: str, seconds: float) -> str | None:
    """The id of a run in MLflow, as soon as the sender has made it; None where that takes longer."""
    deadline = time.monotonic() + seconds
    while (found := of_process().stored_id(run)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
