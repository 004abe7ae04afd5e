"""Checkpoints that are written whole or not at all, and read without running anybody's code."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from lab.errors import Stopped


class WholeFileIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written beside their place and renamed into it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint; raises OSError where the disk is full, and the older file stays."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        with fresh.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                disk = error.__context__
                if isinstance(disk, OSError):  # torch then complains of the file that it could not finish
                    raise OSError(disk.errno, disk.strerror, str(fresh)) from None
                raise
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)


class BestAndLast(Checkpoint):
    """Keeps `best.ckpt`, of the epoch with the lowest validation loss, and `last.ckpt`, of the last epoch."""

    def __init__(self, folder: Path):
        self.best = folder / "best.ckpt"
        self.last = folder / "last.ckpt"
        self.best_loss = float("inf")
        self.best_epoch = 0  # counted from 1; 0 before the first

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the epoch if it is the best so far."""
        loss = float(trainer.callback_metrics.get("val/loss", float("nan")))
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch + 1
            trainer.save_checkpoint(self.best)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep the state that a run was stopped in, unless its weights may be what stopped it."""
        if isinstance(exception, Stopped) and trainer.state.fn == TrainerFn.FITTING:
            trainer.save_checkpoint(self.last)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the last epoch, which is also the best one where no validation loss was a number."""
        trainer.save_checkpoint(self.last)
        if not self.best.exists():
            self.best_epoch = trainer.current_epoch
            trainer.save_checkpoint(self.best)


def load_weights(module: LightningModule, path: Path) -> None:
    """Put the weights of a checkpoint into a module, without unpickling."""
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
