"""The ways in which the lab ends other than well, in messages that name near names and hold no secrets."""

import difflib
import logging
import os
import re
from collections.abc import Iterable

IN_ADDRESS = re.compile(r"(?<=://)[^\s/@'\"<>]+@")
SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY|_KEY$|^PGPASS", re.IGNORECASE)
SHORTEST = 8  # characters; a shorter value may be an ordinary word
HIDDEN = "***"


class LabError(Exception):
    """Mistakes that a person can mend, one line each; the command line prints them and exits with 2."""

    def __init__(self, *lines: str):
        self.lines = tuple(redacted(line) for line in lines)
        super().__init__("\n".join(self.lines))


class TrainingFailed(Exception):
    """A run that began and could not go on, in words; the command line prints them and exits with 1."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM; a BaseException, so that nothing on the way takes it for an error and goes on."""

    def __init__(self, signal_number: int):
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number


def did_you_mean(name: str, names: Iterable[str], path: str = "") -> str:
    """The end of a message about an unknown name: its near names, else all names, each behind `path`."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    if near:
        likeness = [difflib.SequenceMatcher(None, one, name).ratio() for one in near]
        near = [one for one, ratio in zip(near, likeness, strict=True) if ratio > likeness[0] - 0.1]
        return f"did you mean {' or '.join(path + one for one in near)}?"
    return f"known: {', '.join(path + one for one in known)}" if known else "there are none"


def redacted(text: str) -> str:
    """A text without the user and password of addresses, and without secrets of the environment."""
    if "://" in text:
        text = IN_ADDRESS.sub("", text)
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats log records without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return redacted(super().format(record))


def _secrets() -> list[str]:
    """The longest first, since one may hold another."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST}
    return sorted((value for value in found if not os.path.exists(value)), key=len, reverse=True)  # noqa: PTH110
