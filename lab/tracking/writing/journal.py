"""The journal: an append-only local file of what happened in a run, one JSON record a line, with its checksum.

Records by `kind`: start (experiment, name, params, tags, parent, continued), metrics (values, step), tags (values),
artifact (path), model (path), end (status). Each has `time`, in milliseconds since 1970.
"""

import errno
import json
import logging
import os
import time
from pathlib import Path
from typing import Any
from zlib import crc32

FILE = "records.jsonl"
RESERVE = "reserve"  # a file that is given up where the disk is full, so that the end of a run can be recorded
RESERVED_BYTES = 65_536
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Record = dict[str, Any]
CHECKSUM_MARK = ', "crc": '


class Journal:
    """Appends records; each is handed to the operating system whole before `append` returns."""

    def __init__(self, folder: Path):
        self._reserve = folder / RESERVE
        self._reserve.write_bytes(b"\0" * RESERVED_BYTES)
        self._file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, kind: str, **content: Any) -> None:
        """Write one record; raises OSError where the disk is full, and leaves no half of one behind."""
        line = with_checksum({"kind": kind, "time": time.time_ns() // 1_000_000, **content}).encode()
        try:
            self._write(line)
        except OSError as error:
            if error.errno not in FULL or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._write(line)

    def _write(self, line: bytes) -> None:
        if (written := os.write(self._file, line)) != len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({written} of {len(line)} bytes of a record)")

    def close(self) -> None:
        """Bring everything to the disk."""
        os.fsync(self._file)
        os.close(self._file)
        self._reserve.unlink(missing_ok=True)


def read(folder: Path, offset: int) -> tuple[list[tuple[Record, int]], int]:
    """The whole records from a byte offset on, each with the offset behind it; and the last such offset.

    A last line without its end is still being written, or was cut off by a crash: it does not count. A damaged
    line is reported and left out.
    """
    with (folder / FILE).open("rb") as file:
        file.seek(offset)
        found = []
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                found.append((checked(line.decode(errors="replace")), offset + len(line)))
            except Damaged:
                logging.warning("%s: a damaged record at byte %d is left out", folder / FILE, offset)
            offset += len(line)
    return found, offset


def origin(folder: Path) -> tuple[bool, int]:
    """Whether a journal's run stands below another, and when it was begun, in milliseconds since 1970.

    (False, 0) where its first record is not whole, or it is gone.
    """
    try:
        with (folder / FILE).open("rb") as file:
            start = checked(file.readline().decode(errors="replace"))
        return start["parent"] is not None, int(start["time"])
    except (KeyError, TypeError, ValueError, FileNotFoundError):
        return False, 0


as_json = json.JSONEncoder(check_circular=False).encode  # a fifth faster than json.dumps


class Damaged(ValueError):
    """A line that is not what was written."""


def with_checksum(content: dict[str, Any]) -> str:
    """Content, which must not be empty, as a line of JSON with its checksum as the last entry."""
    text = as_json(content)
    return f"{text[:-1]}{CHECKSUM_MARK}{crc32(text.encode())}}}\n"


def checked(line: str) -> dict[str, Any]:
    """The content of a sealed line; raises Damaged."""
    body, _, end = line.rpartition(CHECKSUM_MARK)
    text = f"{body}}}"
    if end.strip() != f"{crc32(text.encode())}}}":
        raise Damaged(f"the checksum of {line[:40]!r} is wrong")
    return json.loads(text)


def write_checked(path: Path, content: dict[str, Any]) -> None:
    """Write a file of one sealed line, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(with_checksum(content), encoding="utf-8")
    fresh.replace(path)


def read_checked(path: Path) -> dict[str, Any]:
    """The content of a file that `write` wrote; raises Damaged, or FileNotFoundError."""
    try:
        return checked(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Damaged(f"{path} is no text") from None
