"""When the state of a run is kept, and what of it Lightning's own checkpoints leave out."""

import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from lab import signals
from lab.errors import TrainingFailed
from lab.modules.task import TaskModule
from lab.training import checkpoint_files

PATIENCE = 3.0  # seconds for which a run that is asked to stop waits for the end of its validation


class BestAndLast(Checkpoint):
    """Keeps `best.ckpt`, of the epoch with the lowest validation loss, and `last.ckpt`, the newest state.

    A run can go on from either as if it had never stopped: a state is taken only between two optimizer steps
    that follow each other, or between two epochs. There, too, a run that is asked to stop stops; only a second
    signal, or a long validation, ends it elsewhere: then it can go on from the state kept before.
    """

    def __init__(self, folder: Path, every_seconds: float):
        self.best = folder / "best.ckpt"
        self.last = folder / "last.ckpt"
        self.best_epoch = 0  # counted from 1; 0 before the first
        self._every_seconds = every_seconds
        self._best_loss = math.inf
        self._best_weights: dict[str, Tensor] = {}
        self._best_waits = False  # for the end of its epoch
        self._best_kept = False
        self._between_epochs = False
        self._block = 0  # blocks of batches done of the epoch whose state is kept
        self._due = 0.0
        self._loaded: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the batch, the metrics and the randomness of a checkpoint."""
        signals.reinstall_handlers()
        if self._loaded:
            _go_to_block(trainer, self._loaded["block"])
            trainer.callback_metrics.update(self._loaded["callback_metrics"])
            _set_random_state(self._loaded["random"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state between two epochs: of a best epoch, and where it is time to."""
        self._between_epochs = True
        if self._best_waits:
            self._keep_best(trainer)
        elif self._is_due():
            self._keep_last(trainer)
        self._between_epochs = False
        signals.safe_point()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the state between two steps, where it is time to."""
        assert isinstance(pl_module, TaskModule)
        if self._is_due() and pl_module.between_steps and _block_follows(trainer):
            self._keep_last(trainer, batch_idx + 1)
            signals.safe_point()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Stop in a long validation."""
        signals.safe_point(PATIENCE)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be the one who is asked to stop."""
        signals.reinstall_handlers()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Stop in a test: the end of the training is kept."""
        signals.safe_point()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the epoch if it is the best so far."""
        loss = float(trainer.callback_metrics.get("val/loss", math.nan))
        if loss < self._best_loss:
            self._best_loss = loss
            self._note_best(pl_module, trainer.current_epoch + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the end, which is also the best epoch where no validation loss was a number."""
        if not self.best_epoch:
            self._note_best(pl_module, trainer.current_epoch)
        if self._best_waits:
            self._keep_best(trainer)
        elif not self._best_kept:  # here: it was, where the run was before
            checkpoint_files.write({"epoch": self.best_epoch, "state_dict": self._best_weights}, self.best)
        self._keep_last(trainer)

    def restore_best(self, module: LightningModule) -> None:
        """Put the weights of the best epoch into the module."""
        module.load_state_dict(self._best_weights)

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due or signals.stop_requested()

    def _note_best(self, module: LightningModule, epoch: int) -> None:
        self.best_epoch = epoch
        self._best_weights = {name: value.clone() for name, value in module.state_dict().items()}
        self._best_waits = True

    def _keep_best(self, trainer: Trainer) -> None:
        self._block = 0
        trainer.save_checkpoint(self.best)
        self._best_waits, self._best_kept = False, True

    def _keep_last(self, trainer: Trainer, block: int = 0) -> None:
        self._block = block
        trainer.save_checkpoint(self.last)
        self._due = time.monotonic() + self._every_seconds

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning leaves out."""
        assert isinstance(pl_module, TaskModule)
        if self._between_epochs:  # the next one counts as begun, which a run that goes on begins itself
            progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
            for counts in (progress["total"], progress["current"]):
                counts["ready"] -= 1
        checkpoint["lab"] = {
            "block": self._block,
            "batch": pl_module.batches_done if self._block else 0,
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "best_weights": {} if self._best_waits else self._best_weights,  # {}: those of the checkpoint itself
            "stopped_early": trainer.should_stop,
            "callback_metrics": dict(trainer.callback_metrics),
            "random": _random_state(),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on where a checkpoint was taken."""
        state = self._loaded = checkpoint["lab"]
        self.best_epoch, self._best_loss = state["best_epoch"], state["best_loss"]
        self._best_weights = state["best_weights"] or checkpoint["state_dict"]
        trainer.should_stop = state["stopped_early"]


def _go_to_block(trainer: Trainer, block: int) -> None:
    """Go to a block of the epoch; Lightning forgets the place where a schedule asked for the number of steps."""
    loader: Any = trainer.train_dataloader
    if hasattr(loader, "load_state_dict"):
        loader.load_state_dict({"epoch": trainer.current_epoch, "block": block})
    elif block:
        raise TrainingFailed(f"{type(loader).__name__} has no load_state_dict, so no training with it can go on")


def _block_follows(trainer: Trainer) -> bool:
    """Whether the next thing to come is another block of the epoch."""
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    at_end = loop._num_ready_batches_reached() or trainer.global_step == trainer.max_steps
    return not (at_end or loop._should_check_val_fx(fetcher))


def _random_state() -> dict[str, Any]:
    """The state of the generators that a network or a data set of somebody's may use."""
    state: Any = np.random.get_state()
    kind, keys, *rest = state
    numpy = (kind, torch.from_numpy(keys.astype(np.int64)), *rest)
    return {"torch": torch.get_rng_state(), "python": random.getstate(), "numpy": numpy}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def load_weights(module: LightningModule, path: Path) -> None:
    """Put the weights of a checkpoint into a module, without unpickling; raises Damaged."""
    module.load_state_dict(checkpoint_files.read(path)["state_dict"])
