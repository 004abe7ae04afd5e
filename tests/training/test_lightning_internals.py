"""The contract with the private parts of Lightning: if an upgrade changes them, this file fails and no other."""

from collections.abc import Callable
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset

from lab.training import lightning_internals

BATCHES, EPOCHS = 4, 2


class Module(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        return self.layer(batch[0]).sum()

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.layer(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Probe(Callback):
    def __init__(self, look: Callable[[L.Trainer], object]):
        self.look = look
        self.after_batches: list[object] = []
        self.before_epochs: list[object] = []

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        self.after_batches.append(self.look(trainer))

    def on_train_epoch_start(self, trainer: L.Trainer, *_: object) -> None:
        self.before_epochs.append(self.look(trainer))


def fit(probe: Probe, **settings: object) -> L.Trainer:
    batches = DataLoader(TensorDataset(torch.zeros(BATCHES, 1)), batch_size=1)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[probe], **quiet, **settings)
    trainer.fit(Module(), batches, batches)
    return trainer


def test_the_tests_hold_for_this_version_of_lightning() -> None:
    assert L.__version__.startswith(f"{lightning_internals.VERSION}.")


def test_another_batch_follows_all_batches_but_the_last_of_an_epoch() -> None:
    probe = Probe(lightning_internals.batch_follows)
    fit(probe)
    assert probe.after_batches == [True, True, True, False] * EPOCHS


def test_no_batch_follows_where_a_validation_does() -> None:
    probe = Probe(lightning_internals.batch_follows)
    fit(probe, val_check_interval=2)
    assert probe.after_batches == [True, False, True, False] * EPOCHS


def test_no_batch_follows_the_last_step_of_a_training() -> None:
    probe = Probe(lightning_internals.batch_follows)
    fit(probe, max_steps=6)
    assert probe.after_batches == [True, True, True, False, True, False]


def test_a_checkpoint_between_two_epochs_does_not_count_the_next_one(tmp_path: Path) -> None:
    def begun(trainer: L.Trainer) -> tuple[int, int]:
        trainer.save_checkpoint(tmp_path / "state.ckpt")
        checkpoint = torch.load(tmp_path / "state.ckpt", weights_only=True)
        lightning_internals.mark_epoch_as_not_begun(checkpoint)
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
        return progress["total"]["ready"], progress["current"]["ready"]

    probe = Probe(begun)
    fit(probe)
    assert probe.before_epochs == [(0, 0), (1, 1)]
