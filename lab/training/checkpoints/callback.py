"""When the state of a run is saved, and what Lightning's own checkpoints leave out of it."""

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
from lab.modules.training_step import BlockModule
from lab.training.checkpoints import files as checkpoint_files
from lab.training.checkpoints.best_epoch import BestEpoch
from lab.training.own_modules import lightning_internals
from lab.training.records import Records

PATIENCE = 3.0  # seconds that a signal waits for the end of a validation


class BestAndLast(Checkpoint):
    """Saves `best.ckpt`, of the epoch with the best value of the monitored metric, and `last.ckpt`, the newest state.

    A run can be resumed from either as if it had never stopped: a state is saved only between two consecutive
    optimizer steps, or between two epochs. A signal stops a run at these points too; only a second signal, or a
    long validation, stops it elsewhere: then it is resumed from the state saved before.
    """

    def __init__(self, folder: Path, every_seconds: float, best: BestEpoch, records: Records):
        self.best = folder / "best.ckpt"
        self.last = folder / "last.ckpt"
        self._every_seconds = every_seconds
        self._best = best
        self._records = records
        self._best_weights: dict[str, Tensor] = {}
        self._best_pending = False  # until the end of its epoch
        self._best_saved = False
        self._between_epochs = False
        self._block = 0  # finished blocks of batches in the epoch whose state is saved
        self._due = 0.0
        self._loaded: dict[str, Any] = {}

    @property
    def best_epoch(self) -> int:
        """The best epoch so far, counted from 1; 0 before the first."""
        return self._best.epoch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Continue with the batch, the metrics and the random state of a checkpoint."""
        signals.reinstall_handlers()
        if self._loaded:
            _go_to_block(trainer, self._loaded["block"])
            trainer.callback_metrics.update(self._loaded["callback_metrics"])
            set_random_state(self._loaded["random"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the state between two epochs: after a best epoch, and when it is due."""
        self._between_epochs = True
        if self._best_pending:
            self._save_best(trainer)
        elif self._is_due():
            self._save_last(trainer)
        self._between_epochs = False
        signals.safe_point()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save the state between two steps, when it is due."""
        if self._is_due() and self._records.observer.between_steps and lightning_internals.batch_follows(trainer):
            # Else it is resumed between two epochs alone, as on several devices, each of which has collected a part.
            if trainer.world_size == 1 and hasattr(trainer.train_dataloader, "load_state_dict"):
                self._save_last(trainer, batch_idx + 1)
            signals.safe_point()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Stop in a long validation if a signal came."""
        signals.safe_point(PATIENCE)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers again: Lightning replaces them."""
        signals.reinstall_handlers()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Stop in a test if a signal came: the end of the training is saved."""
        signals.safe_point()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the epoch if it is the best so far; Lightning calls this after the records'."""
        if self._best.update(trainer.current_epoch + 1, self._records.history[-1]):
            self._remember_best(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end, which is also the best epoch where none had a finite value."""
        if not self._best.found:
            self._remember_best(pl_module)
        if self._best_pending:
            self._save_best(trainer)
        elif not self._best_saved and trainer.is_global_zero:  # in this process: an earlier one has saved it
            checkpoint_files.write({"epoch": self.best_epoch, "state_dict": self._best_weights}, self.best)
        self._save_last(trainer)

    def restore_best(self, module: LightningModule) -> None:
        """Load the weights of the best epoch into the module."""
        module.load_state_dict(self._best_weights)

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due or signals.stop_requested()

    def _remember_best(self, module: LightningModule) -> None:
        self._best_weights = evaluated_weights(module)
        self._best_pending = True

    def _save_best(self, trainer: Trainer) -> None:
        self._block = 0
        trainer.save_checkpoint(self.best)
        self._best_pending, self._best_saved = False, True

    def _save_last(self, trainer: Trainer, block: int = 0) -> None:
        self._block = block
        trainer.save_checkpoint(self.last)
        self._due = time.monotonic() + self._every_seconds

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning leaves out of a checkpoint."""
        if self._between_epochs:
            lightning_internals.mark_epoch_as_not_begun(checkpoint)
        checkpoint["lab"] = {
            "block": self._block,
            "batch": self._records.observer.batches_done if self._block else 0,
            "best_epoch": self.best_epoch,
            "best_value": self._best.value,
            "best_weights": {} if self._best_pending else self._best_weights,  # {}: those of the checkpoint itself
            "stopped_early": trainer.should_stop,
            "callback_metrics": dict(trainer.callback_metrics),
            "random": random_state(),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Continue where the checkpoint was saved."""
        state = self._loaded = checkpoint["lab"]
        self._best.epoch = state["best_epoch"]
        self._best.value = state.get("best_value", state.get("best_loss", math.nan))  # version 0.3 monitored the loss
        self._best_weights = state["best_weights"] or checkpoint["state_dict"]
        trainer.should_stop = state["stopped_early"]


def _go_to_block(trainer: Trainer, block: int) -> None:
    """Continue with this block of the epoch: Lightning forgets it when a schedule asks for the number of steps."""
    loader: Any = trainer.train_dataloader
    if hasattr(loader, "load_state_dict"):
        loader.load_state_dict({"epoch": trainer.current_epoch, "block": block})
    elif block:
        raise TrainingFailed(f"{type(loader).__name__} has no load_state_dict, so a training with it cannot be resumed")


def random_state() -> dict[str, Any]:
    """The state of the global generators, which user code may use."""
    state: Any = np.random.get_state()
    kind, keys, *rest = state
    numpy = (kind, torch.from_numpy(keys.astype(np.int64)), *rest)
    return {"torch": torch.get_rng_state(), "python": random.getstate(), "numpy": numpy}


def set_random_state(state: dict[str, Any]) -> None:
    """Go on with what `random_state` gave."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def evaluated_weights(module: LightningModule) -> dict[str, Tensor]:
    """A copy of the weights that are validated: averaged ones, where there are any."""
    weights = module.evaluated_weights() if isinstance(module, BlockModule) else module.state_dict()
    return {name: value.clone() for name, value in weights.items()}


def load_weights(module: LightningModule, path: Path) -> None:
    """Load the weights of a checkpoint into a module, without unpickling; raises Damaged."""
    module.load_state_dict(checkpoint_files.read(path)["state_dict"])
