"""Distillation: a small network learns from the outputs of a trained one (Hinton et al. 2015, arXiv 1503.02531)."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torchmetrics.classification import MulticlassAccuracy

import lab


class Distill(L.LightningModule):
    """Trains `model` on the labels and on the softened outputs of the network of the run `teacher`.

    `weight` is the share of the teacher in the loss; 0 learns from the labels alone. The teacher must have been trained
    on the same data, since it sees the same standardised inputs.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: int,
        teacher: str = "best:conv2d",
        weight: float = 0.7,
        temperature: float = 3.0,
        lr: float = 0.003,
    ):
        super().__init__()
        self.model, self.weight, self.temperature, self.lr = model, weight, temperature, lr
        self.teach = lab.load(teacher).network() if weight else None
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the small network, (N, classes)."""
        return self.model(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy, and the divergence from the teacher, both at the same scale of gradients."""
        logits, t = self(batch[0]), self.temperature
        loss = (1 - self.weight) * cross_entropy(logits, batch[1])
        if self.teach is not None:
            with torch.no_grad():
                taught = softmax(self.teach(batch[0]) / t, dim=1)
            loss = loss + self.weight * t**2 * kl_div(log_softmax(logits / t, dim=1), taught, reduction="batchmean")
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Loss and accuracy on the labels."""
        logits, split = self(batch[0]), "test" if self.trainer.testing else "val"
        self.accuracy(logits, batch[1])
        self.log_dict({f"{split}/loss": cross_entropy(logits, batch[1]), f"{split}/accuracy": self.accuracy})

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, for the small network alone."""
        return torch.optim.AdamW(self.model.parameters(), lr=self.lr)
