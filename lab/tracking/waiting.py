"""Outboxes that wait: of processes that are gone, whose records are not all in the store."""

from pathlib import Path

from lab.tracking import outbox, sender, store


def abandoned() -> list[Path]:
    """The outboxes whose process is gone or done, and that nobody sends at this moment, oldest first."""
    found = [path for path in store.journals().glob("[!.]*") if path.is_dir()]
    waiting = [path for path in found if not sender.has_writer(path) and not store.is_locked(path / sender.LOCK)]
    return sorted(waiting, key=lambda path: path.stat().st_mtime)


NOTHING = "nothing waits"


def send_all() -> tuple[list[str], bool]:
    """Send what waits, oldest first: a line about each outbox, and whether all of it is sent."""
    lines = [_send(folder) for folder in abandoned()]
    return [line for line, _ in lines] or [NOTHING], all(sent for _, sent in lines)


def _send(folder: Path) -> tuple[str, bool]:
    """Send one outbox; a line about it, and whether all of it is sent."""
    sent = sender.deliver(folder)
    if sent:
        return f"sent {'run' if len(sent) == 1 else f'{len(sent)} runs'} {' '.join(sent.values())}", True
    if not folder.exists():
        return f"{folder.name[:8]} held nothing more", True
    delivery = outbox.waiting(folder)
    return f"{delivery.waiting:,} records of {folder.name[:8]} still wait: {delivery.trouble}", False
