"""Secrets kept out of what is written down: passwords in addresses, and values of the environment that name one."""

import logging
import os
import re

IN_ADDRESS = re.compile(r"(?<=://)[^\s/@'\"<>]+@")
SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY|_KEY$|^PGPASS", re.IGNORECASE)
SHORTEST = 8  # characters; a shorter value may be an ordinary word
HIDDEN = "***"


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
