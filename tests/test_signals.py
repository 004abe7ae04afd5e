"""Signals: Stopped is raised at once, at the next safe point, or at the end of what must not be interrupted."""

import os
import signal
import threading
import time

import pytest

from lab import signals
from lab.errors import Stopped


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_raises_stopped_and_the_handlers_are_restored(number: int) -> None:
    before = [signal.getsignal(each) for each in signals.SIGNALS]
    with pytest.raises(Stopped) as stopped, signals.stop_on_signals():  # noqa: PT012
        send(number)
        pytest.fail("not stopped")
    assert stopped.value.signal_number == number
    assert [signal.getsignal(each) for each in signals.SIGNALS] == before


def test_later_signals_are_ignored_while_the_process_ends() -> None:
    cleaned = []
    with pytest.raises(Stopped), signals.stop_on_signals():  # noqa: PT012
        try:
            send()
        finally:
            for number in signals.SIGNALS:
                send(number)
            cleaned.append(True)
    assert cleaned == [True]


def test_without_a_signal_nothing_is_raised() -> None:
    with signals.stop_on_signals(), signals.uninterrupted(), signals.stop_at_safe_points():
        signals.safe_point()
        assert not signals.stop_requested()


def test_a_write_is_completed_first_also_within_another() -> None:
    done = []
    with pytest.raises(Stopped), signals.stop_on_signals():  # noqa: PT012
        with signals.uninterrupted():
            with signals.uninterrupted():
                send()
                done.append("inner")
            done.append("outer")
        done.append("after")
    assert done == ["inner", "outer"]


def test_training_stops_at_the_next_safe_point() -> None:
    done = []
    with pytest.raises(Stopped) as stopped, signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        signals.safe_point()
        send(signal.SIGHUP)
        assert signals.stop_requested()
        done.append("batch")
        signals.safe_point()
        done.append("next batch")
    assert done == ["batch"]
    assert stopped.value.signal_number == signal.SIGHUP
    assert not signals.stop_requested()


def test_training_without_a_safe_point_stops_at_its_end() -> None:
    done = []
    with pytest.raises(Stopped), signals.stop_on_signals():  # noqa: PT012
        with signals.stop_at_safe_points():
            send()
            done.append("batch")
        done.append("after")
    assert done == ["batch"]


def test_a_write_in_training_defers_to_the_safe_point_and_not_to_its_own_end() -> None:
    done = []
    with pytest.raises(Stopped), signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        with signals.uninterrupted():
            send()
        done.append("after the write")
        signals.safe_point()
    assert done == ["after the write"]


def test_a_second_signal_stops_at_once() -> None:
    done = []
    with pytest.raises(Stopped) as stopped, signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        send(signal.SIGTERM)
        done.append("batch")
        send(signal.SIGINT)
        done.append("next batch")
    assert done == ["batch"]
    assert stopped.value.signal_number == signal.SIGINT


def test_a_safe_point_with_patience_waits_that_long_after_the_signal() -> None:
    with pytest.raises(Stopped), signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        send()
        signals.safe_point(patience=0.2)
        assert signals.stop_requested()
        time.sleep(0.25)
        signals.safe_point(patience=0.2)
        pytest.fail("not stopped")


def test_an_error_after_the_signal_counts_as_stopped() -> None:
    with pytest.raises(Stopped) as stopped, signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        send()
        raise RuntimeError("a worker is gone")
    assert isinstance(stopped.value.__cause__, RuntimeError)


def test_an_error_without_a_signal_stays_itself() -> None:
    with pytest.raises(RuntimeError), signals.stop_on_signals(), signals.stop_at_safe_points():
        raise RuntimeError


def test_a_request_does_not_outlive_its_block() -> None:
    with pytest.raises(KeyError), signals.stop_on_signals(), signals.uninterrupted():  # noqa: PT012
        send()
        raise KeyError
    assert not signals.stop_requested()


def test_handlers_that_were_replaced_are_reinstalled() -> None:
    with pytest.raises(Stopped), signals.stop_on_signals():  # noqa: PT012
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signals.reinstall_handlers()
        send()
        pytest.fail("not stopped")
    before = signal.getsignal(signal.SIGTERM)
    signals.reinstall_handlers()
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_leave_the_handlers_alone() -> None:
    before = [signal.getsignal(each) for each in signals.SIGNALS]
    seen = []

    def work() -> None:
        with signals.stop_on_signals():
            signals.reinstall_handlers()
            seen.append([signal.getsignal(each) for each in signals.SIGNALS])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_is_not_raised_in_another_thread() -> None:
    reached = []

    def work() -> None:
        with signals.stop_at_safe_points(), signals.uninterrupted():
            reached.append(signals.stop_requested())
            signals.safe_point()
        reached.append("end")

    with pytest.raises(Stopped), signals.stop_on_signals(), signals.stop_at_safe_points():  # noqa: PT012
        send()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert signals.stop_requested()
        signals.safe_point()
        pytest.fail("not stopped")
    assert reached == [False, "end"]


def test_a_block_of_another_thread_does_not_defer_a_signal() -> None:
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with signals.stop_at_safe_points():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with pytest.raises(Stopped), signals.stop_on_signals():  # noqa: PT012
            entered.wait()
            send()
            pytest.fail("not stopped")
    finally:
        leave.set()
        thread.join()
