"""What an epoch records beside its metrics: the learning rate and the speed."""

import math
import time
from typing import Any

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import load
from lab.training.building import build
from lab.training.records import Records
from lab.training.trainer import make_trainer

pytestmark = pytest.mark.usefixtures("empty_workplace")


def recorded(*overrides: str, callbacks: tuple[Callback, ...] = ()) -> list[dict[str, float]]:
    """A row for each epoch of a training."""
    built = build(load("digits", ["data.batch_size=256", "trainer.max_epochs=3", *overrides]))
    records = Records(built.observer)
    make_trainer(built, [*callbacks, records]).fit(
        built.module, built.data.train_dataloader(), built.data.val_dataloader()
    )
    return records.history


def test_the_learning_rate_is_that_of_the_epoch_and_not_of_the_next() -> None:
    rows = recorded("optimizer={kind: sgd, lr: 0.1}", "scheduler={kind: step, every: 1, factor: 0.1}")
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.01, 0.001])


def test_a_schedule_of_steps_is_recorded_as_of_the_last_step() -> None:
    rows = recorded("optimizer={kind: sgd, lr: 0.1}", "scheduler={kind: cosine}")
    assert rows[-1]["lr"] > 0  # after the last step it is 0
    assert rows[0]["lr"] > rows[1]["lr"] > rows[2]["lr"]


class SlowValidation(Callback):
    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        time.sleep(0.5)


def test_the_speed_is_that_of_training_and_the_duration_includes_validation() -> None:
    for row in recorded(callbacks=(SlowValidation(),)):
        assert row["seconds_per_epoch"] > 0.5
        assert row["samples_per_second"] > 1295 / (row["seconds_per_epoch"] - 0.4)


def test_an_epoch_without_a_value_does_not_hide_the_best_of_the_others() -> None:
    records = Records(build(load("digits")).observer)
    for epoch, value in enumerate([math.nan, 0.5, 0.7, math.nan, 0.6], start=1):
        records._note_best({"val/accuracy": value}, epoch)
    assert records.best == {"val/accuracy": (0.7, 3)}
