"""What processes that are gone have left: records that wait to be sent, and runs that claim to run."""

import platform
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab import files
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.run_table import SILENT_SECONDS
from lab.tracking.writing import outbox, sender

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


NOTHING = "nothing waits"
LONGEST_REASON = 160  # characters of what a store in trouble said
SILENT_SECONDS_ELSEWHERE = 300  # for a machine whose journals cannot be looked at, and whose clock may differ
SILENT_REASON = "its process and its sender were gone; closed by `lab runs --reap`"


def ended_outboxes() -> list[Path]:
    """The outboxes whose process is gone or done, oldest first."""
    found = [path for path in store.journals().glob("[!.]*") if path.is_dir() and not sender.has_writer(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime if path.exists() else 0.0)


def unsent_outboxes() -> list[Path]:
    """Those of them that nobody sends at this moment."""
    return [path for path in ended_outboxes() if not files.is_locked(path / sender.LOCK)]


def send_all() -> tuple[list[str], bool]:
    """Send what waits, oldest first: a line about each outbox, and whether all of it is sent.

    What somebody else is just sending is waited for: it may come to nothing, and then waits still.
    """
    lines = [_send(folder) for folder in ended_outboxes()]
    return [line for line, _ in lines] or [NOTHING], all(sent for _, sent in lines)


def _send(folder: Path) -> tuple[str, bool]:
    """Send one outbox; a line about it, and whether all of it is sent."""
    sent = sender.deliver(folder)
    if sent:
        return f"sent {'run' if len(sent) == 1 else f'{len(sent)} runs'} {' '.join(sent.values())}", True
    if not folder.exists():
        return f"{folder.name[:8]} held nothing more", True
    delivery = outbox.waiting(folder)
    address = store.without_password(store.tracking_uri())
    why = textwrap.shorten(delivery.trouble, LONGEST_REASON, placeholder=" …")
    waiting = f"{delivery.waiting:,} records of {folder.name[:8]} still wait for {address}"
    return f"{waiting}; `lab sync` sends them when it answers ({why})", False


def close_silent_runs(host: str | None = None) -> list[str]:
    """Close the silent runs of this machine, or of another one that is gone; a line about each. Raises LabError.

    A run that reports is never touched, nor one whose journal is still there (it is sent and closed from there),
    nor one that the lab did not write.
    """
    client = stored_runs.connect()
    here = host in (None, platform.node())
    return [_close_silent(client, run, here) for run in _silent_runs(client, host or platform.node(), here)]


def _silent_runs(client: "MlflowClient", host: str, here: bool) -> "Iterator[Run]":
    patience = SILENT_SECONDS if here else SILENT_SECONDS_ELSEWHERE
    experiments = [each.experiment_id for each in client.search_experiments()]
    quote = '"' if "'" in host else "'"
    wanted = f"attributes.status = 'RUNNING' AND tags.`{store.HOST_TAG}` = {quote}{host}{quote}"
    token = None
    while experiments:
        page = client.search_runs(experiments, wanted, page_token=token)
        for run in page:
            beat = run.data.tags.get(store.HEARTBEAT_TAG, "")
            if store.OUTBOX_TAG in run.data.tags and beat.isdigit() and int(beat) < (time.time() - patience) * 1000:
                yield run
        if not (token := page.token):
            return


def _close_silent(client: "MlflowClient", run: "Run", here: bool) -> str:
    """Close a silent run, unless its journal is here; what was done, in words."""
    outbox = Path(run.data.tags[store.OUTBOX_TAG])
    name = f"{run.info.run_id[:8]} ({run.info.run_name})"
    if here and outbox.exists():
        return f"{name} is left: its records are in {outbox}; `lab sync` there sends them"
    client.set_tag(run.info.run_id, "lab.failure", SILENT_REASON)
    client.set_terminated(run.info.run_id, "KILLED", int(run.data.tags[store.HEARTBEAT_TAG]))
    return f"closed {name} as KILLED"
