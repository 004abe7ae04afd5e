"""Formatting of numbers, durations and ages for the terminal and the dashboard."""

import math
import time


def number(value: float | None) -> str:
    """A metric as text, with four decimals, or two from 10 on."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def signed(value: float) -> str:
    """A difference as text, with its sign."""
    sign = "−" if value < 0 else "+"
    return f"{sign}∞" if math.isinf(value) else f"{sign}{number(abs(value))}"


def percent(share: float) -> str:
    """A share as text: a whole number of percent, below 1 % with two digits."""
    return f"{100 * share:.2g} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def counted(count: int, what: str) -> str:
    """A number of things as text: 1 row, 2,000 rows."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
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
    """The time since a moment, which is given in milliseconds since 1970, in its largest unit."""
    if math.isnan(milliseconds):
        return "–"
    return f"{' '.join(duration(max(0.0, time.time() - milliseconds / 1000)).split()[:2])} ago"
