"""Read tables from CSV and Parquet files."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from lab.config.types import Count
from lab.data.encodings.series import SeriesEncoding
from lab.data.encodings.table import TableEncoding
from lab.data.encodings.text import TextEncoding
from lab.data.reading.csv_files import SEPARATORS, check_names, first_line, read_csv, text_encoding_of_new_rows
from lab.data.reading.number_formats import Decimal, Thousands
from lab.data.reading.settings import RawTable, Reading, Separator, existing_file, marks_of
from lab.errors import LabError


@dataclass(frozen=True)
class TableFile:
    """The rows of a file, floating-point numbers in single precision; its marks ("" in Parquet); what was left out."""

    frame: pd.DataFrame
    separator: str = ""
    decimal: str = "."
    notes: list[tuple[str, str]] = field(default_factory=list)

    def usual_marks(self) -> tuple[str, str] | None:
        """The marks before decimals and between thousands in this file; None where nothing in it says which."""
        if self.decimal == ",":
            return ",", "."
        decimals = any(
            pd.api.types.is_float_dtype(column) and (column % 1 > 0).any() for _, column in self.frame.items()
        )
        return (".", ",") if decimals or self.separator != ";" else None


def read_table(
    path: str | Path,
    separator: Separator = "auto",
    text_encoding: str = "auto",
    decimal: Decimal = "auto",
    thousands: Thousands = "auto",
    missing: list[str | int | float | None] | None = None,
    skip_rows: Count | None = None,
) -> pd.DataFrame:
    """The rows of a CSV or Parquet file, floating-point numbers in single precision; raises LabError."""
    return read(path, Reading(separator, text_encoding, decimal, thousands, marks_of(missing), skip_rows)).frame


def read_rows(path: str | Path, encoding: TableEncoding | TextEncoding) -> pd.DataFrame:
    """The rows of a file of new data, each column as it was read when the encoding was fitted; raises LabError."""
    return read_new(path, encoding).frame


def read_new(path: str | Path, encoding: TableEncoding | TextEncoding) -> TableFile:
    """The same with what was left out."""
    text_encoding = text_encoding_of_new_rows(existing_file(path), encoding.text_encoding)
    reading = Reading("auto", text_encoding, ".", missing=encoding.missing, fitted=True, new_rows=True)
    reading = replace(reading, long_texts=isinstance(encoding, TextEncoding))
    return read(path, reading.with_texts(encoding.as_texts()))


def read_steps(path: str | Path, encoding: SeriesEncoding) -> pd.DataFrame:
    """The rows of a file of new steps, in the text encoding that was set for the training data; raises LabError."""
    text_encoding = text_encoding_of_new_rows(existing_file(path), encoding.text_encoding)
    return read(path, Reading("auto", text_encoding, new_rows=True)).frame


def read(path: str | Path, reading: Reading = Reading()) -> TableFile:  # noqa: B008
    """The rows of a CSV or Parquet file; raises LabError."""
    path = existing_file(path)
    is_parquet = path.suffix.lower() in (".parquet", ".pq")
    raw = _read_parquet(path, reading) if is_parquet else read_csv(path, reading)
    names = raw.table.column_names
    if not raw.table.num_rows:
        raise LabError(f"{path}: has column names but no rows")
    if len(names) == 1 and re.search(r"\w[^\w.-]+\w", names[0]):
        raise LabError(
            f"{path}: has only one column, '{names[0]}'; if its separator is not {', '.join(SEPARATORS.values())}, "
            "convert it to CSV"
        )
    frame = _as_frame(raw, reading)
    return TableFile(frame, raw.separator, raw.decimal, raw.notes)


def _read_parquet(path: Path, reading: Reading) -> RawTable:
    try:
        table = pa.parquet.read_table(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise LabError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    check_names(path, table.column_names)
    return RawTable(table, set(reading.texts), "", ".", [])


def _as_frame(raw: RawTable, reading: Reading) -> pd.DataFrame:
    """The columns in single precision; an Arrow column is freed as soon as pandas has it, so none is there twice."""
    names = raw.table.column_names
    columns = [_compact(raw.table[name], reading, as_text=name in raw.texts) for name in names]
    table = pa.table(columns, names=names)
    return table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False).reset_index(drop=True)


def _compact(column: pa.ChunkedArray, reading: Reading, as_text: bool) -> pa.ChunkedArray:
    """A column in single precision where possible; text that consists of numbers becomes numeric."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _compact(column.cast(kind.value_type), reading, as_text)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _stripped(column, reading) if as_text else _as_numbers(column, reading)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _single(column.cast(pa.float64(), safe=False))
    if pa.types.is_null(kind):
        return column.cast(pa.float32())
    if column.null_count and pa.types.is_integer(kind):  # NumPy integers cannot be missing
        return column.cast(pa.float64())
    if column.null_count and pa.types.is_boolean(kind):
        return column.cast(pa.float32())
    return column


def _single(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in single precision, unless it holds numbers that need more, such as 20240131 or Unix time."""
    ends = pc.min_max(column)
    largest = max(abs(ends["min"].as_py() or 0.0), abs(ends["max"].as_py() or 0.0))
    return column if largest > 2**24 else column.cast(pa.float32(), safe=False)


def _as_numbers(column: pa.ChunkedArray, reading: Reading) -> pa.ChunkedArray:
    """Text as numbers if all of it is, codes such as 001 not being numbers; else as `_stripped` text."""
    numeric = _stripped(column, reading, numbers=True)
    try:
        found = _single(numeric.cast(pa.float64()))
    except pa.ArrowInvalid:
        return _stripped(column, reading)
    codes = pc.any(pc.match_substring_regex(numeric, "^0[0-9]+$")).as_py()
    return _stripped(column, reading) if codes else found


def _stripped(column: pa.ChunkedArray, reading: Reading, numbers: bool = False) -> pa.ChunkedArray:
    """Stripped text, with placeholders such as "" and "NA" missing."""
    text = pc.utf8_trim_whitespace(column)
    blank = pc.is_in(text, pa.array(reading.marks(numbers), text.type))
    return pc.if_else(blank, pa.scalar(None, text.type), text)
