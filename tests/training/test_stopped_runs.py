"""Runs that are stopped, killed, or meet a full disk: what is recorded, and what is said."""

import errno
import os
import re
import resource
import signal

import pytest
import warm
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from waiting import wait_until

from lab.cli import main
from lab.config.experiment import load
from lab.errors import Stopped, TrainingFailed
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import run as training


def only_run() -> StoredRun:
    (found,) = store.client().search_runs(["1"])
    return stored_runs.find(found.info.run_id)


def test_a_disk_that_fills_up_stops_the_run_with_what_is_safe(tiny: str) -> None:
    process = warm.Process(with_small_files, "run", tiny, "model.hidden=512")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    first, *more = said.splitlines()
    assert re.match(r"lab: .*(best|last)\.ckpt: File too large", first)
    assert more == [
        "the run was stopped; what it recorded until then is kept, and runs finished before are untouched",
        "free some space, then resume it: lab resume latest:tiny",
    ]


def with_small_files(*arguments: str) -> None:
    """`lab`, in a process whose files must not grow beyond 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    main.main(arguments)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_ends_as_killed(tiny: str, number: signal.Signals, code: int) -> None:
    process = warm.lab("run", tiny, "trainer.max_epochs=100000")
    wait_until(lambda: re.search(r'"step": [2-9]', journal_text()) is not None, process=process)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    wait_for_journals()
    stored = only_run()
    assert stored.status == "KILLED"
    assert stored.metrics["val/loss"] > 0
    assert stored.artifact("checkpoints/best.ckpt").exists()
    if number != signal.SIGKILL:
        assert said == "lab: stopped; the run is recorded as KILLED, with its checkpoints\n"
        assert stored.artifact("checkpoints/last.ckpt").exists()


class StopInValidation(Callback):
    """Asks for an end while the second epoch is validated."""

    def on_validation_batch_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            raise Stopped(signal.SIGINT)


def test_a_run_that_is_stopped_in_validation_keeps_its_last_state(tiny: str) -> None:
    outbox = Outbox()
    with pytest.raises(Stopped):
        training.train(load(tiny), outbox.tracker(), [StopInValidation()])
    outbox.close()
    assert only_run().status == "KILLED"
    assert only_run().artifact("checkpoints/last.ckpt").exists()


class DiskFillsUp(Callback):
    """From the start of the training on, the journal takes metrics and the final state, but no tags and artifacts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.monkeypatch = monkeypatch

    def on_train_start(self, *_: object) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.monkeypatch.setattr(Tracker, "tags", full)
        self.monkeypatch.setattr(Tracker, "artifact", full)


def test_a_disk_that_is_full_at_the_end_leaves_a_tested_run_finished(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = training.run(load(tiny), [DiskFillsUp(monkeypatch)])
    assert only_run().status == "FINISHED"
    assert only_run().metrics["test/accuracy"] == result.metrics["test/accuracy"]
    assert [about for about, _ in result.notes] == ["incomplete"] * 2  # the model needs neither


def test_a_disk_that_is_full_at_the_end_does_not_hide_why_a_run_failed(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingFailed, match="the loss became"):
        training.run(load(tiny, ["optimizer={kind: sgd, lr: 1e30}"]), [DiskFillsUp(monkeypatch)])
    assert only_run().status == "FAILED"


def journal_text() -> str:
    return "".join(path.read_text() for path in store.journals().glob("*/*/records.jsonl"))


def wait_for_journals() -> None:
    """Until every record is in the store and no journal is left."""
    wait_until(lambda: not [path for path in store.journals().iterdir() if path.is_dir()])
