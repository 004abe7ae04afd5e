"""The ways in which the lab ends other than well, and how a near name is found for a misspelt one."""

import difflib
from collections.abc import Iterable

from lab.redaction import redacted


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
