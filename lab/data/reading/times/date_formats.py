"""The format of a column of dates, found from all its values; and what a person has to be told of it."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lab.data.reading.times.dates import (
    BETWEEN_FORMATS,
    ISO,
    QUARTER,
    QUARTERS,
    UNIX_MILLISECONDS,
    UNIX_RANGE,
    UNIX_SECONDS,
    WEEK,
    WEEKS,
    in_english,
    languages_of,
    read,
)

MOST_FORMATS = 3
MOST = 0.9  # share of the texts of a column
START, SAMPLE = 50, 1_000  # different cells that are looked at before all others
LEAST_COMPACT, LEAST_MONTHS = 3, 13  # different values of digits alone from which they count as dates
COMPACT_YEARS = (1900, 2100)  # of dates written as digits alone
MANY_MORE_YEARS = 3  # than days of the month: 21-03-05 is then of 2021
MUCH_MORE_EVEN = 0.5  # ratio of the spreads of the time between rows
MONTH = r"(?i:jan|feb|f[ée]v|m[aä]r|mrz|maer|a[pv]r|ma[iy]|ju[nil]|a[uo][gû]|aout|sep|o[ck]t|nov|d[eé][cz])"
DATE_LIKE = re.compile(rf"\d.*[-/. :QqWwT].*\d|[Qq][1-4].*\d|\d[QqWw]\d|\d{{6,14}}|{MONTH}.*\d|\d.*{MONTH}")
ISO_LIKE = re.compile(
    r"\d{4}-\d\d(-\d\d([T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?)?( ?(Z|[+-]\d\d:?(\d\d)?))?)?|\d{8}T\d{4}.*"
)
WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)([a-z]*)(,? )(.*)", re.IGNORECASE)
CLOCK = re.compile(
    r"(?P<date>.+?)(?P<gap>[T ,:]+)\d\d?:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d+)?)?(?P<half> ?[ap]m)?"
    r"(?P<space> ?)(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
ZONE = re.compile(r":\d\d(:\d\d)?([.,]\d+)? ?(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$")
NUMERIC = ("%Y{0}%m{0}%d", "%m{0}%d{0}%Y", "%d{0}%m{0}%Y", "%m{0}%d{0}%y", "%d{0}%m{0}%y", "%y{0}%m{0}%d")
NAMED = (
    *("%d {0} %Y", "%d-{0}-%Y", "%d/{0}/%Y", "%d.{0}.%Y", "%d. {0} %Y", "%d{0}%Y", "%d {0}, %Y", "%d-{0}-%y"),
    *("%d {0} %y", "%d{0}%y", "{0} %d, %Y", "{0} %d %Y", "{0}-%d-%Y", "%Y-{0}-%d", "%Y {0} %d"),
    *("{0} %Y", "{0}-%Y", "{0}/%Y", "{0}, %Y", "%Y {0}", "%Y-{0}", "{0}-%y"),
)
SHAPES = (
    *(each.format(mark) for mark in "/- " for each in NUMERIC),
    *("%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%Y", "%m-%Y", "%Y/%m"),  # with points, the day comes before the month
    *(each.format(month) for month in ("%b", "%B") for each in NAMED),
)
COMPACT = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by the number of digits
OF_NUMBERS = (*COMPACT.values(), UNIX_SECONDS, UNIX_MILLISECONDS)

Reason = Literal["", "order", "even", "days", "unknown"]
REASONS = {
    "order": "then the rows are in order of time",
    "even": "then the rows are about equally far apart",
    "days": "else there would be more years than days",
    "unknown": "no cell shows which it is",
}


@dataclass(frozen=True)
class Format:
    """How dates are written: a keyword, a format of strptime, or several of them for a column that mixes some.

    `other` is another reading of the same cells where no cell rules it out, `reason` why it was not taken. `zoned`
    dates carry a time zone and are converted to UTC.
    """

    text: str
    other: str = ""
    reason: Reason = ""
    zoned: bool = False

    @property
    def ambiguous(self) -> bool:
        """Whether the cells can be read in another way, too."""
        return bool(self.other)

    def notes(self) -> Iterator[str]:
        """What a person has to be told of this reading, to be put after the name of the column."""
        if self.other:
            reason = REASONS[self.reason]
            yield f"is read {self._order()} first, as {reason}; else set data.date_format: '{self.other}'"
        if BETWEEN_FORMATS in self.text:
            yield f"has dates in several formats: {self.text}"
        if "%y" in self.text:
            yield "has years of two digits, read as 1969 to 2068"
        if self.zoned:
            yield "has times with a time zone, converted to UTC"
        if self.text in (UNIX_SECONDS, UNIX_MILLISECONDS):
            yield f"is read as Unix time in {'seconds' if self.text == UNIX_SECONDS else 'milliseconds'}, UTC"

    def _order(self) -> str:
        """What comes first in a doubtful reading."""
        marks = {"%d": "day", "%m": "month", "%y": "year"}
        return marks[min(marks.keys() & set(re.findall("%.", self.text)), key=self.text.find)]


def infer(cells: pd.Series) -> Format | None:
    """The format that all cells of a column have, missing ones aside; None if they are not all dates.

    Day or month first is decided by all cells: 13 to 31 proves it. Where none does, the order of the rows decides, then
    equal steps between them; then the month is taken to come first. `Format.notes` says so.
    """
    known = cells.dropna()
    if not len(known) or pd.api.types.is_bool_dtype(known.dtype):
        return None
    if pd.api.types.is_datetime64_any_dtype(known.dtype):
        return Format(ISO, zoned=known.dt.tz is not None)
    if pd.api.types.is_numeric_dtype(known.dtype):
        return _of_numbers(known)
    values = pd.Series(known.unique(), dtype=object)
    start = values.head(START)
    if start.map(lambda value: isinstance(value, datetime.date)).all():
        return Format(ISO)
    if not start.map(lambda value: isinstance(value, str) and bool(DATE_LIKE.search(value))).all():
        return None
    texts = values.astype(str).str.strip()
    return _of_numbers(pd.to_numeric(texts)) if texts.str.fullmatch(r"\d+").all() else _of_texts(texts)


def of_most(cells: pd.Series) -> str | None:
    """The format in which nine of ten texts of a column are dates, for a message about the others; None without one."""
    texts = pd.Series([text.strip() for text in cells.dropna().unique() if isinstance(text, str)], dtype=object)
    for format in (_most_read(texts, list(_candidates(text))) for text in texts.head(2)):
        if format and read(texts, format[0]).notna().mean() >= MOST:
            return format[0]
    return None


def _of_numbers(known: pd.Series) -> Format | None:
    """Dates as whole numbers: of the digits of a date, or Unix time that does not repeat in ordered rows."""
    values = known.unique()
    if not np.isfinite(values.astype(float)).all() or (values % 1 != 0).any():
        return None
    if compact := _compact(pd.Series(values)):
        return Format(compact)
    for format, unit in ((UNIX_SECONDS, 1), (UNIX_MILLISECONDS, 1_000)):
        inside = (values >= UNIX_RANGE[0] * unit) & (values <= UNIX_RANGE[1] * unit)
        if inside.all() and len(values) >= LEAST_COMPACT and _passes_as_time(known, unit):
            return Format(format)
    return None


def _passes_as_time(numbers: pd.Series, unit: int) -> bool:
    """Whether numbers are whole minutes or in order: telephone numbers and identifiers are neither, or count by one."""
    minutes = bool((numbers % (60 * unit) == 0).all())
    return minutes or (_ordered(numbers) and not bool((numbers.diff().iloc[1:].abs() == 1).all()))


def _compact(numbers: pd.Series) -> str:
    """The format of numbers such as 20240131 if all are dates of plausible years, else ""."""
    length = len(str(int(numbers.min())))
    format = COMPACT.get(length, "")
    least = LEAST_MONTHS if format == "%Y%m" else LEAST_COMPACT
    first, last = (year * 10 ** (length - 4) for year in COMPACT_YEARS)
    if not format or len(numbers) < least or not numbers.between(first, last).all():
        return ""
    return format if read(numbers, format).notna().all() else ""


def _of_texts(texts: pd.Series) -> Format | None:
    """The format of different texts, or the formats if each text has one of a few."""
    formats: list[Format] = []
    rest = texts
    while len(rest):
        found = _best(rest)
        if found is None or len(formats) == MOST_FORMATS or any(_is_rearranged(found.text, f.text) for f in formats):
            return None
        formats.append(found)
        rest = rest[read(rest, found.text).isna()]
    doubtful = next((found for found in formats if found.other), Format(""))
    zoned = any(map(ZONE.search, texts))
    joined = BETWEEN_FORMATS.join(found.text for found in formats)
    return Format(
        joined, joined.replace(doubtful.text, doubtful.other) if doubtful.other else "", doubtful.reason, zoned
    )


def _best(texts: pd.Series) -> Format | None:
    """The format in which the most texts are dates, of those of the first text; None if that is no date."""
    best = _most_read(texts.sample(min(len(texts), SAMPLE), random_state=0), list(_candidates(texts.iloc[0])))
    if len(best) < 2:
        return Format(best[0]) if best else None
    best = _most_read(texts, best)
    readings = {format: read(texts, format) for format in best}
    # A year of two digits in front is read only where nothing else fits: no day from 1 to 31 rules it out.
    likely = [format for format in best[1:] if not format.startswith("%y")]
    others = [format for format in likely if not readings[format].equals(readings[best[0]])]
    if not others:
        return _year_first(best, readings) or Format(best[0])
    return _likelier(best[0], others[0], readings)


def _year_first(formats: list[str], readings: dict[str, pd.Series]) -> Format | None:
    """A reading with a year of two digits in front, where the first one has far more years than days of the month."""
    dates = readings[formats[0]].dt
    if dates.year.nunique() < MANY_MORE_YEARS * dates.day.nunique():
        return None
    return next((Format(each, formats[0], "days") for each in formats[1:] if each.startswith("%y")), None)


def _most_read(texts: pd.Series, formats: list[str]) -> list[str]:
    """The formats in which the most texts are dates."""
    counts = {format: int(read(texts, format).notna().sum()) for format in formats}
    return [format for format, count in counts.items() if count and count == max(counts.values())]


def _likelier(first: str, second: str, readings: dict[str, pd.Series]) -> Format:
    """Which of two readings, by the order of the rows and the evenness of the steps between them."""
    ordered = [_ordered(readings[format].dropna()) for format in (first, second)]
    if ordered[0] != ordered[1]:
        return Format(first, second, "order") if ordered[0] else Format(second, first, "order")
    spread = [_unevenness(readings[format].dropna()) for format in (first, second)]
    if min(spread) < MUCH_MORE_EVEN * max(spread):
        return Format(first, second, "even") if spread[0] < spread[1] else Format(second, first, "even")
    return Format(first, second, "unknown")


def _ordered(values: pd.Series) -> bool:
    return len(values) > 2 and bool(values.is_monotonic_increasing or values.is_monotonic_decreasing)


def _unevenness(times: pd.Series) -> float:
    """The standard deviation of the steps between the sorted times over their mean."""
    steps = np.diff(np.sort(times.to_numpy()).astype(np.int64)).astype(float)
    return float(steps.std() / steps.mean()) if len(steps) > 1 and steps.mean() > 0 else 1.0


def _is_rearranged(first: str, second: str) -> bool:
    """Whether two formats differ in the order of their parts alone: a column that has both is not readable."""
    return sorted(first) == sorted(second)


def _candidates(text: str) -> Iterator[str]:
    """The formats in which a text is a date."""
    if text.isdigit():
        yield from filter(None, [COMPACT.get(len(text))])
    elif ISO_LIKE.fullmatch(text):
        yield ISO
    elif QUARTERS.fullmatch(text):
        yield QUARTER
    elif WEEKS.fullmatch(text):
        yield WEEK
    else:
        before, text, after = _around(text)
        for language in languages_of(text):
            named = "" if language == "English" else f"{language}: "
            for shape in SHAPES:
                if _is_date(in_english(text, language, shape) if named else text, shape):
                    yield named + before + shape + after


def _around(text: str) -> tuple[str, str, str]:
    """The format of the weekday before a date, the date alone, the format of the time of day after it."""
    before = after = ""
    if found := WEEKDAY.fullmatch(text):
        before, text = ("%A" if found[2] else "%a") + found[3], found[4]
    if found := CLOCK.fullmatch(text):
        seconds = (":%S" if found["seconds"] else "") + (".%f" if found["fraction"] else "")
        half = found["half"].replace(found["half"].strip(), "%p") if found["half"] else ""
        zone = found["zone"] or ""
        zone = zone if zone.isalpha() and zone != "Z" else "%z" * bool(zone)  # UTC and GMT need no conversion
        after = f"{found['gap']}{'%I' if half else '%H'}:%M{seconds}{half}{found['space']}{zone}"
        text = found["date"]
    return before, text, after


def _is_date(text: str, shape: str) -> bool:
    try:
        datetime.datetime.strptime(text, shape)
    except ValueError:
        return False
    return True
