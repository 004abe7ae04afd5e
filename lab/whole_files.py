"""Files that are written whole or not at all, and never over another without a yes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
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
