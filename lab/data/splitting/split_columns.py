"""Which rows of a table are for training, validation and testing, by its columns or by files of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.table import dates
from lab.data.reading import column_types, table_files, table_rows
from lab.data.reading.settings import Reading
from lab.data.splitting import given_splits
from lab.errors import LabError

Notes = list[tuple[str, str]]


@dataclass(frozen=True)
class TableSplits:
    """The columns `group`, `order_by` and `split`, and the files for val and test, as far as the user named them."""

    group: str | None
    order_by: str | None
    split: str | None
    files: Mapping[str, str | None]

    @property
    def columns(self) -> dict[str, str]:
        """The columns that say something about the splits, by setting."""
        settings = {"group": self.group, "order_by": self.order_by, "split": self.split}
        return {setting: name for setting, name in settings.items() if name is not None}

    def _source(self) -> str:
        """What says which row belongs where."""
        return f"the values of '{self.split}'" if self.split is not None else " and ".join(self.paths())

    def not_inputs(self) -> list[str]:
        """The columns that say where a row belongs and nothing about its target."""
        return [name for name in (self.group, self.split) if name is not None]

    def paths(self) -> list[str]:
        """The files for single splits."""
        return [path for path in self.files.values() if path is not None]

    def with_files(
        self, frame: pd.DataFrame, reading: Reading, path: str
    ) -> tuple[pd.DataFrame, NDArray[np.str_], Notes]:
        """The rows of all files, the split that each is given for, "" for those of the main file at `path`, and notes.

        The index of a row is that in its file. The notes say what was left out of the other files.
        """
        frames, given = [frame], [np.full(len(frame), "", dtype="<U5")]
        notes: Notes = []
        for split, other in self.files.items():
            if other is not None:
                rows, left_out = self._rows_of(other, frame, reading, path)
                notes += [(about, f"{Path(other).name}: {text}") for about, text in left_out]
                frames.append(rows)
                given.append(np.full(len(frames[-1]), split, dtype="<U5"))
        return pd.concat(frames) if len(frames) > 1 else frame, np.concatenate(given), notes

    def _rows_of(self, other: str, frame: pd.DataFrame, reading: Reading, path: str) -> tuple[pd.DataFrame, Notes]:
        """The rows of another file, with the columns and types of the main one, and notes on what was left out."""
        texts = [str(name) for name in frame.columns if column_types.is_text(frame[name])]
        file = table_files.read(other, reading.with_texts(texts))
        rows, notes = table_rows.samples_of(file.frame)
        missing = [str(name) for name in frame.columns if name not in rows.columns]
        if missing:
            raise LabError(f"{other}: has no column {', '.join(missing)}, which {path} has")
        return rows[frame.columns], [*file.notes, *notes]

    def of(self, frame: pd.DataFrame, given: NDArray[np.str_], date_format: str | None) -> tuple[dict[str, Any], Notes]:
        """What `Samples` needs to know about the splits, and notes for the user."""
        if self.group and self.order_by:
            raise LabError("data.group, data.order_by: set one of them; a group may lie on both sides of a time")
        found: dict[str, Any] = {}
        notes: Notes = []
        if self.split is not None:
            if (given != "").any():
                raise LabError("data.split: leave it out where data.test_path or data.val_path is set")
            given = given_splits.of_column(frame[self.split])
        if (given != "").any():
            found["given"] = given
            notes.append(("split", given_splits.described(given.tolist(), self._source())))
        if self.group is not None:
            found["groups"] = _groups(frame[self.group], self.group)
            _refuse_on_two_sides(frame[self.group], given, self._source())
            count = len(np.unique(found["groups"]))
            notes.append(("split", f"by '{self.group}': none of its {count:,} values is on two sides"))
        if self.order_by is not None:
            found["order"] = _order(frame[self.order_by], self.order_by, date_format)
            notes.append(("split", f"by '{self.order_by}': {_drawn_in_order(given)}"))
        return found, notes


def _groups(column: pd.Series, name: str) -> NDArray[np.int64]:
    _refuse_missing(column, f"data.group: column '{name}'")
    return np.asarray(pd.factorize(column)[0], dtype=np.int64)


def _refuse_on_two_sides(groups: pd.Series, given: NDArray[np.str_], source: str) -> None:
    """Raise LabError for a group of which the source puts rows into several splits; "" is for training."""
    sides = pd.Series(np.where(given == "", "train", given), index=groups.index)
    several = sides.groupby(groups).nunique().loc[lambda count: count > 1].index
    if len(several):
        more = f" (and {len(several) - 1:,} more)" if len(several) > 1 else ""
        where = " and ".join(sorted(sides[groups == several[0]].unique()))
        raise LabError(
            f"data.group: '{several[0]}' of column '{groups.name}'{more} is in {where}, as given by {source}; "
            "correct that, or leave out one of the two"
        )


def _drawn_in_order(given: NDArray[np.str_]) -> str:
    """What the order of the rows decides; raises LabError if it is nothing."""
    if not (given == "test").any():
        return "the last rows are the test" + ("" if (given == "val").any() else ", those before them validation")
    if (given == "val").any():
        raise LabError("data.order_by: leave it out where the validation and the test split are both given")
    return "the last of the other rows are validation"


def _order(column: pd.Series, name: str, date_format: str | None) -> NDArray[Any]:
    """The numbers or times by which rows are ordered; dates in the chosen format, where they have it."""
    _refuse_missing(column, f"data.order_by: column '{name}'")
    found = column_types.infer_date(column, date_format)
    if found is not None:
        return dates(column, found.format).to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy()
    raise LabError(f"data.order_by: column '{name}' has neither dates nor numbers, such as {column.iloc[0]!r}")


def _refuse_missing(column: pd.Series, what: str) -> None:
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise LabError(f"{what}, row {missing[0] + 1}: is missing; fill it in, or remove such rows")
