"""Read CSV files: the text encoding, separator, header, decimal point and columns of codes are inferred."""

import csv
import io
import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from lab.data.reading.number_formats import may_be_grouped
from lab.data.reading.settings import RawTable, Reading
from lab.display.numbers import counted
from lab.errors import LabError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_BYTES = 1 << 18  # read from the start of a file to infer its format
SAMPLE_ROWS = 2_000
MAX_TITLES = 20  # lines above the names of the columns
MAX_LONE_FIELDS = 5  # lines of a single field that may stand below a table
AS_WRITTEN = re.compile(r"0\d+|[+-]?0[xX].*|\d{1,2}:\d\d.*")  # 001 is not 1; Arrow reads 0x1A as 26, 12:30 as a time

WHOLE = re.compile(r"[+-]?\d+")


def read_csv(path: Path, reading: Reading) -> RawTable:
    """The rows of a CSV file; raises LabError with the line."""
    try:
        return _read_csv(path, reading)
    except csv.Error as error:
        raise LabError(f"{path}: cannot be read as CSV: {error}") from None


def _read_csv(path: Path, reading: Reading) -> RawTable:
    encoding = _text_encoding(path) if reading.text_encoding == "auto" else reading.text_encoding
    sample = _sample(path, encoding)
    separator = _separator(sample) if reading.separator == "auto" else reading.separator
    _refuse_open_quote(path, sample, separator)
    header = _header(path, sample, separator, reading.skip_rows)
    cells = dict(zip(header.names, _columns(sample, separator, header), strict=True))
    texts = {name for name, column in cells.items() if name in reading.texts or _is_open(column, reading)}
    read = pa.csv.ReadOptions(encoding=encoding, column_names=header.names, skip_rows=header.lines)
    lone: list[int] = []
    parse = pa.csv.ParseOptions(
        delimiter=separator,
        newlines_in_values=reading.long_texts or any("\n" in cell for column in cells.values() for cell in column),
        invalid_row_handler=lambda row: _skip_lone_field(row, lone),
    )
    decimal = _decimal_point(cells.values(), separator) if reading.decimal == "auto" else reading.decimal
    convert = pa.csv.ConvertOptions(
        null_values=reading.marks(numbers=True),
        decimal_point=decimal,
        column_types=dict.fromkeys(texts, pa.string()),
    )
    try:
        table = pa.csv.read_csv(path, read, parse, convert)
        if not reading.fitted and (marked := _marked_later(table, cells, reading)):
            texts |= marked
            lone.clear()
            convert.column_types = dict.fromkeys(texts, pa.string())
            table = pa.csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid as error:
        raise LabError(f"{path}: {_csv_error(path, error, encoding, separator, header)}") from None
    if reading.new_rows and lone:
        _refuse_between(path, encoding, separator, header, len(lone))
    notes = [("skipped", f"{counted(header.titles, 'line')} above the header")] * bool(header.titles)
    notes += [("skipped", f"{counted(len(lone), 'line')} with a single field")] * bool(lone)
    return RawTable(table, texts, separator, decimal, notes)


def _skip_lone_field(row: pa.csv.InvalidRow, lone: list[int]) -> str:
    """Skip a few lines such as "Source: ..."; anything else is an error."""
    lone.append(row.number or 0)
    return "skip" if row.actual_columns == 1 and len(lone) <= MAX_LONE_FIELDS else "error"


def _refuse_between(path: Path, encoding: str, separator: str, header: "Header", count: int) -> None:
    """Raise LabError unless the lines with a single field, so many, are the last ones of the file."""
    with path.open(encoding=encoding, newline="") as file:
        last = deque((row for row in csv.reader(file, delimiter=separator) if row), maxlen=count)
    if any(len(row) != 1 for row in last):
        raise LabError(f"{path}: {_wrong_width(path, encoding, separator, header)}")


def _is_open(cells: list[str], reading: Reading) -> bool:
    """Whether Arrow could misread a column: codes such as 001, times, numbers such as 1.234 that may be 1234."""
    known = [cell for cell in cells if cell not in reading.marks(numbers=True)]
    if reading.fitted or not known:
        return False
    chosen = reading.thousands not in ("auto", "none") and any(reading.thousands in cell for cell in known)
    return chosen or any(AS_WRITTEN.fullmatch(cell) for cell in known) or may_be_grouped(known)


def _marked_later(table: pa.Table, cells: dict[str, list[str]], reading: Reading) -> set[str]:
    """The columns of whole numbers in the sample in which marks follow below it: 1.150 may be 1150."""
    marks = reading.marks(numbers=True)
    floating = {field.name for field in table.schema if pa.types.is_floating(field.type)}
    known = {name: [cell for cell in column if cell not in marks] for name, column in cells.items() if name in floating}
    return {name for name, column in known.items() if column and all(map(WHOLE.fullmatch, column))}


def text_encoding_of_new_rows(path: Path, fitted: str) -> str:
    """The text encoding that was set for the training data, unless a file of new rows is UTF-8 or UTF-16."""
    return "auto" if fitted == "auto" or _is_unicode(path) else fitted


def _text_encoding(path: Path) -> str:
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8"


