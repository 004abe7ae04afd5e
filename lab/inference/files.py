"""Reading files of new data for a model, and writing files of predictions."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lab.data.encodings import Encoding
from lab.data.encodings.sequence import SequenceEncoding
from lab.data.encodings.series import SeriesEncoding
from lab.data.encodings.table import TableEncoding
from lab.data.encodings.text import TEXT_FILE, TextEncoding
from lab.data.reading import class_folders
from lab.data.reading.images.files import SUFFIXES, images_below
from lab.data.reading.settings import existing_file
from lab.data.reading.table_files import read_new, read_steps, read_table
from lab.data.reading.table_rows import samples_of
from lab.data.sequences.lengths import cut
from lab.errors import LabError
from lab.files import atomic_output, may_replace

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
ARRAYS = (".npy", ".npz")
INPUT_ENDINGS = {
    "array": ARRAYS + TABLES,
    "sequence": ARRAYS,
    "table": TABLES,
    "text": TABLES,
    "image": SUFFIXES + ARRAYS,
    "series": TABLES + ARRAYS,
}
MOST_LISTED = 8  # rows
OUTPUT_ENDINGS = (".csv", ".parquet", ".npz")


def read(paths: Sequence[str], encoding: Encoding, say: Callable[[str], None]) -> Any:
    """The input of `Model.predict`: a table, an array, or paths of images or texts, those of a folder sorted by name.

    `say` prints a line on what a file has that is no sample. Raises LabError where the files do not fit the model.
    """
    if encoding.kind == "image" and Path(paths[0]).suffix.lower() not in ARRAYS:
        return [file for path in paths for file in _images(Path(path).expanduser())]
    if encoding.kind == "text" and all(Path(path).suffix.lower() in ("", TEXT_FILE) for path in paths):
        return [file for path in paths for file in _texts(Path(path).expanduser())]
    if len(paths) > 1:
        raise LabError(f"{paths[1]}: only one file can be read; several files must be images or texts")
    ending = Path(paths[0]).suffix.lower()
    known = INPUT_ENDINGS[encoding.kind]
    if ending not in known:
        existing_file(paths[0])
        raise LabError(f"{paths[0]}: this model takes {', '.join(known)} files")
    if ending in ARRAYS:
        return _read_array(existing_file(paths[0]), encoding)
    if isinstance(encoding, TableEncoding | TextEncoding):
        return _samples(paths[0], encoding, say)
    return read_steps(paths[0], encoding) if isinstance(encoding, SeriesEncoding) else read_table(paths[0])


def _samples(path: str, encoding: TableEncoding | TextEncoding, say: Callable[[str], None]) -> pd.DataFrame:
    """The rows that are samples, by the rules of training."""
    file = read_new(path, encoding)
    samples, notes = samples_of(file.frame)
    for what, text in file.notes:
        say(f"{path}: {what} {text}")
    if notes:
        without = ", ".join(str(row + 1) for row in file.frame.index.difference(samples.index)[:MOST_LISTED])
        left_out = len(file.frame) - len(samples)
        more = f" and {left_out - MOST_LISTED} more" if left_out > MOST_LISTED else ""
        rows = "row" if left_out == 1 else "rows"
        say(f"{path}: skipped {', '.join(text for _, text in notes)}: no prediction for {rows} {without}{more}")
    return samples


def _images(path: Path) -> list[Path]:
    """The path of an image, or those of the images in a folder."""
    if not path.is_dir():
        if path.suffix.lower() in TABLES:
            raise LabError(f"{path}: this model takes images, folders of them, or {', '.join(ARRAYS)} files")
        return [existing_file(path)]
    found = images_below(path)
    if not found:
        raise LabError(f"{path}: has no images ({', '.join(SUFFIXES)})")
    return found


def _texts(path: Path) -> list[Path]:
    """The path of a text file, or those of the text files in a folder."""
    if not path.is_dir():
        return [existing_file(path)]
    found = class_folders.below(path, class_folders.TEXTS)
    if not found:
        raise LabError(f"{path}: has no texts ({TEXT_FILE})")
    return found


def _read_array(path: Path, encoding: Encoding) -> Any:
    """The array in an NPY file, or in an NPZ file the one named `x` or the only one; sequences cut by `lengths`."""
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, OSError, BadZipFile, EOFError):
        raise LabError(f"{path}: cannot be read as NumPy arrays of numbers") from None
    if isinstance(content, np.ndarray):
        return content
    with content:
        if isinstance(encoding, SequenceEncoding) and {"x", "lengths"} <= set(content):
            samples, axes = cut(content["x"], content["lengths"], encoding.axes, f"{path}: lengths")
            return [sample.T for sample in samples] if axes != encoding.axes else samples
        name = "x" if "x" in content else next(iter(content), "")
        if name != "x" and len(content) != 1:
            raise LabError(f"{path}: has no x; it has {', '.join(content) or 'nothing'}")
        return content[name]


def check_output(path: Path, yes: bool) -> None:
    """Raise LabError for an ending that is not in OUTPUT_ENDINGS, and for a file that must not be replaced."""
    if path.suffix.lower() not in OUTPUT_ENDINGS:
        raise LabError(f"{path}: predictions are written as {', '.join(OUTPUT_ENDINGS)}")
    if not may_replace(path, yes):
        raise LabError(f"{path}: exists; --yes replaces it")


def write_predictions(frame: pd.DataFrame, path: Path) -> None:
    """Write predictions in the format of the path's ending; in an NPZ file each column is an array."""
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        if path.suffix.lower() == ".csv":
            frame.to_csv(file, index=False)
        elif path.suffix.lower() == ".parquet":
            frame.to_parquet(file, index=False)
        else:
            np.savez_compressed(file, allow_pickle=False, **{str(name): _as_array(frame[name]) for name in frame})


def print_predictions(frame: pd.DataFrame) -> None:
    """Print predictions as CSV."""
    frame.to_csv(sys.stdout, index=False)


def _as_array(column: pd.Series) -> np.ndarray:
    """Numbers unchanged, names as text: NumPy can store an array of objects only as a pickle."""
    return column.to_numpy() if pd.api.types.is_numeric_dtype(column.dtype) else column.to_numpy(dtype=str)
