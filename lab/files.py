"""Files: written whole or not at all, locked across processes, and named so that no path leaves its folder."""

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lab.errors import LabError

if TYPE_CHECKING:
    pass


LONGEST_NAME = 200  # characters; file systems take 255 bytes


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to it when all went well; raises LabError where it cannot be."""
    fresh = path.with_name(f".new.{path.name}")  # formats go by the ending
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.touch()
        yield fresh
        fresh.replace(path)
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if path.parent.is_dir():
            fresh.unlink(missing_ok=True)


def may_replace(path: Path, yes: bool) -> bool:
    """Whether nothing is at `path`, or who works here agrees that it is replaced; without a terminal nobody does."""
    if yes or not path.exists():
        return True
    return sys.stdin.isatty() and input(f"replace {path}? [y/N] ").strip().lower() in ("y", "yes")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, across processes."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on a file; False where there is no such file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def held(file_path: Path, name: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a driver's lock; raises LabError where another process has it, OSError where its folder is gone."""
    until = time.monotonic() + patience
    with file_path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    message = f"{name} is being run by another process; wait for it, or stop it first"
                    raise LabError(message) from None
                time.sleep(0.05)
        yield


def as_folder_name(name: str) -> str:
    """A name as that of one folder: itself where it is plain, else with what has a meaning in paths escaped."""
    plain = quote(name, safe=" ()+,=@")[:LONGEST_NAME]
    return plain.replace(".", "%2E", 1) if plain.startswith(".") else plain or "%20"


def is_inside(name: str) -> bool:
    """Whether a relative path names something below the folder that it is joined to."""
    parts = name.replace("\\", "/").split("/")
    return not name.startswith(("/", "\\")) and ":" not in parts[0] and ".." not in parts and "\0" not in name


def path_inside(folder: Path, name: str) -> Path:
    """The path of a name below a folder, links followed; raises LabError where it leads out."""
    path = folder / name
    if not is_inside(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise LabError(f"'{name}' leads out of {folder}")
    return path
