"""Outboxes that wait: of processes that are gone, whose records are not all in the store."""

import textwrap
from pathlib import Path

from lab.tracking import outbox, sender, store


def ended() -> list[Path]:
    """The outboxes whose process is gone or done, oldest first."""
    found = [path for path in store.journals().glob("[!.]*") if path.is_dir() and not sender.has_writer(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime if path.exists() else 0.0)


def abandoned() -> list[Path]:
    """Those of them that nobody sends at this moment."""
    return [path for path in ended() if not store.is_locked(path / sender.LOCK)]


NOTHING = "nothing waits"
LONGEST_REASON = 160  # characters of what a store in trouble said


def send_all() -> tuple[list[str], bool]:
    """Send what waits, oldest first: a line about each outbox, and whether all of it is sent.

    What somebody else is just sending is waited for: it may come to nothing, and then waits still.
    """
    lines = [_send(folder) for folder in ended()]
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
