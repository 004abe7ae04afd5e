"""Cleaning up after dead processes: sending their pending records, and closing their runs."""

import platform
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab import files
from lab.errors import without_password
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.run_table import SILENT_SECONDS
from lab.tracking.writing import outbox, sender

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


NOTHING = "nothing is pending"
LONGEST_REASON = 160  # characters of the error of a store
SILENT_SECONDS_ELSEWHERE = 300  # for a machine whose journals cannot be read here, and whose clock may differ
SILENT_REASON = "its process and its sender died; closed by `lab runs --reap`"


def ended_outboxes() -> list[Path]:
    """The outboxes whose process has ended, oldest first."""
    found = [path for path in store.journals().glob("[!.]*") if path.is_dir() and not sender.has_writer(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime if path.exists() else 0.0)


def unsent_outboxes() -> list[Path]:
    """The outboxes whose process has ended and that no process is sending."""
    return [path for path in ended_outboxes() if not files.is_locked(path / sender.LOCK)]


def send_all() -> tuple[list[str], bool]:
    """Send all pending records, oldest first; returns a line about each outbox, and whether everything was sent.

    An outbox that another process is sending is waited for, since that process may fail.
    """
    lines = [_send(folder) for folder in ended_outboxes()]
    return [line for line, _ in lines] or [NOTHING], all(sent for _, sent in lines)


def _send(folder: Path) -> tuple[str, bool]:
    """Send one outbox; returns a line about it, and whether everything was sent."""
    sent = sender.send_outbox(folder)
    if sent:
        return f"sent {'run' if len(sent) == 1 else f'{len(sent)} runs'} {' '.join(sent.values())}", True
    if not folder.exists():
        return f"{folder.name[:8]} was already sent", True
    delivery = outbox.pending(folder)
    address = without_password(store.tracking_uri())
    reason = textwrap.shorten(delivery.error, LONGEST_REASON, placeholder=" …")
    pending = f"{delivery.pending:,} records of {folder.name[:8]} are still pending for {address}"
    return f"{pending}; `lab sync` sends them when it answers ({reason})", False


def close_silent_runs(host: str | None = None) -> list[str]:
    """Close the silent runs of this machine, or of `host`; returns a line about each. Raises LabError.

    Never touches a run that reports, one whose journal still exists (sending it closes the run), or one that another
    tool wrote.
    """
    client = stored_runs.connect()
    here = host in (None, platform.node())
    return [_close_silent(client, run, here) for run in _silent_runs(client, host or platform.node(), here)]


def _silent_runs(client: "MlflowClient", host: str, here: bool) -> "Iterator[Run]":
    """The runs of a machine that have status RUNNING, but whose heartbeat stopped."""
    latest = (time.time() - (SILENT_SECONDS if here else SILENT_SECONDS_ELSEWHERE)) * 1000
    experiments = [each.experiment_id for each in client.search_experiments()]
    quote = '"' if "'" in host else "'"
    wanted = f"attributes.status = 'RUNNING' AND tags.`{store.HOST_TAG}` = {quote}{host}{quote}"
    token = None
    while experiments:
        page = client.search_runs(experiments, wanted, page_token=token)
        for run in page:
            heartbeat = run.data.tags.get(store.HEARTBEAT_TAG, "")
            if store.OUTBOX_TAG in run.data.tags and heartbeat.isdigit() and int(heartbeat) < latest:
                yield run
        if not (token := page.token):
            return


def _close_silent(client: "MlflowClient", run: "Run", here: bool) -> str:
    """Close a silent run, unless its journal is here; returns a line about what was done."""
    outbox = Path(run.data.tags[store.OUTBOX_TAG])
    name = f"{run.info.run_id[:8]} ({run.info.run_name})"
    if here and outbox.exists():
        return f"{name} stays open: its records are in {outbox}; `lab sync` there sends them"
    client.set_tag(run.info.run_id, "lab.failure", SILENT_REASON)
    client.set_terminated(run.info.run_id, "KILLED", int(run.data.tags[store.HEARTBEAT_TAG]))
    return f"closed {name} as KILLED"
