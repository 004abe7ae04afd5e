"""Who may write to an outbox and who may send it: locks, and senders that meet."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sending import runs_of, start
from waiting import wait_until

from lab.tracking import store
from lab.tracking.writing import leftovers, sender
from lab.tracking.writing import outbox as outbox_module
from lab.tracking.writing.outbox import Outbox, start_sender
from lab.tracking.writing.tracker import Tracker
from lab.tracking.writing.upload import STATE


def test_an_outbox_that_is_being_sent_is_left_alone(tracker: Tracker, outbox: Outbox) -> None:
    wait_until((tracker.folder / STATE).exists)
    assert leftovers.send_all() == (["nothing is pending"], True)
    tracker.end("FINISHED")
    assert outbox.close().pending == 0


def test_two_senders_of_one_outbox_take_turns(tracker: Tracker, outbox: Outbox) -> None:
    second = start_sender(outbox.folder)
    tracker.metrics({"loss": 1.0}, 1)
    tracker.end("FINISHED")
    outbox.close()
    second.wait(60)
    assert len(runs_of("digits")) == 1


def test_a_file_of_the_user_named_like_a_module_of_python_stops_no_sender(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("struct.py").write_text("raise RuntimeError('not that of Python')\n")
    monkeypatch.setattr(outbox_module, "start_sender", start_sender)  # of users
    outbox = Outbox()
    start(outbox.tracker()).end("FINISHED")
    assert outbox.close().pending == 0


def test_the_runs_are_known_where_another_process_has_sent_them_first(
    tracker: Tracker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(outbox.tracker(parent=tracker.id))
    for each in (child, tracker):
        each.end("FINISHED")
    release = Outbox.release

    def released_and_sent_by_another(self: Outbox) -> None:
        release(self)
        leftovers.send_all()

    def too_late(folder: Path) -> "subprocess.Popen[bytes]":
        """A sender that begins when the outbox is gone, as on a busy machine."""
        waiting = f"while [ -e '{folder}' ]; do sleep 0.05; done; exit 1"
        return subprocess.Popen(["sh", "-c", waiting], stdout=subprocess.PIPE)

    assert outbox._sender is not None
    outbox._sender.kill()
    outbox._sender.wait()
    monkeypatch.setattr(Outbox, "release", released_and_sent_by_another)
    monkeypatch.setattr(outbox_module, "start_sender", too_late)
    delivery = outbox.close()
    assert (set(delivery.run_ids), delivery.pending) == ({tracker.id, child.id}, 0)
    assert store.client().get_run(delivery.run_ids[tracker.id]).info.status == "FINISHED"


def test_one_sender_serves_all_runs_and_another_is_started_where_it_was_killed(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_one, started = outbox_module.start_sender, list[subprocess.Popen[bytes]]()
    monkeypatch.setattr(outbox_module, "start_sender", lambda folder: started.append(start_one(folder)) or started[-1])
    trackers = [start(outbox.tracker()) for _ in range(2)]
    assert len(started) == 1
    started[0].kill()
    started[0].wait()
    trackers.append(start(outbox.tracker()))
    assert len(started) == 2
    for each in trackers:
        each.end("FINISHED")
    delivery = outbox.close()
    assert (set(delivery.run_ids), delivery.pending) == ({each.id for each in trackers}, 0)


@pytest.mark.parametrize(
    ("script", "ends", "error"),
    [("sleep 0.5; exit 1", True, ""), ("echo 'no answer' >&2; exec sleep 10", False, "no answer")],
    ids=["busy", "failing"],
)
def test_a_sender_that_is_busy_is_waited_for_longer_than_one_that_fails(
    script: str, ends: bool, error: str, tracker: Tracker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that sends nothing, and has written an error to its log or has not."""
    started = []

    def sending_nothing(folder: Path) -> "subprocess.Popen[bytes]":
        with (folder / sender.LOG).open("wb") as log:
            started.append(subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, stderr=log))
        return started[0]

    assert outbox._sender is not None
    outbox._sender.kill()
    outbox._sender.wait()
    monkeypatch.setattr(outbox_module, "PATIENCE", 0.1)
    monkeypatch.setattr(outbox_module, "start_sender", sending_nothing)
    tracker.end("FINISHED")
    delivery = outbox.close()
    assert (delivery.pending > 0, delivery.error) == (True, error)
    assert (started[0].poll() is not None) == ends
    started[0].kill()
    started[0].communicate()


def test_a_forked_process_does_not_keep_the_writers_lock(workplace: Path) -> None:
    code = (
        "import os, time\n"
        "from lab.tracking.writing.outbox import Outbox\n"
        "outbox = Outbox()\n"
        "outbox.tracker().start('digits', 'doomed', {}, {})\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    time.sleep(60)\n"
        "    os._exit(0)\n"
        "print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    child = int(writer.stdout.readline())
    (folder,) = store.journals().iterdir()
    try:
        assert sender.has_writer(folder)
        writer.kill()
        writer.wait()
        assert not sender.has_writer(folder)
    finally:
        writer.stdout.close()
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: not list(store.journals().iterdir()))
    assert [run.info.status for run in runs_of("digits")] == ["KILLED"]


def test_the_lock_of_the_writer_is_held_until_it_is_released(tracker: Tracker, outbox: Outbox) -> None:
    assert sender.has_writer(outbox.folder)
    (folder,) = store.journals().iterdir()
    assert folder == outbox.folder  # the folder in which it was created is renamed
    tracker.end("FINISHED")
    outbox.release()
    assert not sender.has_writer(outbox.folder)
    outbox.release()


def test_an_outbox_that_vanishes_while_it_is_listed_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda path: True)  # what glob asks first, just before the sender deletes it
    assert sender.runs(tmp_path / "sent") == []
    assert sender.progress(tmp_path / "sent") == (0,)
