"""The sender against a real SQLite store."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.utils.validation import _validate_metric_name
from sending import runs_of, start
from waiting import wait_until

from lab.tracking import store
from lab.tracking.writing import leftovers, sender
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker, stored_name
from lab.tracking.writing.upload import Upload


def test_what_is_recorded_is_in_the_store(tracker: Tracker, outbox: Outbox) -> None:
    tracker.metrics({"val/loss": 0.5, "lr": 0.1}, step=1)
    tracker.metrics({"val/loss": float("nan")}, step=2)
    tracker.tags({"colour": "blue"})
    tracker.text("notes/a.txt", "kept")
    tracker.end("FINISHED")
    delivery = outbox.close()
    assert delivery.pending == 0
    run_id = delivery.run_ids[tracker.id]
    assert not outbox.folder.exists()
    client = store.client()
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "digits seed=1")
    assert run.data.params == {"optimizer.lr": "0.1", "widths": "[1, 2]"}
    assert run.data.tags["colour"] == "blue"
    history = client.get_metric_history(run_id, "val/loss")
    assert [(m.step, str(m.value)) for m in history] == [(1, "0.5"), (2, "nan")]
    kept = store.root() / "artifacts" / "digits" / run_id / "artifacts" / "notes" / "a.txt"
    assert kept.read_text() == "kept"


def test_an_outbox_that_was_sent_before_its_writer_is_done_is_deleted_then(tracker: Tracker, outbox: Outbox) -> None:
    tracker.end("FINISHED")
    wait_until(lambda: not sender.runs(outbox.folder))
    assert outbox.folder.exists()  # more runs may come
    assert set(outbox.close().run_ids) == {tracker.id}
    assert not outbox.folder.exists()


def test_one_sender_sends_a_parent_and_its_children(outbox: Outbox) -> None:
    parent = start(outbox.tracker())
    children = [start(outbox.tracker(parent=parent.id)) for _ in range(3)]
    for number, child in enumerate(children):
        child.metrics({"loss": float(number)}, 1)
        child.end("FINISHED")
    parent.end("FINISHED")
    run_ids = outbox.close().run_ids
    assert set(run_ids) == {parent.id, *(child.id for child in children)}
    for number, child in enumerate(children):
        run = store.client().get_run(run_ids[child.id])
        assert (run.data.tags["mlflow.parentRunId"], run.data.metrics["loss"]) == (run_ids[parent.id], number)


def test_a_child_of_the_same_millisecond_waits_for_its_parent(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    parent = start(outbox.tracker())
    children = [start(outbox.tracker(parent=parent.id)) for _ in range(8)]
    for tracker in (*children, parent):
        tracker.end("FINISHED")
    assert set(outbox.close().run_ids) == {parent.id, *(child.id for child in children)}


def test_a_run_resumed_in_a_later_process_is_the_same_run(tracker: Tracker, outbox: Outbox) -> None:
    tracker.metrics({"loss": 1.0}, 1)
    tracker.end("KILLED")
    before = outbox.close().run_ids[tracker.id]
    later = Outbox()
    again = start(later.tracker(tracker.id))
    child = start(later.tracker(parent=tracker.id))
    child.end("FINISHED")
    wait_until(lambda: store.client().get_run(before).info.status == "RUNNING")
    again.metrics({"loss": 0.5}, 2)
    again.end("FINISHED")
    run_ids = later.close().run_ids
    assert run_ids[tracker.id] == before
    assert store.client().get_run(before).info.status == "FINISHED"
    assert [m.step for m in store.client().get_metric_history(before, "loss")] == [1, 2]
    assert store.client().get_run(run_ids[child.id]).data.tags["mlflow.parentRunId"] == before


def test_sending_everything_twice_changes_nothing(unsent: Tracker, outbox: Outbox) -> None:
    for step in range(30):
        unsent.metrics({"loss": 1 / (step + 1), "same": 1.0}, step)
    first = Upload(unsent.folder, store.client(), lambda tracker_id: None)
    first.send_new()
    first._save_state(offset=0)  # killed after sending, before saving it
    unsent.end("FINISHED")
    assert sender.send_outbox(outbox.folder)
    (run,) = runs_of("digits")
    for name in ("loss", "same"):
        history = store.client().get_metric_history(run.info.run_id, name)
        assert [m.step for m in history] == list(range(30))


def test_a_sender_killed_before_it_saved_the_run_id_finds_the_run(unsent: Tracker, outbox: Outbox) -> None:
    first = Upload(unsent.folder, store.client(), lambda tracker_id: None)
    first.send_new()
    first._save_state(offset=0, run_id=None, doubtful=True)
    unsent.end("FINISHED")
    assert sender.send_outbox(outbox.folder)
    assert len(runs_of("digits")) == 1


def test_more_metrics_and_params_than_fit_into_a_call_arrive(outbox: Outbox) -> None:
    tracker = outbox.tracker()
    tracker.start("digits", "many", {f"p{i}": i for i in range(250)}, {})
    for step in range(30):
        tracker.metrics({f"m{i}": float(i) for i in range(90)}, step)
    tracker.end("FINISHED")
    run = store.client().get_run(outbox.close().run_ids[tracker.id])
    assert (len(run.data.params), len([m for m in run.data.metrics if m.startswith("m")])) == (250, 90)


def test_settings_whose_names_mlflow_refuses_arrive_under_others(outbox: Outbox) -> None:
    tracker = outbox.tracker()
    settings = {"groups.head.*.lr": 0.1, "groups.head.?.lr": 0.2, "groups.head.[ab].lr": 0.3, "lr": 0.4}
    tracker.start("digits", "groups", settings, {})
    tracker.end("FINISHED")
    delivery = outbox.close()
    assert delivery.pending == 0
    run = store.client().get_run(delivery.run_ids[tracker.id])
    names = ("groups.head._.lr", "groups.head._.lr_", "groups.head._ab_.lr", "lr")
    assert [run.data.params[name] for name in names] == ["0.1", "0.2", "0.3", "0.4"]


def test_a_setting_that_is_recorded_twice_keeps_its_first_value(tracker: Tracker, outbox: Outbox) -> None:
    tracker.params({"a": 1, "optimizer.lr": 0.2, "b": "x" * 9_000})
    tracker.params({"a": 2, "c": [None, True]})
    tracker.end("FINISHED")
    assert outbox.close().pending == 0
    params = runs_of("digits")[0].data.params
    assert params == {"optimizer.lr": "0.1", "widths": "[1, 2]", "a": "1", "b": f"{'x' * 5_999}…", "c": "[null, true]"}


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("val/acc", "val/acc"),
        ("lr-Adam: 1.5_x y", "lr-Adam: 1.5_x y"),
        ("acc@5(macro)", "acc_5_macro_"),
        ("/a//../b/./", "a/b"),
        (".../x", "_/x"),
        ("x" * 249 + "/y", "x" * 249),
        ("..", "_"),
    ],
)
def test_names_are_stored_as_mlflow_accepts_them(name: str, stored: str) -> None:
    assert stored_name(name) == stored
    _validate_metric_name(stored)


def test_a_record_that_the_store_never_accepts_blocks_no_other(tracker: Tracker, outbox: Outbox) -> None:
    tracker.metrics({"bad\tname?": 1.0}, 0)
    tracker.metrics({"good": 1.0}, 0)
    tracker.end("FINISHED")
    delivery = outbox.close()
    assert delivery.pending == 0
    assert store.client().get_run(delivery.run_ids[tracker.id]).data.metrics["good"] == 1.0


def test_runs_whose_process_is_killed_end_as_killed(workplace: Path) -> None:
    code = (
        "import os, signal\n"
        "from lab.tracking.writing.outbox import Outbox\n"
        "outbox = Outbox()\n"
        "for number in range(2):\n"
        "    tracker = outbox.tracker()\n"
        "    tracker.start('digits', 'doomed', {}, {})\n"
        "    tracker.metrics({'loss': 1.0}, 1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    wait_until(lambda: not list(store.journals().iterdir()))
    for run in runs_of("digits"):
        assert (run.info.status, run.data.metrics["loss"]) == ("KILLED", 1.0)


def test_without_a_store_records_are_pending_and_are_sent_later(
    unsent: Tracker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsent.metrics({"loss": 1.0}, 1)
    unsent.end("FINISHED")
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        lines, complete = leftovers.send_all()
        assert not complete
        assert lines[0].startswith("3 records of ")
        assert "still pending" in lines[0]
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lines, complete = leftovers.send_all()
    assert complete
    assert lines[0].startswith("sent run ")
    assert leftovers.send_all() == (["nothing is pending"], True)


def test_files_of_a_run_that_was_killed_before_it_recorded_them_are_sent(unsent: Tracker, outbox: Outbox) -> None:
    unsent.path("checkpoints/best.ckpt").write_text("whole")
    unsent.path("checkpoints/last.new").write_text("hal")  # as written by an earlier version
    unsent.path("checkpoints/.abc.new/last.ckpt").write_text("hal")
    sent = sender.send_outbox(outbox.folder)
    assert sent is not None
    run_id = sent[unsent.id]
    client = store.client()
    assert [file.path for file in client.list_artifacts(run_id)] == ["checkpoints"]
    assert [file.path for file in client.list_artifacts(run_id, "checkpoints")] == ["checkpoints/best.ckpt"]
    assert client.get_run(run_id).info.status == "KILLED"
