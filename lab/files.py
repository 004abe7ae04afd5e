"""Files: written atomically, locked across processes, and named so that no path leaves its folder."""

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from lab.errors import LabError, see

TEMPORARY = ".new"  # suffix of the temporary folders of atomic_write
LONGEST_NAME = 200  # characters; file systems take 255 bytes
POLL_SECONDS = 0.01  # between two attempts at a lock
PROBES = 3  # attempts of is_locked, since another process may be probing the same lock


# Writing


@contextmanager
def atomic_write(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces `path` when the block succeeds; raises OSError.

    The temporary file has the name of `path` and lies in a folder beside it, so concurrent writers do not collide. It
    is removed when the block fails. With `durable`, the file survives a power failure once the block has ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", suffix=TEMPORARY, dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    if durable:
        sync(path.parent)


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Like `atomic_write`, for a file that the user asked for: raises LabError where it cannot be written."""
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror or error}") from None


def to_json(content: Any, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Content of a file as JSON that every program reads, without the NaN and Infinity of Python."""
    return json.dumps(without_nan(content), indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)


def without_nan(content: Any) -> Any:
    """JSON content with null for NaN and infinity, which JSON does not have."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: without_nan(value) for name, value in content.items()}
    return [without_nan(value) for value in content] if isinstance(content, list | tuple) else content


def numbers(content: Mapping[str, float | None]) -> dict[str, float]:
    """Numbers by name that `to_json` has written: null is NaN."""
    return {name: math.nan if value is None else value for name, value in content.items()}


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Whether a path is, or lies in, what a killed process left half-written; earlier versions named files so."""
    return any(part.endswith(TEMPORARY) for part in path.parts)


def may_replace(path: Path, yes: bool) -> bool:
    """Whether `path` may be written: it does not exist, `yes` is given, or the user agrees at the terminal."""
    if yes or not path.exists():
        return True
    return sys.stdin.isatty() and input(f"replace {path}? [y/N] ").strip().lower() in ("y", "yes")


# Folders


@contextmanager
def same_folder() -> Iterator[None]:
    """Return to the working directory after the block, which runs a person's own code: the store lies below it."""
    here = Path.cwd()
    try:
        yield
    finally:
        os.chdir(here)


# Locking. filelock is imported late, which saves `lab --help` 30 ms. Its FileLock would create a missing folder, in
# which nobody looks for a lock any more; lock_descriptor takes the same lock on a file that is already open.


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for an exclusive lock on a file and hold it; raises OSError where the folder is missing."""
    from filelock import lock_descriptor, unlock_descriptor

    with path.open("a") as file:
        lock_descriptor(file.fileno(), poll_interval=POLL_SECONDS)
        try:
            yield
        finally:
            unlock_descriptor(file.fileno())  # closing is not enough: a forked process may share the descriptor


@contextmanager
def held(path: Path, name: str, patience: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on a file, which may say who holds it, for the driver of `name`.

    Raises LabError where another process holds it for more than `patience` seconds, OSError where the folder is
    missing.
    """
    from filelock import lock_descriptor, unlock_descriptor

    deadline = time.monotonic() + patience
    with path.open("a") as file:
        while not lock_descriptor(file.fileno(), blocking=False):
            if time.monotonic() >= deadline:
                busy = f"{name} is being run by {_holder(path)}; wait for it, or stop it first"
                raise LabError(f"{busy}{see('already-running')}")
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            unlock_descriptor(file.fileno())


def _holder(path: Path) -> str:
    """What the lock file says, in one line."""
    try:
        said = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        said = ""
    return said.partition("\n")[0] or "another process"


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on a file; False, and no file is created, where there is none."""
    from filelock import lock_descriptor, unlock_descriptor

    try:
        file = path.open()
    except FileNotFoundError:
        return False
    with file:
        for _ in range(PROBES):
            if lock_descriptor(file.fileno(), blocking=False):
                unlock_descriptor(file.fileno())
                return False
            time.sleep(POLL_SECONDS)
    return True


# Names


def as_folder_name(name: str) -> str:
    """A name as that of a single folder: unchanged where it is plain, else with special characters escaped."""
    plain = quote(name, safe=" ()+,=@")[:LONGEST_NAME]
    return plain.replace(".", "%2E", 1) if plain.startswith(".") else plain or "%20"


def path_inside(folder: Path, name: str) -> Path:
    """The path of `name` below a folder, links resolved for the check; raises LabError where it leads out."""
    path = folder / name
    if not is_inside(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise LabError(f"'{name}' leads out of {folder}")
    return path


def is_inside(name: str) -> bool:
    """Whether a relative path stays below the folder that it is joined to."""
    parts = name.replace("\\", "/").split("/")
    return not name.startswith(("/", "\\")) and ":" not in parts[0] and ".." not in parts and "\0" not in name
