"""How a file of rows is read, and which file."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from lab.data.encodings.cells import MISSING, NO_NUMBER
from lab.data.reading.number_formats import Decimal, Thousands
from lab.errors import LabError, Unavailable, did_you_mean

Separator = Literal["auto", ",", ";", "\t", "|"]


@dataclass(frozen=True)
class Reading:
    """How a file is read: what the user set, "auto" or None for what is inferred.

    Columns in `texts` are read as they are written; `fitted` says that these are all that are not plain numbers. Of
    `new_rows`, which are to be predicted, no line between others is left out. With `long_texts` a cell may have several
    lines.
    """

    separator: Separator = "auto"
    text_encoding: str = "auto"
    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    missing: Collection[str] | None = None
    skip_rows: int | None = None
    texts: Collection[str] = ()
    fitted: bool = False
    new_rows: bool = False
    long_texts: bool = False

    def with_texts(self, texts: Collection[str]) -> "Reading":
        """The same for a file beside another one, in which these columns are texts."""
        return replace(self, texts=[*self.texts, *texts])

    def marks(self, numbers: bool) -> list[str]:
        """The texts that stand for a missing value, among numbers or names."""
        if self.missing is not None:
            return list(self.missing)
        return [*MISSING, *NO_NUMBER] if numbers else list(MISSING)


@dataclass(frozen=True)
class RawTable:
    """A table as it is stored, its columns of text that stay text, the marks of the file, and what was left out."""

    table: pa.Table
    texts: set[str]
    separator: str
    decimal: str
    notes: list[tuple[str, str]]


def marks_of(missing: Collection[str | int | float | None] | None) -> tuple[str, ...] | None:
    """The texts that a person lists as missing: null is an empty cell, -999 the text of it."""
    return None if missing is None else tuple("" if mark is None else str(mark) for mark in missing)


def existing_file(path: str | Path) -> Path:
    """The path of a non-empty file; raises LabError, with similar names, if there is none."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise LabError(f"{path}: is a folder, not a file")
    if not path.exists():
        near = [str(other) for other in path.parent.glob(f"*{path.suffix}") if other.is_file() and path.suffix]
        hint = did_you_mean(str(path), near) if near else f"looked up from {Path.cwd()}"
        raise Unavailable(f"{path}: no such file; {hint}")
    if not path.stat().st_size:
        raise LabError(f"{path}: is empty")
    return path
