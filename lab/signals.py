"""Ctrl-C and SIGTERM as one exception, so that a run ends as KILLED and not half-way."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lab.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_put_off: list[bool] = []  # an entry for each block that puts off Stopped
_pausing: list[bool] = []  # an entry for each block in which Stopped is raised by `pause` alone
_waiting: list[tuple[int, float]] = []  # the signal that was put off, and when it came
_handlers: list[Callable[[int, FrameType | None], None]] = []  # an entry for each block of `stopping`


@contextmanager
def stopping() -> Iterator[None]:
    """Raise Stopped where the process is asked to end; a second signal, while that is under way, is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signal_number: int, frame: FrameType | None) -> None:
        if _pausing and not _waiting:
            _waiting.append((signal_number, time.monotonic()))
            return
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if _put_off:
            _waiting.append((signal_number, time.monotonic()))
        else:
            raise Stopped(signal_number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    _handlers.append(stop)
    try:
        yield
    finally:
        _handlers.pop()
        _waiting.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_handling() -> None:
    """Be told of signals alone: Lightning puts itself in front, and then leaves at a SIGTERM where it likes to."""
    if _handlers and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _handlers[-1])


@contextmanager
def whole() -> Iterator[None]:
    """Put off Stopped until the block's end: what is written in it to a database is written whole."""
    with _put_off_in(_put_off):
        yield


@contextmanager
def pausing() -> Iterator[None]:
    """Put off Stopped until the next `pause`, or the block's end; a second signal raises it at once.

    What fails meanwhile counts as stopped: a signal to a whole group ends processes that a training needs.
    """
    try:
        with _put_off_in(_pausing):
            yield
    except Exception as error:
        if _waiting:
            raise Stopped(_waiting.pop()[0]) from error
        raise


@contextmanager
def _put_off_in(blocks: list[bool]) -> Iterator[None]:
    blocks.append(True)
    try:
        yield
    finally:
        blocks.pop()
    if not _put_off and not _pausing:
        pause()


def asked() -> bool:
    """Whether the process was asked to end, and has not begun to."""
    return bool(_waiting)


def pause(patience: float = 0.0) -> None:
    """Raise Stopped where the process was asked to end, `patience` seconds ago or earlier."""
    if _waiting and time.monotonic() - _waiting[0][1] >= patience:
        raise Stopped(_waiting.pop()[0])
