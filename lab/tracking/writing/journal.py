"""The journal: an append-only local file of what happened in a run, one JSON record per line, with its checksum.

Records by `kind`: start (experiment, name, params, tags, parent, continued), metrics (values, step), params (values),
tags (values), artifact (path), model (path, task), end (status). Each has `time`, in milliseconds since 1970.
"""

import errno
import json
import logging
import os
import time
from pathlib import Path
from typing import Any
from zlib import crc32

from lab.files import atomic_write

Record = dict[str, Any]
FILE = "records.jsonl"
CHECKSUM_MARK = ', "crc": '
RESERVE = "reserve"  # a file that is deleted when the disk is full, so that the end of a run can be recorded
RESERVED_BYTES = 65_536
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

as_json = json.JSONEncoder(check_circular=False).encode  # a fifth faster than json.dumps


class Damaged(ValueError):
    """A line or file whose content is not what was written."""


# Records


class Journal:
    """Appends records; each is handed to the operating system before `append` returns."""

    def __init__(self, folder: Path):
        self._reserve = folder / RESERVE
        self._reserve.write_bytes(b"\0" * RESERVED_BYTES)
        self._file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, kind: str, **content: Any) -> None:
        """Write one record; raises OSError where the disk is full, and then leaves no partial record behind."""
        line = with_checksum({"kind": kind, "time": time.time_ns() // 1_000_000, **content}).encode()
        try:
            self._write(line)
        except OSError as error:
            if error.errno not in DISK_FULL or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._write(line)

    def _write(self, line: bytes) -> None:
        if (written := os.write(self._file, line)) != len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({written} of {len(line)} bytes of a record)")

    def close(self) -> None:
        """Flush everything to the disk and close the file."""
        os.fsync(self._file)
        os.close(self._file)
        self._reserve.unlink(missing_ok=True)


def read(folder: Path, offset: int) -> tuple[list[tuple[Record, int]], int]:
    """The complete records from a byte offset on, each with the offset of its end; and the last such offset.

    A last line without a line end is still being written, or was cut off by a crash, and is ignored. A damaged line
    is skipped with a warning.
    """
    found = []
    with (folder / FILE).open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                found.append((parse(line.decode(errors="replace")), offset + len(line)))
            except Damaged:
                logging.warning("%s: skipped a damaged record at byte %d", folder / FILE, offset)
            offset += len(line)
    return found, offset


def origin(folder: Path) -> tuple[bool, int]:
    """Whether a journal's run has a parent, and when it started, in milliseconds since 1970.

    (False, 0) where the first record is incomplete or the journal is gone.
    """
    try:
        with (folder / FILE).open("rb") as file:
            start = parse(file.readline().decode(errors="replace"))
        return start["parent"] is not None, int(start["time"])
    except (KeyError, TypeError, ValueError, FileNotFoundError):
        return False, 0


# Checksums


def with_checksum(content: dict[str, Any]) -> str:
    """Content, which must not be empty, as a line of JSON with its checksum as the last entry."""
    text = as_json(content)
    return f"{text[:-1]}{CHECKSUM_MARK}{crc32(text.encode())}}}\n"


def parse(line: str) -> dict[str, Any]:
    """The content of a line with a checksum; raises Damaged where the checksum does not match."""
    body, _, end = line.rpartition(CHECKSUM_MARK)
    text = f"{body}}}"
    if end.strip() != f"{crc32(text.encode())}}}":
        raise Damaged(f"the checksum of {line[:40]!r} is wrong")
    return json.loads(text)


def write_checked(path: Path, content: dict[str, Any]) -> None:
    """Write a file that holds one line with a checksum, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(with_checksum(content), encoding="utf-8")


def read_checked(path: Path) -> dict[str, Any]:
    """The content of a file that `write_checked` wrote; raises Damaged, or FileNotFoundError."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Damaged(f"{path} is not text") from None
