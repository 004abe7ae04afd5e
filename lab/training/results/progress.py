"""The progress bar of a run."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lab.display import output

REFRESH_SECONDS = 0.2


class ProgressBar(Callback):
    """Shows epoch, loss and time left; refreshed a few times a second, so that it costs short steps nothing."""

    def __init__(self, console: Console):
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
        )
        self._screen = output.screen(console)
        self._next_refresh = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        self._task = self._progress.add_task("train", total=trainer.max_epochs, values="")
        self._screen.show(self._progress.get_renderable())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the loss of the batch, if a refresh is due."""
        if time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + REFRESH_SECONDS
            done = trainer.current_epoch + (batch_idx + 1) / max(int(trainer.num_training_batches), 1)
            loss = outputs.get("loss") if isinstance(outputs, Mapping) else None  # manual optimization may give none
            self._show(trainer, done, "" if loss is None else f"loss {float(loss.detach()):.4f}")

    def _show(self, trainer: Trainer, epochs: float, values: str) -> None:
        validation = trainer.callback_metrics.get("val/loss")
        if isinstance(validation, torch.Tensor):
            values += f"  val/loss {float(validation):.4f}"
        self._progress.update(self._task, completed=int(epochs * 100) / 100, values=values)
        self._screen.show(self._progress.get_renderable())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar."""
        self._screen.clear()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove the bar, so that messages are printed below it."""
        self._screen.clear()
