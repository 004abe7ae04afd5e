"""The exceptions of the lab, hints for misspelt names, and messages that are safe to print: one line, no secrets."""

import difflib
import logging
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

CREDENTIALS = re.compile(r"(?<=://)[^\s/@'\"<>]+@")
SECRET_NAME = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY|_KEY$|^PGPASS", re.IGNORECASE)
SHORTEST_SECRET = 8  # characters; a shorter value may be an ordinary word
HIDDEN = "***"
INSTALLED = tuple(f"{folder}{os.sep}" for folder in (sys.prefix, sys.base_prefix, Path(__file__).parent))
# Characters that a terminal obeys instead of showing them: escapes, bells, line ends, and marks that reverse a text.
CONTROL = ("Cc", "Cf", "Cs", "Zl", "Zp")  # of Unicode
ALLOCATION = re.compile(r"[Tt]ried to allocate ([\d.]+) ?(bytes|[KMGT]iB)")  # torch, on a CPU and on a GPU
UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
REMEDIES = "docs/troubleshooting.md"
LONGEST_LINE = 2_000  # characters of a message
LONGEST_VALUE = 80  # characters of a value inside a message
LEAST_SIMILAR = 0.6  # ratio of difflib
MUCH_LESS_SIMILAR = 0.1  # of the ratio, by which a second name must not be behind the first


class _OneLine(Exception):
    """An exception whose message says everything: a notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints."""
        return [f"{type(self).__name__}: {self}"]


class LabError(_OneLine):
    """Errors that the user can fix, one line each; the command line prints them and exits with 2."""

    def __init__(self, *lines: str):
        self.lines = tuple(abbreviated(printable(redacted(line)), LONGEST_LINE) for line in lines)
        super().__init__("\n".join(self.lines))


class Unavailable(LabError):
    """Something that the settings name is missing where they are used: a module or a file."""


class TrainingFailed(_OneLine):
    """A run that started and failed; the command line prints the message and exits with 1."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM; a BaseException, so that no `except Exception` on the way catches it."""

    def __init__(self, signal_number: int):
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number


def see(section: str) -> str:
    """The end of a message whose remedy is longer than a line: the section that has it."""
    return f"; see {REMEDIES}#{section}"


def install(extra: str) -> str:
    """The command that installs an optional package, as the end of a message."""
    return f".venv/bin/pip install -c constraints.txt -e '.[{extra}]'{see('missing-package')}"


def did_you_mean(name: str, names: Iterable[str], path: str = "") -> str:
    """The end of a message about an unknown name: similar names, else all names, each prefixed with `path`."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=2, cutoff=LEAST_SIMILAR)
    if near:
        ratios = [difflib.SequenceMatcher(None, each, name).ratio() for each in near]
        near = [each for each, ratio in zip(near, ratios, strict=True) if ratio > ratios[0] - MUCH_LESS_SIMILAR]
        return f"did you mean {' or '.join(path + each for each in near)}?"
    return f"known: {', '.join(path + each for each in known)}" if known else "there are none"


def is_own_file(path: str, folder: Path) -> bool:
    """Whether a file is a person's code below a folder: not that of the lab, of an installed package, or of Python."""
    # As text, not as a Path: a run asks this of every imported module, thousands of them.
    inside = path.startswith(f"{folder}{os.sep}") and path.endswith(".py") and not path.startswith(INSTALLED)
    return inside and f"{os.sep}site-packages{os.sep}" not in path and os.path.isfile(path)  # noqa: PTH113


def place_of(error: BaseException) -> str:
    """The last line of a person's own code on the way to an error, such as ` (my_ideas.py:12)`; "" where none is.

    Where the error itself came from elsewhere, the way to its cause counts.
    """
    here = Path.cwd()
    for each in _with_causes(error):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            if is_own_file(frame.filename, here):
                return f" ({Path(frame.filename).relative_to(here)}:{frame.lineno})"
    return ""


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from or during, and so on."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__


def described(error: BaseException) -> str:
    """An exception as one line, its type and message; one of torch about memory in words."""
    try:
        text = abbreviated(" ".join(str(error).split()), LONGEST_LINE)
    except Exception:  # a person's own __str__ may raise
        text = "(its message cannot be read)"
    if found := ALLOCATION.search(text):
        wanted = float(found[1]) * UNITS[found[2]]
        more = f"{wanted / 1e9:.3g} GB more are needed"
        return f"not enough memory: {more}; a smaller network or data.batch_size needs less{see('memory')}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def without_password(uri: str) -> str:
    """An address without its user name and password."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def redacted(text: str) -> str:
    """A text without user names and passwords in addresses, and without secrets from the environment."""
    if "://" in text:
        text = CREDENTIALS.sub("", text)
    if len(text) < SHORTEST_SECRET:  # almost every setting: the environment is not searched for each
        return text
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    return text


def printable(text: str, lines: bool = False) -> str:
    r"""A text with each character that a terminal would obey escaped (`\x1b`); line ends too, unless it has `lines`."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or (lines and character == "\n") or unicodedata.category(character) not in CONTROL
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def abbreviated(text: str, length: int = LONGEST_VALUE) -> str:
    """A text with its middle left out where it is longer than `length`."""
    if len(text) <= length:
        return text
    kept = (length - 3) // 2
    return f"{text[:kept]} … {text[-kept:]}"


class RedactingFormatter(logging.Formatter):
    """Formats log records with secrets redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record, redacted."""
        return redacted(super().format(record))


def _secrets() -> list[str]:
    """The secrets in the environment, longest first, since one may contain another."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET}
    return sorted((value for value in found if not os.path.exists(value)), key=len, reverse=True)  # noqa: PTH110


def say(line: str) -> None:
    """Print a line beside what goes on, such as the progress of trainings."""
    print(f"lab: {printable(redacted(line))}", file=sys.stderr, flush=True)
