"""Read tables from CSV and Parquet; the separator, decimal point and text encoding are inferred."""

import csv
import io
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from lab.data.encodings.table import BLANKS
from lab.errors import LabError, Unavailable, did_you_mean

Separator = Literal["auto", ",", ";", "\t", "|"]
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_BYTES = 1 << 18  # read from the start of a file to infer its format
MISSING = (*BLANKS, "None", "none", "#NA", "#N/A N/A", "-NaN", "-nan", "1.#QNAN", "NULL", "N.A.")


def read_table(path: str | Path, separator: Separator = "auto", text_encoding: str = "auto") -> pd.DataFrame:
    """The rows of a CSV or Parquet file, floating-point numbers in single precision; raises LabError."""
    path = existing_file(path)
    table = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path, separator, text_encoding)
    if not table.num_rows:
        raise LabError(f"{path}: has column names but no rows")
    if len(table.column_names) == 1 and re.search(r"\w[^\w.-]+\w", table.column_names[0]):
        raise LabError(
            f"{path}: has only one column, '{table.column_names[0]}'; if its separator is not "
            f"{', '.join(SEPARATORS.values())}, convert it to CSV"
        )
    table = pa.table([_compact(column) for column in table.columns], names=table.column_names)
    # Frees the Arrow columns one by one as pandas converts them: the table is never in memory twice.
    frame = table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)
    return frame.reset_index(drop=True)


