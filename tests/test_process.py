"""Stopped is raised at once, at the next safe point, or at the end of what must not be interrupted; garbage."""

import gc
import os
import signal
import threading
import time

import pytest

from lab import process
from lab.errors import Stopped


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", process.SIGNALS)
def test_a_signal_raises_stopped_and_the_handlers_are_restored(number: int) -> None:
    before = [signal.getsignal(each) for each in process.SIGNALS]
    with pytest.raises(Stopped) as stopped, process.stop_on_signals():  # noqa: PT012
        send(number)
        pytest.fail("not stopped")
    assert stopped.value.signal_number == number
    assert [signal.getsignal(each) for each in process.SIGNALS] == before


def test_later_signals_are_ignored_while_the_process_ends() -> None:
    cleaned = []
    with pytest.raises(Stopped), process.stop_on_signals():  # noqa: PT012
        try:
            send()
        finally:
            for number in process.SIGNALS:
                send(number)
            cleaned.append(True)
    assert cleaned == [True]


def test_without_a_signal_nothing_is_raised() -> None:
    with process.stop_on_signals(), process.uninterrupted(), process.stop_at_safe_points():
        process.safe_point()
        assert not process.stop_requested()


def test_a_write_is_completed_first_also_within_another() -> None:
    done = []
    with pytest.raises(Stopped), process.stop_on_signals():  # noqa: PT012
        with process.uninterrupted():
            with process.uninterrupted():
                send()
                done.append("inner")
            done.append("outer")
        done.append("after")
    assert done == ["inner", "outer"]


def test_training_stops_at_the_next_safe_point() -> None:
    done = []
    with pytest.raises(Stopped) as stopped, process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        process.safe_point()
        send(signal.SIGHUP)
        assert process.stop_requested()
        done.append("batch")
        process.safe_point()
        done.append("next batch")
    assert done == ["batch"]
    assert stopped.value.signal_number == signal.SIGHUP
    assert not process.stop_requested()


def test_training_without_a_safe_point_stops_at_its_end() -> None:
    done = []
    with pytest.raises(Stopped), process.stop_on_signals():  # noqa: PT012
        with process.stop_at_safe_points():
            send()
            done.append("batch")
        done.append("after")
    assert done == ["batch"]


def test_a_write_in_training_defers_to_the_safe_point_and_not_to_its_own_end() -> None:
    done = []
    with pytest.raises(Stopped), process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        with process.uninterrupted():
            send()
        done.append("after the write")
        process.safe_point()
    assert done == ["after the write"]


def test_a_second_signal_stops_at_once() -> None:
    done = []
    with pytest.raises(Stopped) as stopped, process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        send(signal.SIGTERM)
        done.append("batch")
        send(signal.SIGINT)
        done.append("next batch")
    assert done == ["batch"]
    assert stopped.value.signal_number == signal.SIGINT


def test_a_safe_point_with_patience_waits_that_long_after_the_signal() -> None:
    with pytest.raises(Stopped), process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        send()
        process.safe_point(patience=0.2)
        assert process.stop_requested()
        time.sleep(0.25)
        process.safe_point(patience=0.2)
        pytest.fail("not stopped")


def test_an_error_after_the_signal_counts_as_stopped() -> None:
    with pytest.raises(Stopped) as stopped, process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        send()
        raise RuntimeError("a worker is gone")
    assert isinstance(stopped.value.__cause__, RuntimeError)


def test_an_error_without_a_signal_stays_itself() -> None:
    with pytest.raises(RuntimeError), process.stop_on_signals(), process.stop_at_safe_points():
        raise RuntimeError


def test_a_request_does_not_outlive_its_block() -> None:
    with pytest.raises(KeyError), process.stop_on_signals(), process.uninterrupted():  # noqa: PT012
        send()
        raise KeyError
    assert not process.stop_requested()


def test_handlers_that_were_replaced_are_reinstalled() -> None:
    with pytest.raises(Stopped), process.stop_on_signals():  # noqa: PT012
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.reinstall_handlers()
        send()
        pytest.fail("not stopped")
    before = signal.getsignal(signal.SIGTERM)
    process.reinstall_handlers()
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_leave_the_handlers_alone() -> None:
    before = [signal.getsignal(each) for each in process.SIGNALS]
    seen = []

    def work() -> None:
        with process.stop_on_signals():
            process.reinstall_handlers()
            seen.append([signal.getsignal(each) for each in process.SIGNALS])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_is_not_raised_in_another_thread() -> None:
    reached = []

    def work() -> None:
        with process.stop_at_safe_points(), process.uninterrupted():
            reached.append(process.stop_requested())
            process.safe_point()
        reached.append("end")

    with pytest.raises(Stopped), process.stop_on_signals(), process.stop_at_safe_points():  # noqa: PT012
        send()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert process.stop_requested()
        process.safe_point()
        pytest.fail("not stopped")
    assert reached == [False, "end"]


def test_a_block_of_another_thread_does_not_defer_a_signal() -> None:
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with process.stop_at_safe_points():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with pytest.raises(Stopped), process.stop_on_signals():  # noqa: PT012
            entered.wait()
            send()
            pytest.fail("not stopped")
    finally:
        leave.set()
        thread.join()


def test_garbage_is_collected_rarely_until_a_training_begins() -> None:
    before = gc.get_threshold()
    try:
        process.collect_rarely()
        assert gc.get_threshold()[0] > 10 * process.USUAL[0]
        process.collect_as_usual()
        assert gc.get_threshold() == process.USUAL
        gc.set_threshold(12_345)
        process.collect_as_usual()
        assert gc.get_threshold()[0] == 12_345
    finally:
        gc.set_threshold(*before)
