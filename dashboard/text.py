"""Numbers, states and user-supplied text, formatted for a page or a figure."""

import html
import math
import re

import pandas as pd

from lab.display.numbers import age as age
from lab.display.numbers import duration as duration
from lab.tracking.reading.run_table import STALE, last_report, seconds

MAX_LENGTH = 80  # characters of a name on a page
LONG_NUMBER = re.compile(r"(?<![\w.])\d+\.\d{6,}(?:e[-+]?\d+)?(?![\w.])")
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$:~&=^])")


def truncate(text: str, max_length: int = MAX_LENGTH) -> str:
    """The text on one line, cut to `max_length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def as_sentence(lines: str) -> str:
    """The lines of a message as one."""
    return "; ".join(line.strip() for line in lines.splitlines() if line.strip())


def escape_markdown(text: str, max_length: int = MAX_LENGTH) -> str:
    """The text truncated and escaped, so that Markdown shows it literally."""
    return MARKDOWN.sub(r"\\\1", truncate(text, max_length))


def without_pictures(markdown: str, max_length: int = 10_000) -> str:
    """Markdown whose pictures are links, since a browser would fetch them from wherever they are."""
    return markdown[:max_length].replace("![", "[")


def latex(table: pd.DataFrame) -> str:
    """A table as LaTeX for the package booktabs, with four significant digits; all text is escaped."""
    return table.to_latex(index=False, escape=True, na_rep="", float_format=number)


def escape_html(text: str, max_length: int = MAX_LENGTH) -> str:
    """The text truncated and escaped for plotly, which interprets HTML tags and entities."""
    return html.escape(truncate(text, max_length), quote=False)


def number(value: float) -> str:
    """A number with four significant digits; NaN and infinity as symbols."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.4g}"


def short_numbers(name: str) -> str:
    """A name with four significant digits of its long decimal numbers, such as a trial gives its run."""
    return LONG_NUMBER.sub(lambda found: number(float(found[0])), name)


def count(amount: int, noun: str) -> str:
    """An amount and its noun, with an s in the plural."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def numbers_first(value: str) -> tuple[float, str]:
    """A sort key: numbers by value, then other text."""
    try:
        return float(value), value
    except ValueError:
        return math.inf, value


def describe_state(info: pd.Series, state: str) -> str:
    """The state of one run with its duration and start; `info` is its row of RunTable.info."""
    row = info.to_frame().T.infer_objects()
    if state == STALE:
        silence = age(float(last_report(row).iloc[0]))[:-4]
        return f"{state}: no report for {silence}, `lab runs --reap` closes it if its process is gone"
    elapsed = duration(float(seconds(row).iloc[0]))
    return f"{state}, {'for' if info['status'] == 'RUNNING' else 'took'} {elapsed}, started {age(info['started'])}"
