"""LightningModules as users write them, and experiments that name them."""

import sys
from pathlib import Path

import pytest

MODULES = """
import lightning as L
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from lab.modules.optimizers import adamw


class Standard(L.LightningModule):
    '''What the lab does by itself, written out.'''

    def __init__(self, model: nn.Module, classes: int, lr: float = 0.01):
        super().__init__()
        self.model, self.lr = model, lr
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        outputs = self(batch[0])
        self.accuracy(outputs, batch[1])
        self.log("val_loss", nn.functional.cross_entropy(outputs, batch[1]))
        self.log("val_acc", self.accuracy)

    def configure_optimizers(self):
        return adamw(self.parameters(), lr=self.lr)


class Logs(Standard):
    '''Logs in every way that Lightning has, draws random numbers, and has a schedule for each step.'''

    def __init__(self, model: nn.Module, classes: int):
        super().__init__(model, classes)
        self.seen = MulticlassAccuracy(classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        outputs = self(x + 0.1 * torch.randn_like(x))
        loss = nn.functional.cross_entropy(outputs, y)
        self.seen(outputs, y)
        self.log("seen", self.seen, on_step=False, on_epoch=True)
        self.log("both", loss, on_step=True, on_epoch=True)
        self.log("epoch_only", loss, on_step=False, on_epoch=True)
        self.log("step_only", loss)
        self.log("largest", loss, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("total", loss, on_step=False, on_epoch=True, reduce_fx="sum")
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, self.trainer.estimated_stepping_batches)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class Manual(Standard):
    '''Accumulates over two batches by itself.'''

    def __init__(self, model: nn.Module, classes: int):
        super().__init__(model, classes)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss / 2)
        if batch_idx % 2:
            self.optimizers().step()
            self.optimizers().zero_grad()
        self.log("train_loss", loss)


class Two(Manual):
    '''Two optimizers in turn, each with a rate of its own.'''

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()[batch_idx % 2]
        optimizer.zero_grad()
        self.manual_backward(nn.functional.cross_entropy(self(batch[0]), batch[1]))
        optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(self.parameters(), lr=rate) for rate in (0.1, 0.2)]
"""
FILE = """
data: {kind: digits, batch_size: 256}
model: {kind: mlp, hidden: 16, layers: 1, dropout: 0.2}
module: {kind: "KIND"}
trainer: {max_epochs: 3}
"""


def write_own_modules(workplace: Path) -> None:
    """The modules in own.py, and an experiment for each."""
    (workplace / "own.py").write_text(MODULES)
    for kind in ("Standard", "Logs", "Manual", "Two"):
        (workplace / "experiments" / f"{kind.lower()}.yaml").write_text(FILE.replace("KIND", f"own:{kind}"))


def write_mistake(workplace: Path, monkeypatch: pytest.MonkeyPatch, body: str, more: str = "") -> None:
    """The experiment `mistake`, whose module derives from Standard; `more` are further sections."""
    monkeypatch.delitem(sys.modules, "mistakes", raising=False)
    (workplace / "mistakes.py").write_text(f"{MODULES}\n\nclass Mistake(Standard):\n{body}\n")
    file = FILE.replace("KIND", "mistakes:Mistake") + more
    (workplace / "experiments" / "mistake.yaml").write_text(file)
