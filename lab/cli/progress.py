"""The progress bar of a run."""

import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN = 0.2


class ProgressBar(Callback):
    """Shows epoch, batch, loss and time left; refreshed by time, so that short steps do not pay for it."""

    def __init__(self, console: Console):
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._due = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        self._task = self._progress.add_task("train", total=trainer.max_epochs, values="")
        self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the loss of the batch, if it is time to."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + SECONDS_BETWEEN
            done = trainer.current_epoch + (batch_idx + 1) / max(int(trainer.num_training_batches), 1)
            self._show(trainer, done, float(outputs["loss"].detach()))

    def _show(self, trainer: Trainer, epochs: float, loss: float) -> None:
        values = f"loss {loss:.4f}"
        validation = trainer.callback_metrics.get("val/loss")
        if isinstance(validation, torch.Tensor):
            values += f"  val/loss {float(validation):.4f}"
        self._progress.update(self._task, completed=int(epochs * 100) / 100, values=values)
        self._progress.refresh()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar, so that what is said next stands below it."""
        self._progress.stop()
