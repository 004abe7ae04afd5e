"""Numbers, times and names as people read them."""

import html
import math
import re

from lab.times import age as age
from lab.times import duration as duration

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
