"""Outboxes that wait: of processes that are gone, whose records are not all in the store."""

import fcntl
from pathlib import Path

from lab.tracking import outbox, sender, store


def send_all() -> tuple[list[str], bool]:
    """Send what waits, oldest first: a line about each outbox, and whether all of it is sent."""
    found = [path for path in store.journals().glob("*") if path.is_dir()]
    folders = [path for path in sorted(found, key=lambda path: path.stat().st_mtime) if not _in_use(path)]
    lines = [_send(folder) for folder in folders]
    return [line for line, _ in lines] or ["nothing waits"], all(sent for _, sent in lines)


def _send(folder: Path) -> tuple[str, bool]:
    """Send one outbox; a line about it, and whether all of it is sent."""
    sent = sender.deliver(folder, alive=lambda: False)
    if sent:
        return f"sent {'run' if len(sent) == 1 else f'{len(sent)} runs'} {' '.join(sent.values())}", True
    if not folder.exists():
        return f"{folder.name[:8]} was being sent already", True
    delivery = outbox.waiting(folder)
    return f"{delivery.waiting:,} records of {folder.name[:8]} still wait: {delivery.trouble}", False


def _in_use(folder: Path) -> bool:
    """Whether a sender has this outbox: its runs go on, or its records are just being sent."""
    with (folder / sender.LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
