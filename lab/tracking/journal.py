"""The journal: an append-only local file of what happened in a run, one JSON record a line.

Records by `kind`: start (experiment, name, params, tags, parent, continued), metrics (values, step), tags (values),
artifact (path), model (path), end (status). Each has `time`, in milliseconds since 1970.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

FILE = "records.jsonl"
as_json = json.JSONEncoder(check_circular=False).encode  # a fifth faster than json.dumps
Record = dict[str, Any]


class Journal:
    """Appends records; each is handed to the operating system whole before `append` returns."""

    def __init__(self, folder: Path):
        self._file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, kind: str, **content: Any) -> None:
        """Write one record; raises OSError where the disk is full."""
        record = {"kind": kind, "time": time.time_ns() // 1_000_000, **content}
        line = (as_json(record) + "\n").encode()
        if os.write(self._file, line) != len(line):
            raise OSError(28, "No space left on device")

    def close(self) -> None:
        """Bring everything to the disk."""
        os.fsync(self._file)
        os.close(self._file)


def read(folder: Path, offset: int) -> tuple[list[tuple[Record, int]], int]:
    """The whole records from a byte offset on, each with the offset behind it; and the last such offset.

    A last line without its end is still being written, or was cut off by a crash: it does not count.
    """
    with (folder / FILE).open("rb") as file:
        file.seek(offset)
        found = []
        for line in file:
            if not line.endswith(b"\n"):
                break
            offset += len(line)
            try:
                found.append((json.loads(line), offset))
            except ValueError:  # a line that a full disk cut short, before the next was written
                continue
    return found, offset


def origin(folder: Path) -> tuple[bool, int]:
    """Whether a journal's run stands below another, and when it was begun, in milliseconds since 1970.

    (False, 0) where its first record is not whole, or it is gone.
    """
    try:
        with (folder / FILE).open("rb") as file:
            start = json.loads(file.readline())
        return start["parent"] is not None, int(start["time"])
    except (ValueError, FileNotFoundError):
        return False, 0
