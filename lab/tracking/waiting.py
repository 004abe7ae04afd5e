"""Journals that wait: of runs that are over, whose records are not all in the store."""

import fcntl
from pathlib import Path

from lab.tracking import sender, store
from lab.tracking.tracker import waiting


def send_all() -> tuple[list[str], bool]:
    """Send what waits, oldest first: a line about each journal, and whether all of it is sent."""
    found = sorted(store.journals().glob("*/records.jsonl"), key=lambda path: path.stat().st_mtime)
    folders = [path.parent for path in found if not _in_use(path.parent)]
    lines = [_send(folder) for folder in folders]
    return [line for line, _ in lines] or ["nothing waits"], all(sent for _, sent in lines)


def _send(folder: Path) -> tuple[str, bool]:
    """Send one journal; a line about it, and whether all of it is sent."""
    run_id = sender.deliver(folder, alive=lambda: False)
    if run_id:
        return f"sent run {run_id}", True
    if not folder.exists():
        return f"{folder.name[:8]} was being sent already", True
    delivery = waiting(folder)
    return f"{delivery.waiting:,} records of {folder.name[:8]} still wait: {delivery.trouble}", False


def _in_use(folder: Path) -> bool:
    """Whether a sender has this journal: its run goes on, or its records are just being sent."""
    with (folder / sender.LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
