"""Numbers, times, names and states as people read them."""

import html
import math
import re

import pandas as pd

from lab.formatting import age as age
from lab.formatting import duration as duration
from lab.tracking.reading.run_table import STALE, last_report, seconds

LONGEST = 80  # characters of a name on a page
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$:~&=^])")


def short(text: str, longest: int = LONGEST) -> str:
    """A text cut to a length, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def in_markdown(text: str, longest: int = LONGEST) -> str:
    """A foreign text as Markdown that shows it letter for letter."""
    return MARKDOWN.sub(r"\\\1", short(text, longest))


def in_figure(text: str, longest: int = LONGEST) -> str:
    """A foreign text for a figure, which would read tags and entities."""
    return html.escape(short(text, longest), quote=False)


def number(value: float) -> str:
    """A number with the digits that say something."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.4g}"


def count(amount: int, noun: str) -> str:
    """An amount and its noun, which takes an s in the plural."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def state_sentence(info: pd.Series, state: str) -> str:
    """The state of one run with its times."""
    one = info.to_frame().T.infer_objects()
    span = duration(float(seconds(one).iloc[0]))
    if state == STALE:
        silence = age(float(last_report(one).iloc[0]))[:-4]
        return f"{state}: no report for {silence}, `lab runs --reap` closes it if its process is gone"
    return f"{state}, {'for' if info['status'] == 'RUNNING' else 'took'} {span}, begun {age(info['started'])}"