def existing_file(path: str | Path) -> Path:
    """The path of a non-empty file; raises LabError, with similar names, if there is none."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise LabError(f"{path}: is a folder, not a file")
    if not path.exists():
        near = [str(other) for other in path.parent.glob("*") if other.is_file()] if path.parent.is_dir() else []
        hint = did_you_mean(str(path), near) if near else f"looked up from {Path.cwd()}"
        raise Unavailable(f"{path}: no such file; {hint}")
    if not path.stat().st_size:
        raise LabError(f"{path}: is empty")
    return path


def _parquet(path: Path) -> pa.Table:
    try:
        table = pa.parquet.read_table(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise LabError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from None
    _check_names(path, table.column_names)
    return table


def _csv(path: Path, separator: Separator, text_encoding: str) -> pa.Table:
    encoding = _text_encoding(path, text_encoding)
    sample = _sample(path, encoding)
    separator = _separator(sample) if separator == "auto" else separator
    names = _header(path, sample, separator)
    read = pa.csv.ReadOptions(encoding=encoding, column_names=names, skip_rows=_header_lines(sample, separator))
    parse = pa.csv.ParseOptions(delimiter=separator, newlines_in_values=_has_newlines_in_quotes(sample, separator))
    convert = pa.csv.ConvertOptions(
        null_values=list(MISSING), strings_can_be_null=True, decimal_point=_decimal_point(sample, separator)
    )
    try:
        return pa.csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid as error:
        raise LabError(f"{path}: {_csv_error(path, error, encoding, separator, len(names))}") from None


def _text_encoding(path: Path, chosen: str) -> str:
    if chosen != "auto":
        return chosen
    with path.open("rb") as file:
        start = file.read(4)
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"


def _sample(path: Path, encoding: str) -> str:
    """The first lines as text, without an incomplete last line."""
    with path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
        whole = not file.read(1)
    if b"\0" in start and not encoding.startswith("utf-16"):
        raise LabError(f"{path}: is not a text file; only CSV and Parquet (.parquet) are supported")
    try:
        text = start.decode(encoding, errors="strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: {_wrong_encoding(start, error)}") from None
    except LookupError:
        raise LabError(
            f"data.text_encoding: unknown text encoding '{encoding}'; use one such as utf-8 or cp1252"
        ) from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise LabError(f"{path}: is empty")
    return text if whole or "\n" not in text else text[: text.rindex("\n") + 1]


def _wrong_encoding(content: bytes, error: UnicodeDecodeError) -> str:
    line = content[: error.start].count(b"\n") + 1
    likely = content[max(error.start - 10, 0) : error.start + 10].decode("cp1252", errors="replace").strip()
    return (
        f"is not {error.encoding} text in line {line} (byte 0x{content[error.start]:02x}, perhaps {likely!r}); "
        "set data.text_encoding=cp1252 if it was saved on Windows, or save it as UTF-8"
    )


def _rows(sample: str, separator: str, limit: int = 200) -> list[list[str]]:
    rows = []
    for row in csv.reader(io.StringIO(sample), delimiter=separator):
        if row:
            rows.append(row)
        if len(rows) == limit:
            break
    return rows


def _separator(sample: str) -> Any:
    """The separator with which most lines have the same number of fields, more than one."""
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            widths = [len(row) for row in _rows(sample, separator)]
        except csv.Error:
            continue
        width = max(set(widths), key=widths.count)
        score = (widths.count(width) / len(widths), width)
        if width > 1 and widths[0] == width and score > best_score:
            best, best_score = separator, score
    return best


def _header(path: Path, sample: str, separator: str) -> list[str]:
    """The names of the columns; raises LabError if the first line has none."""
    first = [name.strip() for name in _rows(sample, separator, limit=1)[0]]
    if all(_is_number(name) for name in first):
        raise LabError(f"{path}: the first line has numbers, {', '.join(first[:3])} ...; it must name the columns")
    names = [name or f"unnamed {number}" for number, name in enumerate(first, start=1)]
    _check_names(path, names)
    return names


def _check_names(path: Path, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise LabError(
                f"{path}: columns {names.index(name) + 1} and {index + 1} are both called '{name}'; rename one"
            )


def _header_lines(sample: str, separator: str) -> int:
    """The number of lines of the header, with empty lines before it."""
    reader = csv.reader(io.StringIO(sample), delimiter=separator)
    next(row for row in reader if row)
    return reader.line_num


def _has_newlines_in_quotes(sample: str, separator: str) -> bool:
    return any("\n" in cell for row in _rows(sample, separator) for cell in row)


def _decimal_point(sample: str, separator: str) -> str:
    """A comma if the separator is another character and most decimal numbers are written with it."""
    cells = [cell.strip() for row in _rows(sample, separator)[1:] for cell in row]
    commas, points = (sum(bool(re.fullmatch(rf"-?\d+{mark}\d+", cell)) for cell in cells) for mark in (",", r"\."))
    return "," if separator != "," and commas > points else "."


def _csv_error(path: Path, error: pa.ArrowInvalid, encoding: str, separator: str, width: int) -> str:
    """A message for Arrow's error, with the line number."""
    message = _first_line(error)
    if "UTF8" in message or "encoding" in message.lower():
        content = path.read_bytes()
        try:
            content.decode(encoding)
        except UnicodeDecodeError as decode_error:
            return _wrong_encoding(content, decode_error)
    if re.search(r"Expected \d+ columns, got \d+", message):
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            for row in reader:
                if row and len(row) != width:
                    return (
                        f"line {reader.line_num} has {len(row)} fields, the header {width} "
                        f"(separated by {SEPARATORS[separator]}); correct that line, or set data.separator"
                    )
    return f"cannot be read as CSV: {message}"


def _compact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in single precision where possible; text that consists of numbers becomes numeric."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _compact(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _stripped(column)
    if pa.types.is_float64(kind) or pa.types.is_float16(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float32(), safe=False)
    if pa.types.is_null(kind):
        return column.cast(pa.float32())
    if column.null_count and pa.types.is_integer(kind):  # NumPy integers cannot be missing
        return column.cast(pa.float64())
    if column.null_count and pa.types.is_boolean(kind):
        return column.cast(pa.float32())
    return column


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Stripped text, with placeholders such as "" and "NA" missing; numeric if all the rest are numbers."""
    text = pc.utf8_trim_whitespace(column)
    blank = pc.is_in(text, pa.array(MISSING, text.type))
    text = pc.if_else(blank, pa.scalar(None, text.type), text)
    try:
        return text.cast(pa.float32())
    except pa.ArrowInvalid:
        return text


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
