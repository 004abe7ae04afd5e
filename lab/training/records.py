"""Records of a training: metrics of every epoch, losses of single steps on request, and the loss of every batch."""

import json
import math
import time
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from numpy.typing import NDArray

from lab.modules.observer import Observer
from lab.tracking.writing.tracker import Tracker

LOSS_CHAIN_FILE = "loss_chain.npz"  # 8 bytes a batch, less what compression saves
LOSS_CHAIN_TAG = "lab.loss_chain"  # the last link


class Records(Checkpoint):
    """Records an epoch's metrics, learning rate, gradient norm, duration and speed, with the epoch as step.

    The learning rate is that of the last optimizer step of the epoch; the speed is that of training, while the
    duration includes validation.

    With `trainer.log_every_n_steps` also the loss of single steps, as `train/loss_step`.

    It is a Checkpoint because Lightning calls those last, after the module has published the epoch's metrics.
    """

    def __init__(self, observer: Observer, every_n_steps: int = 0):
        self.observer = observer
        self._every_n_steps = every_n_steps
        self._seconds_before = 0.0  # of an epoch that a checkpoint interrupted
        self._validation_seconds = 0.0  # of the epoch
        self.history: list[dict[str, float]] = []  # one entry an epoch
        self.best: dict[str, tuple[float, int]] = {}  # metric to its best value and that epoch, from 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()
        self._validation_seconds = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of an epoch that a checkpoint interrupted."""
        self._started = time.perf_counter() - self._seconds_before
        self._seconds_before = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the values of single steps, if requested."""
        if self._every_n_steps:
            for step, values in self.observer.steps(outputs).items():
                if step % self._every_n_steps == 0:
                    for logger in trainer.loggers:
                        logger.log_metrics(values, step=step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of a validation."""
        self._validation_started = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of a validation."""
        self._validation_seconds += time.perf_counter() - self._validation_started

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch."""
        seconds = time.perf_counter() - self._started
        samples = self.observer.samples
        values = self.observer.take_published() | {
            **self.observer.take_measured(),
            "seconds_per_epoch": seconds,
            "samples_per_second": samples / (seconds - self._validation_seconds),
        }
        epoch = trainer.current_epoch + 1
        self.history.append({"epoch": epoch, **values})
        self._note_best(values, epoch)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=epoch)

    def _note_best(self, values: dict[str, float], epoch: int) -> None:
        directions = self.observer.directions()
        for metric, value in values.items():
            higher_is_better = directions.get(metric.partition("/")[2])
            if higher_is_better is not None and not math.isnan(value):
                sign = 1 if higher_is_better else -1
                if metric not in self.best or sign * value > sign * self.best[metric][0]:
                    self.best[metric] = (value, epoch)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint; the history as one JSON text, since pickling each number is slow."""
        seconds = time.perf_counter() - self._started
        return {"history": json.dumps(self.history), "best": self.best, "seconds": seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.history = json.loads(state_dict["history"])
        self.best = state_dict["best"]
        self._seconds_before = state_dict["seconds"]


@dataclass(frozen=True)
class LossChain:
    """Links (batches,): CRC-32 of the loss in double precision and the previous link; losses (batches,) in single.

    Two runs whose links at a batch are equal had equal losses up to that batch, to the last bit.
    """

    links: NDArray[np.uint32]
    losses: NDArray[np.float32]

    def first_difference(self, other: "LossChain") -> int | None:
        """The first batch (from 0) at which two chains differ or one ends; None where they are equal."""
        both = min(len(self.links), len(other.links))
        differ = np.flatnonzero(self.links[:both] != other.links[:both])
        if len(differ):
            return int(differ[0])
        return None if len(self.links) == len(other.links) else both


def loss_chain_of(losses: Iterable[float]) -> LossChain:
    """The chain of the losses of all batches."""
    doubles = np.asarray(array("d", losses))
    links = np.empty(len(doubles), np.uint32)
    link = 0
    for batch, loss in enumerate(doubles):
        links[batch] = link = zlib.crc32(loss.tobytes(), link)
    return LossChain(links, doubles.astype(np.float32))


def keep_loss_chain(losses: Iterable[float], tracker: Tracker) -> None:
    """Save the chain as an artifact of the run."""
    chain = loss_chain_of(losses)
    np.savez_compressed(tracker.path(LOSS_CHAIN_FILE), links=chain.links, losses=chain.losses)
    tracker.artifact(LOSS_CHAIN_FILE)
    if len(chain.links):
        tracker.tags({LOSS_CHAIN_TAG: f"{chain.links[-1]:08x}"})


def read_loss_chain(path: Path) -> LossChain:
    """The chain of a run, from its file."""
    with np.load(path, allow_pickle=False) as kept:
        return LossChain(kept["links"], kept["losses"])
