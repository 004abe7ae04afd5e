"""The sender against a real SQLite store."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.tracking import sender, store, waiting
from lab.tracking.tracker import Tracker, start_sender


def started() -> Tracker:
    tracker = Tracker()
    tracker.start("digits", "digits seed=1", {"optimizer.lr": 0.1, "widths": [1, 2]}, {"colour": "red"})
    return tracker


@pytest.fixture
def tracker(workplace: Path) -> Tracker:
    return started()


def test_what_is_recorded_stands_in_the_store(tracker: Tracker) -> None:
    tracker.metrics({"val/loss": 0.5, "lr": 0.1}, step=1)
    tracker.metrics({"val/loss": float("nan")}, step=2)
    tracker.tags({"colour": "blue"})
    tracker.text("notes/a.txt", "kept")
    tracker.end("FINISHED")
    delivery = tracker.wait()
    assert delivery.waiting == 0
    assert delivery.run_id is not None
    assert not tracker.folder.exists()
    client = store.client()
    run = client.get_run(delivery.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "digits seed=1")
    assert run.data.params == {"optimizer.lr": "0.1", "widths": "[1, 2]"}
    assert run.data.tags["colour"] == "blue"
    history = client.get_metric_history(delivery.run_id, "val/loss")
    assert [(m.step, str(m.value)) for m in history] == [(1, "0.5"), (2, "nan")]
    kept = store.root() / "artifacts" / "digits" / delivery.run_id / "artifacts" / "notes" / "a.txt"
    assert kept.read_text() == "kept"


def test_sending_everything_twice_changes_nothing(tracker: Tracker) -> None:
    for step in range(30):
        tracker.metrics({"loss": 1 / (step + 1), "same": 1.0}, step)
    tracker._sender.terminate()
    tracker._sender.wait()
    first = sender.Sender(tracker.folder, store.client())
    first.send_new()
    first._note(offset=0)  # killed after sending, before noting it
    tracker.end("FINISHED")
    assert sender.deliver(tracker.folder, alive=lambda: False)
    client = store.client()
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    for name in ("loss", "same"):
        assert [m.step for m in client.get_metric_history(run.info.run_id, name)] == list(range(30))


def test_more_metrics_and_params_than_fit_into_a_call_arrive(workplace: Path) -> None:
    tracker = Tracker()
    tracker.start("digits", "many", {f"p{i}": i for i in range(250)}, {})
    for step in range(30):
        tracker.metrics({f"m{i}": float(i) for i in range(90)}, step)
    tracker.end("FINISHED")
    delivery = tracker.wait()
    assert delivery.run_id is not None
    run = store.client().get_run(delivery.run_id)
    assert (len(run.data.params), len([m for m in run.data.metrics if m.startswith("m")])) == (250, 90)


def test_a_record_that_the_store_will_never_take_keeps_nothing_back(tracker: Tracker) -> None:
    tracker.metrics({"bad\tname?": 1.0}, 0)
    tracker.metrics({"good": 1.0}, 0)
    tracker.end("FINISHED")
    delivery = tracker.wait()
    assert delivery.waiting == 0
    assert delivery.run_id is not None
    assert store.client().get_run(delivery.run_id).data.metrics["good"] == 1.0


def test_a_run_whose_process_is_killed_ends_as_killed(workplace: Path) -> None:
    code = (
        "import os, signal\n"
        "from lab.tracking.tracker import Tracker\n"
        "tracker = Tracker()\n"
        "tracker.start('digits', 'doomed', {}, {})\n"
        "tracker.metrics({'loss': 1.0}, 1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    deadline = time.monotonic() + 60
    while list(store.journals().iterdir()) and time.monotonic() < deadline:
        time.sleep(0.2)
    client = store.client()
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert (run.info.status, run.data.metrics["loss"]) == ("KILLED", 1.0)


def test_without_a_store_records_wait_and_are_sent_later(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tracker._sender.terminate()
    tracker._sender.wait()
    tracker.metrics({"loss": 1.0}, 1)
    tracker.end("FINISHED")
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        lines, complete = waiting.send_all()
        assert not complete
        assert "still wait" in lines[0]
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lines, complete = waiting.send_all()
    assert complete
    assert lines[0].startswith("sent run ")
    assert waiting.send_all() == (["nothing waits"], True)


def test_a_journal_that_is_being_sent_is_left_alone(tracker: Tracker) -> None:
    deadline = time.monotonic() + 30
    while not (tracker.folder / sender.STATE).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert waiting.send_all() == (["nothing waits"], True)
    tracker.end("FINISHED")
    assert tracker.wait().waiting == 0


def test_two_senders_of_one_journal_take_turns(tracker: Tracker) -> None:
    second = start_sender(tracker.folder)
    tracker.metrics({"loss": 1.0}, 1)
    tracker.end("FINISHED")
    assert 0 in (tracker._sender.wait(60), second.wait(60))
    client = store.client()
    assert len(client.search_runs([client.get_experiment_by_name("digits").experiment_id])) == 1


def test_files_of_a_run_that_was_killed_before_it_named_them_are_kept(tracker: Tracker) -> None:
    tracker._sender.kill()
    tracker._sender.wait()
    tracker.path("checkpoints/best.ckpt").write_text("whole")
    tracker.path("checkpoints/last.new").write_text("hal")
    run_id = sender.deliver(tracker.folder, alive=lambda: False)
    assert run_id is not None
    client = store.client()
    assert [file.path for file in client.list_artifacts(run_id)] == ["checkpoints"]
    assert [file.path for file in client.list_artifacts(run_id, "checkpoints")] == ["checkpoints/best.ckpt"]
    assert client.get_run(run_id).info.status == "KILLED"