def _is_unicode(path: Path) -> bool:
    try:
        with path.open(encoding=_text_encoding(path)) as file:
            for _ in iter(lambda: file.read(SAMPLE_BYTES), ""):
                pass
    except UnicodeDecodeError:
        return False
    return True


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
    before = content[max(error.start - 10, 0) : error.start].splitlines()[-1:]
    after = content[error.start : error.start + 10].splitlines()[:1]
    likely = b"".join(before + after).decode("cp1252", errors="replace").strip()
    return (
        f"is not {error.encoding} text in line {line} (byte 0x{content[error.start]:02x}, perhaps '{likely}'); "
        "set data.text_encoding=cp1252 if it was saved on Windows, or save it as UTF-8"
    )


def _separator(sample: str) -> Any:
    """The separator with which most lines have the same number of fields, more than one."""
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            widths = [len(row) for _, row in _numbered_rows(sample, separator)]
        except csv.Error:
            continue
        width = max(set(widths), key=widths.count)
        score = (widths.count(width) / len(widths), width)
        if width > 1 and score > best_score:
            best, best_score = separator, score
    return best


@dataclass(frozen=True)
class Header:
    """The names of the columns, the number of lines until they end, and how many lines of a title are above them."""

    names: list[str]
    lines: int
    titles: int


def _header(path: Path, sample: str, separator: str, skip_rows: int | None) -> Header:
    """The first line that names the columns; raises LabError if there is none."""
    rows = _numbered_rows(sample, separator)
    titles = _titles([row for _, row in rows]) if skip_rows is None else sum(line <= skip_rows for line, _ in rows)
    if titles >= len(rows):
        raise LabError(f"{path}: data.skip_rows: {skip_rows} leaves no line that names the columns")
    line, first = rows[titles]
    first = [name.strip() for name in first]
    if all(_is_number(name) for name in first):
        raise LabError(f"{path}: the first line has numbers, {', '.join(first[:3])} ...; it must name the columns")
    names = [name or f"unnamed {number}" for number, name in enumerate(first, start=1)]
    check_names(path, names)
    return Header(names, line, titles)


def _refuse_open_quote(path: Path, sample: str, separator: str) -> None:
    """Raise LabError for a quotation mark that is not closed: all lines below it would be one cell."""
    rows = _numbered_rows(sample, separator, SAMPLE_ROWS)
    is_open = "\n" in rows[-1][1][-1].strip() and not sample.rstrip().endswith('"')
    if is_open and path.stat().st_size <= SAMPLE_BYTES:
        line = rows[-2][0] + 1 if len(rows) > 1 else 1
        raise LabError(f"{path}: line {line} opens a quotation mark that is not closed; close it, or double it")


def _titles(rows: list[list[str]]) -> int:
    """How many lines stand above the names of the columns: lines with one cell, where those below have several."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[:MAX_TITLES]]
    titles = next((number for number, count in enumerate(filled) if count > 1), 0)
    return titles if titles and filled[titles] > 2 else 0


def _numbered_rows(sample: str, separator: str, limit: int = 200) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its last line."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
    rows = []
    for row in reader:
        if row:
            rows.append((reader.line_num, row))
        if len(rows) == limit:
            break
    return rows


def _columns(sample: str, separator: str, header: Header) -> list[list[str]]:
    """The cells of each column in the sample, stripped."""
    rows = [row for line, row in _numbered_rows(sample, separator, SAMPLE_ROWS) if line > header.lines]
    return [[row[index].strip() for row in rows if index < len(row)] for index in range(len(header.names))]


def check_names(path: Path, names: list[str]) -> None:
    """Raise LabError if two columns have the same name."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise LabError(
                f"{path}: columns {names.index(name) + 1} and {index + 1} are both called '{name}'; rename one"
            )


def _decimal_point(columns: Collection[list[str]], separator: str) -> str:
    """A comma if the separator is another character and most decimal numbers are written with it."""
    cells = [cell for column in columns for cell in column]
    commas, points = (sum(bool(re.fullmatch(rf"-?\d+{mark}\d+", cell)) for cell in cells) for mark in (",", r"\."))
    return "," if separator != "," and commas > points else "."


def _csv_error(path: Path, error: pa.ArrowInvalid, encoding: str, separator: str, header: Header) -> str:
    """A message for Arrow's error, with the line number."""
    message = first_line(error)
    if "UTF8" in message or "encoding" in message.lower():
        content = path.read_bytes()
        try:
            content.decode(encoding)
        except UnicodeDecodeError as decode_error:
            return _wrong_encoding(content, decode_error)
    if re.search(r"Expected \d+ columns, got \d+", message):
        return _wrong_width(path, encoding, separator, header) or f"cannot be read as CSV: {message}"
    return f"cannot be read as CSV: {message}"


def _wrong_width(path: Path, encoding: str, separator: str, header: Header) -> str:
    """The first line below the header with another number of fields than the header; "" where there is none."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        for row in reader:
            if row and reader.line_num > header.lines and len(row) != len(header.names):
                line = reader.line_num
                remedy = "correct that line, or set data.separator"
                if line == header.lines + 1 and len(row) > len(header.names):  # what was read as the header is a title
                    remedy += f"; if line {line} names the columns, set data.skip_rows={header.lines}"
                return (
                    f"line {line} has {len(row)} fields, the header {len(header.names)} "
                    f"(separated by {SEPARATORS[separator]}); {remedy}"
                )
    return ""


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).splitlines()[0][:200]
