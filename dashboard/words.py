"""Numbers, times and names as people read them."""

import html
import math
import re
import time

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


def duration(seconds: float) -> str:
    """A time span in its two largest units."""
    if math.isnan(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def age(milliseconds: float) -> str:
    """How long ago a time (in milliseconds since 1970) was."""
    return "–" if math.isnan(milliseconds) else f"{duration(max(0.0, time.time() - milliseconds / 1000))} ago"


def count(amount: int, noun: str) -> str:
    """An amount and its noun, which takes an s in the plural."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"
