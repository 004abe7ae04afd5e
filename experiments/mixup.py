"""Mixup: a network is trained on mixtures of two samples and of their labels (Zhang et al. 2018, arXiv 1710.09412)."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassAccuracy


class Mixup(L.LightningModule):
    """Trains `model` on mixed samples; the share of the first is drawn from Beta(alpha, alpha), 0 mixes nothing."""

    def __init__(
        self, model: nn.Module, classes: int, alpha: float = 0.2, lr: float = 0.003, weight_decay: float = 0.01
    ):
        super().__init__()
        self.model, self.alpha, self.lr, self.weight_decay = model, alpha, lr, weight_decay
        self.accuracies = nn.ModuleDict(
            {split: MulticlassAccuracy(classes, average="micro") for split in ("val", "test")}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.model(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch that is mixed with itself in another order."""
        x, y = batch
        share = float(torch.distributions.Beta(self.alpha, self.alpha).sample()) if self.alpha else 1.0
        other = torch.randperm(len(x), device=x.device)
        logits = self(share * x + (1 - share) * x[other])
        loss = share * cross_entropy(logits, y) + (1 - share) * cross_entropy(logits, y[other])
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Measure unmixed samples."""
        self.measure("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Measure unmixed samples."""
        self.measure("test", batch)

    def measure(self, split: str, batch: tuple[Tensor, Tensor]) -> None:
        """Log loss and accuracy."""
        logits = self(batch[0])
        self.accuracies[split](logits, batch[1])
        self.log_dict({f"{split}/loss": cross_entropy(logits, batch[1]), f"{split}/accuracy": self.accuracies[split]})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
