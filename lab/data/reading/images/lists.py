"""Tables that list images: a column of file names, one of targets, and perhaps one of splits or of groups."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from lab.data.reading import column_types, table_files
from lab.data.reading.class_folders import existing_folder
from lab.data.reading.images.files import SUFFIXES, Files, images_below
from lab.data.reading.targets import targets
from lab.data.splitting import given_splits
from lab.errors import LabError

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
TARGET_NAMES = ("target", "label", "class", "category", "y", "outcome")
FIRST_ROWS = 50  # by which a column is recognised
MOST = 0.5  # share of the first names that must be those of images


@dataclass(frozen=True)
class Columns:
    """The columns of a list of images that the settings name; None where they are to be found."""

    image: str | None = None
    target: str | None = None
    split: str | None = None  # "none" where there is to be none
    group: str | None = None

    def chosen(self) -> dict[str, str]:
        """The settings that name a column."""
        return {name: value for name, value in vars(self).items() if value and (name, value) != ("split", "none")}


def find_listed(path: str, root: str | None, columns: Columns, choice: targets.Choice) -> Files:
    """The images that a CSV or Parquet file lists, below `root` or else its own folder; raises LabError."""
    file = table_files.read(path)
    frame = file.frame
    for setting, name in columns.chosen().items():
        column_types.check_names([name], frame, f"data.{setting}")
    place = Locator(existing_folder(Path(root or Path(path).parent).expanduser()))
    used = _used(frame, columns, place, path)
    target, cells = used["target"], frame[used["image"]]
    found = targets.resolve(frame[target], choice, f"column '{target}'")
    paths = tuple(place.path(cell, row, used["image"]) for row, cell in enumerate(cells, start=1))
    notes = [("task", targets.describe(found)), ("columns", _described(used, frame)), *file.notes]
    unlisted = sorted(place.images - set(paths))
    if unlisted:
        notes.append(("not used", f"{len(unlisted):,} images below {place.folder} that {path} does not list"))
    return Files(
        paths,
        found.values,
        found.class_names,
        target_names=() if found.class_names else (target,),
        given=given_splits.of_column(frame[used["split"]]) if "split" in used else None,
        given_by=f"the values of '{used.get('split')}'",
        groups=frame[used["group"]].astype(str).to_numpy(dtype=str) if "group" in used else None,
        source=(Path(path).expanduser(),),
        notes=tuple(notes),
        columns=used,
        unused=tuple(f"{name}: not listed in {path}" for name in unlisted),
        ordered=found.ordered,
    )


def _used(frame: pd.DataFrame, columns: Columns, place: "Locator", path: str) -> dict[str, str]:
    """The column of each setting, those that are set and those that are found; raises LabError."""
    used = {"image": columns.image or _image_column(frame, place, path)}
    split = columns.split or _split_column(frame, used["image"])
    used |= {"split": split} if split != "none" else {}
    used |= {"group": columns.group} if columns.group else {}
    used["target"] = columns.target or _target_column(frame, list(used.values()), path)
    for setting, column in used.items():
        other = next(name for name, value in used.items() if value == column)
        if other != setting:
            raise LabError(f"data.{setting}: column '{column}' is data.{other} already")
    return used


def lists_images(frame: pd.DataFrame, folder: Path) -> bool:
    """Whether a column has names, with an ending, of images below a folder."""
    endings = [name for name in frame if _has_endings(frame[name].head(FIRST_ROWS))]
    return any(_names_images(frame[name], Locator(folder)) for name in endings)


class Locator:
    """Finds the image that a cell names: a path below `folder`, or a name that is there once; the ending may lack."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, cell: object, row: int, column: str) -> Path:
        """The path that a cell names, whether or not there is such a file; raises LabError for an empty cell."""
        if pd.isna(cell):
            raise LabError(f"column '{column}', row {row}: is empty; remove such rows")
        return self.find(cell) or self.folder / str(cell)

    def find(self, cell: object) -> Path | None:
        """The file that a cell names, None if there is none."""
        name = str(cell).strip().replace("\\", "/")
        path = self.folder / name
        exists = os.path.isfile(path)  # noqa: PTH113 (a Path raises for a text that no file can be called)
        return path if path.suffix and exists else self._by_name.get(name)

    @cached_property
    def images(self) -> set[Path]:
        """All images below the folder."""
        return set(images_below(self.folder))

    @cached_property
    def _by_name(self) -> dict[str, Path | None]:
        """Each path without its ending, and each name with and without, to the image; None for one of several."""
        found: dict[str, Path | None] = {}
        for path in self.images:
            inside = path.relative_to(self.folder).with_suffix("").as_posix()
            for name in {path.name, path.stem, inside}:
                found[name] = None if name in found else path
        return found


def _has_endings(cells: pd.Series) -> bool:
    return bool(cells.dropna().astype(str).str.lower().str.endswith(SUFFIXES).mean() > MOST)


def _names_images(cells: pd.Series, place: Locator) -> bool:
    first = cells.dropna().head(FIRST_ROWS)
    return bool(len(first)) and sum(place.find(cell) is not None for cell in first) > MOST * len(first)


def _image_column(frame: pd.DataFrame, place: Locator, path: str) -> str:
    found = [str(name) for name in frame if _names_images(frame[name], place)]
    if len(found) == 1:
        return found[0]
    if found:
        raise LabError(f"data.image: which column names the images? {' and '.join(found)} of {path} do")
    looks_so = next((name for name in frame if _has_endings(frame[name].head(FIRST_ROWS))), None)
    if looks_so is None:
        raise LabError(f"{path}: no column names images below {place.folder}/; set data.root to their folder")
    first = frame[looks_so].dropna().iloc[0]
    raise LabError(
        f"{place.folder / str(first)}: no such file, but column '{looks_so}' of {path} names it; set data.root"
    )


def _target_column(frame: pd.DataFrame, used: Sequence[str], path: str) -> str:
    """The only column that is left, or the only one with a usual name whose values repeat or are numbers."""
    rest = [str(name) for name in frame if name not in used]
    if len(rest) == 1:
        return rest[0]
    usual = [name for name in rest if name.lower() in TARGET_NAMES and _may_be_target(frame[name])]
    if len(usual) == 1:
        return usual[0]
    if not rest:
        raise LabError(f"{path}: has no column of targets, only {', '.join(used)}")
    raise LabError(f"data.target, or --target: which column is to be predicted? {path} has {', '.join(rest)}")


def _may_be_target(cells: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(cells.dtype) or cells.nunique() <= len(cells) / 2


def _split_column(frame: pd.DataFrame, image: str) -> str:
    """The column whose values are all names of splits, train among them; "none" if there is none or several."""
    found = [str(name) for name in frame if name != image and given_splits.is_column(frame[name])]
    return found[0] if len(found) == 1 else "none"


def _described(used: Mapping[str, str], frame: pd.DataFrame) -> str:
    unused = [str(name) for name in frame if name not in used.values()]
    text = ", ".join(f"{setting} '{column}'" for setting, column in used.items())
    return text + (f"; not used: {', '.join(unused)}" if unused else "")
