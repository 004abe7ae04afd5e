"""How stock Lightning does what the lab does its own way: each stands in for one part of the lab."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks import stock
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric, MetricCollection

from lab.data.loaders import Batch, SeededLoader
from lab.modules.metrics.epoch_scores import EpochScores, as_floats
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.task import TaskModule
from lab.tracking.writing.tracker import Tracker
from lab.training.records import Records


class AutomaticModule(ClassificationModule):
    """Lightning back-propagates, accumulates, clips, and steps optimizer and schedule; a block has one batch."""

    def __init__(self, *arguments: Any, **task: Any):
        super().__init__(*arguments, **task)
        self.automatic_optimization = True

    def training_step(self, block: Batch, batch_idx: int) -> dict[str, Any]:
        self._batch = batch_idx
        self._seed_batch(batch_idx)
        output = self.architecture(block[0])
        loss = self.loss(output, self.loss_target(block))
        self._check_finite([loss.item()], batch_idx)
        self._collect("train", output.detach(), [loss.detach()], block)
        return {"loss": loss}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.gradients.due(self._batch, self._batches):
            self.gradients.sample(self.parameters())

    def on_train_epoch_end(self) -> None:
        self._publish("train")

    def configure_optimizers(self) -> Any:
        return super().configure_optimizers() | {"lr_scheduler": self._schedule}


class LoggingModule(ClassificationModule):
    """Updates and logs loss and metrics with every batch, as Lightning's introduction does."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.logged = nn.ModuleDict({f"{split}_metrics": self.new_metrics() for split in ("train", "val", "test")})

    def _collect(self, split: str, outputs: Tensor, losses: list[Tensor], block: Batch) -> dict[str, Tensor]:
        scored = self.scored(outputs, block)
        sizes = [float(len(part)) for part in block[1].split(self.stepping.batch_size)]
        metrics = self.logged[f"{split}_metrics"]
        assert isinstance(metrics, MetricCollection)
        named = {f"{split}/{name}": metric for name, metric in metrics.items()}
        for loss, size, batch in zip(losses, sizes, _batches_of(scored, sizes), strict=True):
            metrics.update(**batch)
            values = {f"{split}/loss": loss, **named}
            self.log_dict(values, on_step=False, on_epoch=True, logger=False, batch_size=int(size))
        return scored

    def _publish(self, split: str) -> None:
        values = self.trainer.callback_metrics
        self._published |= {name: float(value) for name, value in values.items() if name.startswith(f"{split}/")}


class UpdatedScores(EpochScores):
    """Updates the metrics, and a mean of the loss, with every batch."""

    def __init__(self, metrics: MetricCollection):
        super().__init__(metrics)
        self.loss = MeanMetric()

    def add(self, losses: list[Tensor], weights: list[float], scored: dict[str, Tensor]) -> None:
        self._samples += len(scored["target"])
        for loss, weight, batch in zip(losses, weights, _batches_of(scored, weights), strict=True):
            self.loss.update(loss, weight)
            self.metrics.update(**batch)

    def compute(self) -> dict[str, float]:
        values = {"loss": float(self.loss.compute()), **as_floats(self.metrics.compute())}
        self.samples = self._samples
        self.loss.reset()
        self.metrics.reset()
        self._clear()
        return values


def _batches_of(scored: dict[str, Tensor], sizes: Sequence[float]) -> list[dict[str, Tensor]]:
    """What the metrics take of each batch of a block, whose sizes are the weights of its losses."""
    parts = zip(*(values.split([int(size) for size in sizes]) for values in scored.values()), strict=True)
    return [dict(zip(scored, part, strict=True)) for part in parts]


class CollatingLoader(SeededLoader):
    """A DataLoader, which collates single samples, over the same order in the same blocks."""

    def fetch(self, blocks: list[Tensor]) -> Any:
        return iter(DataLoader(self.dataset, batch_sampler=[block.tolist() for block in blocks]))


def seed(module: TaskModule, batch: int) -> None:
    """Seed all generators for a batch."""
    if batch == 0:
        module._seed_epoch()
    torch.manual_seed(module._epoch_seed + batch)


def seed_once(module: TaskModule, batch: int) -> None:
    """Seed for an epoch, with its first batch."""
    if batch == 0:
        module._seed_epoch()
        torch.default_generator.manual_seed(module._epoch_seed)


def checked_at_once(module_class: type[TaskModule]) -> Callable[[TaskModule, Tensor, int], bool]:
    """The class's `_learn`, which first looks whether the loss is finite."""
    learn, check = module_class._learn, module_class._check_finite

    def checked(module: TaskModule, loss: Tensor, batch: int) -> bool:
        check(module, [loss.item()], batch)
        return learn(module, loss, batch)

    return checked


def model_checkpoint(folder: Path, *_: Any) -> ModelCheckpoint:
    """Best and last, as Lightning keeps them."""
    return ModelCheckpoint(folder, "best", monitor="val/loss", save_last=True)


def state_of_records(records: Records) -> dict[str, Any]:
    """What a checkpoint keeps of the records, number by number."""
    return {"history": records.history, "best": records.best, "seconds": 0.0}


def mlflow_logger(tracker: Tracker) -> MLFlowLogger:
    """Lightning's logger, which writes to the store itself."""
    return stock.logger()
