"""Ctrl-C, SIGTERM and SIGHUP as one exception, Stopped, raised where stopping does no harm.

Signals reach the main thread alone: in another one, all of this does nothing.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lab.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_handlers: list[Callable[[int, FrameType | None], None]] = []  # one for each active block of `stop_on_signals`
_uninterrupted: list[bool] = []  # an entry for each active block of `uninterrupted`
_at_safe_points: list[bool] = []  # an entry for each active block of `stop_at_safe_points`
_pending: list[tuple[int, float]] = []  # the signal that is deferred, and when it came


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise Stopped when a signal asks the process to end; later signals are ignored while it does."""
    if not _in_main_thread():
        yield
        return

    def stop(signal_number: int, frame: FrameType | None) -> None:
        if _at_safe_points and not _pending:
            _pending.append((signal_number, time.monotonic()))
            return
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if _uninterrupted:
            _pending.append((signal_number, time.monotonic()))
        else:
            raise Stopped(signal_number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    _handlers.append(stop)
    try:
        yield
    finally:
        _handlers.pop()
        _pending.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def exit_at_signals() -> Iterator[None]:
    """Raise SystemExit where SIGTERM or SIGHUP would end the process at once, with all it has to clean up left over."""
    if not _in_main_thread():
        yield
        return

    def leave(signal_number: int, frame: FrameType | None) -> None:
        for number in deadly:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + signal_number)

    deadly = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) == signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)


def reinstall_handlers() -> None:
    """Replace the handlers that Lightning has installed: its own exit at SIGTERM, at points that it chooses."""
    if _handlers and _in_main_thread():
        for number in SIGNALS:
            signal.signal(number, _handlers[-1])


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer Stopped to the end of the block, so that what it writes to a database is complete."""
    with _deferred(_uninterrupted):
        yield


@contextmanager
def stop_at_safe_points() -> Iterator[None]:
    """Defer Stopped to the next `safe_point`, or to the end of the block; a second signal raises it at once.

    An exception raised after the first signal counts as Stopped: a signal to a process group also ends worker
    processes that training needs.
    """
    try:
        with _deferred(_at_safe_points):
            yield
    except Exception as error:
        if stop_requested():
            raise Stopped(_pending.pop()[0]) from error
        raise


@contextmanager
def _deferred(blocks: list[bool]) -> Iterator[None]:
    if not _in_main_thread():
        yield
        return
    blocks.append(True)
    try:
        yield
    finally:
        blocks.pop()
    if not _uninterrupted and not _at_safe_points:
        safe_point()


def safe_point(patience: float = 0.0) -> None:
    """Raise Stopped where a signal asked the process to end at least `patience` seconds ago."""
    if stop_requested() and time.monotonic() - _pending[0][1] >= patience:
        raise Stopped(_pending.pop()[0])


def stop_requested() -> bool:
    """Whether a signal asked the process to end, and Stopped is still to be raised."""
    return bool(_pending) and _in_main_thread()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
