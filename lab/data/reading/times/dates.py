"""Dates from cells and back: `parse` and `write`, in a format that `date_formats` found or a person chose.

It imports nothing of the lab but the errors: it is copied into the logged model of a table, see `tracking.models`.
"""

import re
import unicodedata
from functools import cache

import numpy as np
import pandas as pd

from lab.errors import LabError

ISO, UNIX_SECONDS, UNIX_MILLISECONDS, QUARTER, WEEK = "ISO8601", "unix_s", "unix_ms", "quarter", "week"
KEYWORDS = (ISO, UNIX_SECONDS, UNIX_MILLISECONDS, QUARTER, WEEK)  # a format is one of these or one of strptime
BETWEEN_FORMATS = " | "  # of a column that mixes some
UNIX_RANGE = (pd.Timestamp("1990-01-01").timestamp(), pd.Timestamp("2100-01-01").timestamp())
# Of each language the full and the abbreviated names of the months.
MONTHS = {
    language: (full.split(), short.split())
    for language, full, short in (
        (
            "English",
            "January February March April May June July August September October November December",
            "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        ),
        (
            "German",
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
            "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        ),
        (
            "French",
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "janv févr mars avr mai juin juil août sept oct nov déc",
        ),
    )
}
OTHER_MONTHS = {"%B": {"maerz": 3}, "%b": {"mrz": 3, "sept": 9}}  # in German
MONTH_WORD = re.compile(r"([^\W\d_]+)(\.(?=\s|$))?")
EXAMPLE = pd.Timestamp("2024-12-31")
QUARTERS = re.compile(
    r"(?P<year>\d{4})[-/ :]?Q(?P<number>[1-4])|Q(?P<first>[1-4])[-/ :]?(?P<last>\d{4})", re.IGNORECASE
)
WEEKS = re.compile(r"(\d{4})-?W(\d\d?)(?:-?([1-7]))?", re.IGNORECASE)


def parse(cells: pd.Series, format: str | None = None) -> pd.Series:
    """A column as timestamps, in UTC if it has time zones, NaT for missing ones; `format` None is ISO 8601.

    Raises LabError, with column and row, for the first cell that is no date in that format.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells.dt.tz_convert(None) if cells.dt.tz is not None else cells
    codes, values = pd.factorize(cells)  # each different date is read once
    times = read(pd.Series(values), format or ISO).reindex(codes).set_axis(cells.index).rename(cells.name)
    invalid = np.flatnonzero((codes >= 0) & times.isna().to_numpy())
    if len(invalid):
        cell, more = cells.iloc[invalid[0]], f" (and {len(invalid) - 1} more)" if len(invalid) > 1 else ""
        raise LabError(
            f"column '{cells.name}', row {invalid[0] + 1}: {repr(cell) if isinstance(cell, str) else cell} "
            f"is not a date such as {example(format)}{more}; correct it or leave the cell empty"
        )
    return times


def write(times: pd.DatetimeIndex, format: str | None, like: str) -> list[str]:
    """Times as text in a format, with the marks and the precision of `like`, a cell."""
    first = (format or ISO).split(BETWEEN_FORMATS)[0]
    if first == ISO:
        return [time.isoformat(sep="T" if "T" in like else " ")[: len(like)] for time in times]
    if first == QUARTER:
        start, middle, _ = re.split(r"\d+", like.strip())
        return [f"{start}{t.quarter}{middle}{t.year}" if start else f"{t.year}{middle}{t.quarter}" for t in times]
    if first == WEEK:
        dash, found = "-" if "-" in like else "", WEEKS.fullmatch(like.strip())
        return [time.strftime(f"%G{dash}W%V" + (f"{dash}%u" if found and found[3] else "")) for time in times]
    if first in (UNIX_SECONDS, UNIX_MILLISECONDS):
        return [str(round(time.timestamp() * (1 if first == UNIX_SECONDS else 1_000))) for time in times]
    language, format = _language_of(first)
    texts = [time.strftime(format) for time in times]
    return texts if language == "English" else [_from_english(text, language, format, like) for text in texts]


def month_number(name: str) -> int | None:
    """The number of a month by its name in English, German or French, with or without accents and a point behind it."""
    plain = _without_accents(name.strip().rstrip("."))
    lists = [_month_numbers(language, directive) for language in MONTHS for directive in ("%B", "%b")]
    return next((numbers[plain] for numbers in lists if plain in numbers), None)


def in_english(text: str, language: str, format: str) -> str:
    """A text with the names of months as strptime reads them in a format: in English, in full for %B."""
    numbers, names = _month_numbers(language, "%B" if "%B" in format else "%b"), MONTHS["English"]["%B" not in format]

    def name(word: re.Match[str]) -> str:
        number = numbers.get(_without_accents(word[1]))
        return names[number - 1] if number else word[0]

    return MONTH_WORD.sub(name, text)


def languages_of(text: str) -> list[str]:
    """The languages in which a text may name its month, English first, which is that of a text without names, too."""
    words = {_without_accents(word) for word, _ in MONTH_WORD.findall(text)}
    named = [each for each in MONTHS if words & (_month_numbers(each, "%B").keys() | _month_numbers(each, "%b").keys())]
    return ["English", *(language for language in named if language != "English")]


def _from_english(text: str, language: str, format: str, like: str) -> str:
    """A text that strftime wrote with the names of months in another language, cut ones with a point as in `like`."""
    full, short = MONTHS[language]
    point = "." * any(end for _, end in MONTH_WORD.findall(like))
    cut = [name if name in full else name + point for name in short]
    names = dict(zip(MONTHS["English"]["%B" not in format], full if "%B" in format else cut, strict=True))
    return MONTH_WORD.sub(lambda word: names.get(word[1], word[1]) + (word[2] or ""), text)


@cache
def _month_numbers(language: str, directive: str) -> dict[str, int]:
    """The numbers of the months by their names without accents, in full (%B) or cut (%b)."""
    full, short = MONTHS[language]
    others = OTHER_MONTHS[directive] if language == "German" else {}
    names = full if directive == "%B" else short
    return others | {_without_accents(name): n for n, name in enumerate(names, start=1)}


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _language_of(format: str) -> tuple[str, str]:
    """The language of the names of months, and the format without it: "German: %d. %B %Y"."""
    language, mark, rest = format.partition(": ")
    return (language, rest) if mark and language in MONTHS else ("English", format)


def example(format: str | None) -> str:
    """A date as the format writes it."""
    likes = {QUARTER: "2024Q4", WEEK: "2025-W01"}
    return write(pd.DatetimeIndex([EXAMPLE]), format, likes.get(format or ISO, "2024-12-31"))[0]


def check(format: str, setting: str = "data.date_format") -> str:
    """A format that a person chose; raises LabError if dates cannot be read in it."""
    for each in format.split(BETWEEN_FORMATS):
        if each not in KEYWORDS and (read(pd.Series([example(each)]), each).dt.year != EXAMPLE.year).any():
            raise LabError(
                f"{setting}: {each!r} is not a format of dates; write one such as '%d/%m/%Y', or {', '.join(KEYWORDS)}"
            )
    return format


def read(values: pd.Series, format: str) -> pd.Series:
    """Different values as timestamps, NaT for those that are no dates in the format."""
    found = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    for each in format.split(BETWEEN_FORMATS):
        found = found.fillna(_read_one(values, each).dt.as_unit("us"))
    return found


def _read_one(values: pd.Series, format: str) -> pd.Series:
    if format in (UNIX_SECONDS, UNIX_MILLISECONDS):
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        unit = 1 if format == UNIX_SECONDS else 1_000
        micros = (numbers * (1_000_000 // unit)).round()
        inside = numbers.between(UNIX_RANGE[0] * unit, UNIX_RANGE[1] * unit)
        return pd.to_datetime(micros.where(inside).astype("Int64"), unit="us")
    if pd.api.types.is_numeric_dtype(values.dtype):
        values = values.where(values % 1 == 0).astype("Int64").astype(object).map(str)
    if format == QUARTER:
        found = values.astype(str).str.strip().str.extract(QUARTERS)
        values = found["year"].fillna(found["last"]) + "-" + _month(found["number"].fillna(found["first"])) + "-01"
        format = "%Y-%m-%d"
    elif format == WEEK:
        found = values.astype(str).str.strip().str.extract(WEEKS)
        values, format = found[0] + "-" + found[1] + "-" + found[2].fillna("1").where(found[0].notna()), "%G-%V-%u"
    elif values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        values = values.map(lambda value: value.strip() if isinstance(value, str) else value).astype(object)
        language, format = _language_of(format)
        if language != "English":
            values = values.map(lambda value: in_english(value, language, format) if isinstance(value, str) else value)
    return pd.to_datetime(values, format=format, errors="coerce", utc=True).dt.tz_localize(None)


def _month(quarter: pd.Series) -> pd.Series:
    return (3 * pd.to_numeric(quarter) - 2).astype("Int64").astype("string")
