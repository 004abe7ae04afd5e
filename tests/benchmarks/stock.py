"""The scripts that people write with stock parts: Lightning, its MLFlowLogger and ModelCheckpoint, Optuna."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from benchmarks.loops import experiment, parts
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

DATABASE = "stock.db"


class StockModule(L.LightningModule):
    """As in Lightning's own introduction."""

    def __init__(self, network: nn.Module, loss: nn.Module, lr: float = 1e-3, weight_decay: float = 0.01):
        super().__init__()
        self.network = network
        self.loss = loss
        self.lr = lr
        self.weight_decay = weight_decay

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self.network(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, y = batch
        outputs = self.network(x)
        self.log("val_loss", self.loss(outputs, y))
        self.log("val_acc", (outputs.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)


def train(name: str, batch_size: int, epochs: int) -> None:
    """One tracked training, with the same number of threads as the lab."""
    network, loss, train_set, val_set = parts(experiment(name, batch_size, epochs), 1)
    module = StockModule(network, loss)
    fit(module, train_set, val_set, batch_size, epochs, [ModelCheckpoint(monitor="val_loss")])


def fit(
    module: StockModule, train_set, val_set, batch_size: int, epochs: int, callbacks: Sequence[Callback]
) -> L.Trainer:
    """Lightning's usual fit, but for the bar and the summary, which would be printed into the tables."""
    quiet()
    trainer = L.Trainer(
        max_epochs=epochs,
        logger=logger(),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(each, ModelCheckpoint) for each in callbacks),
        accelerator="cpu",
    )
    batches = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    trainer.fit(module, batches, DataLoader(val_set, batch_size=batch_size))
    return trainer


def logger() -> MLFlowLogger:
    """Its default address raises on this MLflow: an SQLite file, as the lab's."""
    return MLFlowLogger("stock", tracking_uri=f"sqlite:///{Path(DATABASE).absolute()}")


def quiet() -> None:
    for part in ("lightning", "lightning.pytorch", "mlflow", "alembic"):
        logging.getLogger(part).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
