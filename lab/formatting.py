"""How the terminal and the dashboard write numbers, time spans and ages."""

import math
import time


def number(value: float | None) -> str:
    """A metric as text: four significant digits or decimals."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


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
