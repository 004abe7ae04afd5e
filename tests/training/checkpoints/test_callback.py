"""A run that is resumed from a checkpoint equals the run that never stopped, to the last bit."""

import contextlib
import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from resumed import assert_goes_on, assert_same

from lab import signals
from lab.config.experiment import load
from lab.errors import Stopped
from lab.modules import training_step
from lab.training.building import build
from lab.training.checkpoints import files as checkpoint_files
from lab.training.checkpoints.best_epoch import BestEpoch
from lab.training.checkpoints.callback import BestAndLast
from lab.training.records import Records
from lab.training.trainer import make_trainer, silence_libraries


@pytest.fixture(autouse=True)
def one_batch_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning hands over single batches, so that these tests can strike between any two."""
    monkeypatch.setattr(training_step, "MAX_BATCHES", 1)


SHORT = ("checkpoints.every_seconds=0", "trainer.max_epochs=2")
DIGITS = ("data.batch_size=256", "trainer.max_epochs=4", "checkpoints.every_seconds=0")  # 6 batches an epoch


@pytest.mark.parametrize(
    ("name", "overrides", "stops"),
    [
        ("digits", (*DIGITS, "model.dropout=0.3", "scheduler.kind=onecycle"), (8, 5)),
        ("digits", (*DIGITS, "scheduler.kind=cosine", "trainer.accumulate_grad_batches=2"), (9, 9)),
        (
            "digits",
            (*DIGITS, "scheduler={kind: step, every: 1}", "optimizer.kind=sgd", "optimizer.momentum=0.9"),
            (13,),
        ),
        ("digits", (*DIGITS, "scheduler={kind: plateau, patience: 1}", "optimizer={kind: adam, lr: 0.1}"), (8, 10)),
        ("digits", (*DIGITS, "early_stopping={patience: 1}", "optimizer={kind: rmsprop, lr: 0.1}"), (9,)),
        ("digits", (*DIGITS, "data.num_workers=2", "trainer.max_epochs=3"), (8, 3)),
        ("digits", (*DIGITS, "trainer.val_check_interval=0.5", "trainer.check_val_every_n_epoch=2"), (3, 6, 7)),
        ("digits", (*DIGITS, "trainer.limit_train_batches=3"), (4, 2)),
        ("digits", (*DIGITS, "trainer.max_steps=15"), (7, 3)),
        ("digits", (*DIGITS, "data.batch_size=1200"), (1, 2)),  # one batch an epoch
        ("digits", (*DIGITS, "optimizer={kind: torch.optim.Adagrad, lr: 0.1}", "trainer.precision=bf16-mixed"), (8,)),
        ("conv2d", (*DIGITS, "trainer.max_epochs=2", "model.norm=batch"), (8,)),
        ("breast_cancer", (*SHORT, "trainer.gradient_clip_val=0.1"), (9,)),
        ("sunspots", (*SHORT, "data.batch_size=32", "model.dropout=0.2"), (7, 2)),
        ("schools", SHORT, (3, 4)),  # samples with weights
        ("sunspots", (*SHORT, "loss={kind: quantile}", "conformal=0.8"), (8,)),
    ],
)
def test_a_run_that_was_broken_off_goes_on_as_if_nothing_had_happened(
    workplace: Path, name: str, overrides: tuple[str, ...], stops: tuple[int, ...]
) -> None:
    assert_goes_on(workplace, name, overrides, stops)


@pytest.mark.parametrize("setting", ["scheduler.kind=onecycle", "trainer.accumulate_grad_batches=2"])
def test_a_run_goes_on_between_blocks_of_batches(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setattr(training_step, "MAX_BATCHES", 3)
    overrides = ("data.batch_size=64", "trainer.max_epochs=3", "checkpoints.every_seconds=0", "model.dropout=0.3")
    assert_goes_on(workplace, "digits", (*overrides, setting), (10, 4))  # 21 batches in 7 blocks


class Signal(Callback):
    """Sends this process signals: before the batch of that number, counted over all epochs, or in a validation."""

    def __init__(self, batch: int, times: int = 1):
        self.batch = batch
        self.times = times
        self.batches_ended = 0

    def on_train_batch_start(self, trainer: Trainer, module: object, batch: object, batch_idx: int) -> None:
        if self.batches_ended == self.batch:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)

    def on_train_batch_end(self, *_: object) -> None:
        self.batches_ended += 1


def stopped_by(sender: Signal, folder: Path) -> checkpoint_files.Checkpoint:
    """The state that a run leaves in `last.ckpt` when it is stopped."""
    silence_libraries()
    experiment = load("digits", ["data.batch_size=256", "trainer.max_epochs=3", "checkpoints.every_seconds=1000"])
    built = build(experiment)
    records = Records(built.observer)
    checkpoints = BestAndLast(folder, experiment.checkpoints["every_seconds"], BestEpoch(), records)
    trainer = make_trainer(built, [sender, records, checkpoints])
    with pytest.raises(Stopped), signals.stop_on_signals(), signals.stop_at_safe_points():
        trainer.fit(built.module, built.data.train_dataloader(), built.data.val_dataloader())
    return checkpoint_files.read(folder / "last.ckpt")


def test_a_run_that_is_asked_to_stop_ends_the_batch_and_keeps_its_state(workplace: Path) -> None:
    sender = Signal(batch=8)
    state = stopped_by(sender, workplace / "kept")
    assert sender.batches_ended == 9
    assert (state["epoch"], state["lab"]["batch"], state["global_step"]) == (1, 3, 9)


def test_a_run_that_is_asked_to_stop_in_the_last_batch_of_an_epoch_keeps_the_state_behind_its_validation(
    workplace: Path,
) -> None:
    sender = Signal(batch=11)
    stopped_by(sender, workplace / "kept")
    states = [checkpoint_files.read(workplace / "kept" / name) for name in ("last.ckpt", "best.ckpt")]
    assert (2, 0) in [(state["epoch"], state["lab"]["batch"]) for state in states]


def test_a_second_signal_stops_at_once_and_the_state_kept_before_is_whole(workplace: Path) -> None:
    sender = Signal(batch=8, times=2)
    state = stopped_by(sender, workplace / "kept")
    assert sender.batches_ended == 8
    assert state["global_step"] == 0  # kept when the training began; best.ckpt is newer
    assert checkpoint_files.read(workplace / "kept" / "best.ckpt")["global_step"] == 6


class TestAFile:
    """A checkpoint as a file."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        checkpoint_files.write({"weights": torch.arange(100.0), "plain": [1, (2.5, "three")]}, tmp_path / "last.ckpt")
        return tmp_path / "last.ckpt"

    def test_the_one_before_is_kept(self, file: Path) -> None:
        before = file.read_bytes()
        checkpoint_files.write({"weights": torch.zeros(1)}, file)
        assert file.with_name("previous.ckpt").read_bytes() == before
        assert sorted(path.name for path in file.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]

    @pytest.mark.parametrize("kept", [0, 1, 100, -1])
    def test_a_truncated_one_is_reported(self, file: Path, kept: int) -> None:
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(checkpoint_files.Damaged, match="is damaged"):
            checkpoint_files.read(file)

    def test_no_flipped_bit_goes_unnoticed_that_changes_what_is_read(self, file: Path) -> None:
        whole = file.read_bytes()
        expected = checkpoint_files.read(file)
        for place in range(0, len(whole), 7):
            broken = bytearray(whole)
            broken[place] ^= 1 << place % 8
            file.write_bytes(broken)
            with contextlib.suppress(checkpoint_files.Damaged):
                assert_same(checkpoint_files.read(file), expected)

    def test_one_that_would_run_code_is_refused(self, file: Path, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.system, (f"touch {tmp_path}/ran",)

        torch.save({"state_dict": Evil()}, file)
        with pytest.raises(checkpoint_files.Damaged, match="is damaged"):
            checkpoint_files.read(file)
        assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_reported_and_the_older_file_stays(tmp_path: Path) -> None:
    io, file = checkpoint_files.DurableIO(), tmp_path / "last.ckpt"
    io.save_checkpoint({"weights": torch.full((1000,), 19.0)}, file)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            io.save_checkpoint({"weights": torch.zeros(1000)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.equal(io.load_checkpoint(file)["weights"], torch.full((1000,), 19.0))
