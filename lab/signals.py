"""Ctrl-C and SIGTERM as one exception, so that a run ends as KILLED and not half-way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lab.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_put_off: list[bool] = []  # an entry for each block that puts off Stopped
_waiting: list[int] = []  # the signal that was put off


@contextmanager
def stopping() -> Iterator[None]:
    """Raise Stopped where the process is asked to end; a second signal, while that is under way, is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signal_number: int, frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if _put_off:
            _waiting.append(signal_number)
        else:
            raise Stopped(signal_number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        _waiting.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def whole() -> Iterator[None]:
    """Put off Stopped until the block's end: what is written in it to a database is written whole."""
    _put_off.append(True)
    try:
        yield
    finally:
        _put_off.pop()
    if _waiting and not _put_off:
        raise Stopped(_waiting.pop())
