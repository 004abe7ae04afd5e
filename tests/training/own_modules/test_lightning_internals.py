"""The contract with the private parts of Lightning: if an upgrade changes them, this file fails and no other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torchmetrics
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric, MinMaxMetric, PearsonCorrCoef

from lab.training.own_modules import lightning_internals

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


def fit(probe: Callback, module: L.LightningModule | None = None, **settings: object) -> L.Trainer:
    batches = DataLoader(TensorDataset(torch.zeros(BATCHES, 1)), batch_size=1)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[probe], **quiet, **settings)
    trainer.fit(module or Module(), batches, batches)
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


class Logging(Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen = MeanMetric()

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        value = torch.tensor(float(index))
        self.seen(value)
        self.log("step", value)
        self.log("mean", value, on_step=True, on_epoch=True)
        self.log("largest", value, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("total", value, on_step=False, on_epoch=True, reduce_fx="sum")
        self.log("seen", self.seen, on_step=False, on_epoch=True)
        return super().training_step(batch, index)


def test_the_tests_hold_for_this_version_of_torchmetrics() -> None:
    assert torchmetrics.__version__.startswith(f"{lightning_internals.TORCHMETRICS_VERSION}.")


def test_what_is_logged_for_a_step_alone_is_told_from_what_is_collected_of_the_epoch() -> None:
    probe = Probe(lambda trainer: lightning_internals.step_values(trainer))
    fit(probe, Logging())
    assert probe.after_batches == [{"step": float(index)} for index in range(BATCHES)] * EPOCHS
    assert lightning_internals.logged_metrics(fit(Probe(lambda trainer: None), Logging())).keys() == {"seen"}


def test_states_without_a_rule_cannot_be_put_together_from_several_devices() -> None:
    assert lightning_internals.states_of_one_device(MeanMetric()) == []
    assert "mean_x" in lightning_internals.states_of_one_device(PearsonCorrCoef())
    assert "mean_x" in lightning_internals.states_of_one_device(MinMaxMetric(PearsonCorrCoef()))


class AtEnd(Callback):
    """Looks at what an epoch has collected, after the first half of it was taken away and given back, or not."""

    def __init__(self, gives_back: bool):
        self.gives_back = gives_back
        self.taken: dict[str, Any] = {}
        self.states: dict[str, Any] = {}
        self.found: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *arguments: Any) -> None:
        index = arguments[-1]
        results = trainer.fit_loop.epoch_loop._results
        if index == 1 and self.gives_back:
            self.taken = lightning_internals.collected(trainer)
            self.states = lightning_internals.metric_states(module)
            results.reset()
        if index == 2 and self.gives_back:
            lightning_internals.add_collected(trainer, self.taken)

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, *arguments: Any) -> None:
        if arguments[-1] == 2 and self.gives_back:
            lightning_internals.restore_metric_states(module, self.states)

    def on_train_epoch_end(self, trainer: L.Trainer, *_: object) -> None:
        self.found.append({name: float(value) for name, value in lightning_internals.epoch_values(trainer).items()})


def test_what_an_epoch_has_collected_can_be_saved_and_added_again() -> None:
    whole, halves = AtEnd(gives_back=False), AtEnd(gives_back=True)
    for callback in (whole, halves):
        fit(callback, Logging())
    assert whole.found == [{"mean": 1.5, "largest": 3.0, "total": 6.0, "seen": 1.5}] * EPOCHS
    assert halves.found == whole.found
