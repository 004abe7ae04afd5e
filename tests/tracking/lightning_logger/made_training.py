"""A small training, as somebody who knows nothing of the lab would write it."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Line(L.LightningModule):
    """Fits a line; logs per step and per epoch, also what is not finite."""

    def __init__(self, lr: float = 0.1, net: dict[str, Any] | None = None, activation: Any = nn.ReLU) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("val_loss", loss)
        self.log("val/wonder", 10 - loss)
        self.log("val/nothing", float("nan"))

    def test_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        self.log("test_loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


def loader() -> DataLoader[tuple[Tensor, ...]]:
    x = torch.linspace(-1, 1, 48).unsqueeze(1)
    return DataLoader(TensorDataset(x, 3 * x - 1), batch_size=8)


def trainer(logger: Any, epochs: int = 2, **changed: Any) -> L.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return L.Trainer(logger=logger, max_epochs=epochs, log_every_n_steps=2, **quiet, **changed)
