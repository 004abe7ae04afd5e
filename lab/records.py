"""What is recorded while a run trains: metrics of every epoch, of steps where asked, and the best of each."""

import json
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from lab.modules.task import TaskModule


class Records(Checkpoint):
    """Records an epoch's metrics, learning rate, gradient norm, duration and speed, with the epoch as step.

    Where `trainer.log_every_n_steps` asks for it, the loss of single steps as well, as `train/loss_step`.

    A Checkpoint, since Lightning calls those after the module has published the epoch's metrics.
    """

    def __init__(self, directions: dict[str, bool], every_n_steps: int = 0):
        self._every_n_steps = every_n_steps
        self._directions = directions  # metric without its split, and whether higher is better
        self._seconds_before = 0.0  # of an epoch that began before a checkpoint
        self.history: list[dict[str, float]] = []  # one entry an epoch
        self.best: dict[str, tuple[float, int]] = {}  # metric to its best value and that epoch, from 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of an epoch that began before a checkpoint."""
        self._began = time.perf_counter() - self._seconds_before
        self._seconds_before = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the losses of single steps, if asked for."""
        if self._every_n_steps:
            for step, loss in outputs["step_losses"].items():
                if step % self._every_n_steps == 0:
                    for logger in trainer.loggers:
                        logger.log_metrics({"train/loss_step": loss}, step=step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch."""
        assert isinstance(pl_module, TaskModule)
        seconds = time.perf_counter() - self._began
        values = pl_module.take_published() | {
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            **pl_module.gradients.take(),
            "seconds_per_epoch": seconds,
            "samples_per_second": pl_module.scores["train"].samples / seconds,
        }
        epoch = trainer.current_epoch + 1
        self.history.append({"epoch": epoch, **values})
        self._note_best(values, epoch)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=epoch)

    def _note_best(self, values: dict[str, float], epoch: int) -> None:
        for metric, value in values.items():
            higher_is_better = self._directions.get(metric.partition("/")[2])
            if higher_is_better is not None:
                sign = 1 if higher_is_better else -1
                if metric not in self.best or sign * value > sign * self.best[metric][0]:
                    self.best[metric] = (value, epoch)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; as one text, since pickle takes its time over every single number."""
        seconds = time.perf_counter() - self._began
        return {"history": json.dumps(self.history), "best": self.best, "seconds": seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history = json.loads(state_dict["history"])
        self.best = state_dict["best"]
        self._seconds_before = state_dict["seconds"]
