"""Contrastive learning in the manner of SimCLR: two views of a sample are alike, those of others are not."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torchmetrics.classification import MulticlassAccuracy


class Contrastive(L.LightningModule):
    """Trains `model` without labels; a linear probe on its features, which gets no gradient through, measures them.

    The probe's accuracy says how much the features know of the classes (Chen et al. 2020, arXiv 2002.05709).
    """

    def __init__(self, model: nn.Module, classes: int, out_features: int, temperature: float = 0.2, lr: float = 0.005):
        super().__init__()
        self.model, self.temperature, self.lr = model, temperature, lr
        width = 64
        self.features = nn.Sequential(nn.ReLU(), nn.Linear(out_features, width))
        self.probe = nn.Linear(width, classes)
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the probe, (N, classes)."""
        return self.probe(self.features(self.model(x)).detach())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The contrastive loss of two views of each sample, and the loss of the probe."""
        x, y = batch
        views = self.features(self.model(torch.cat([view(x), view(x)])))
        contrast = nt_xent(views, self.temperature)
        probe = cross_entropy(self(x), y)
        self.log_dict({"train/loss": contrast, "train/probe_loss": probe}, on_step=False, on_epoch=True)
        return contrast + probe

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Measure the probe."""
        self.accuracy(self(batch[0]), batch[1])
        self.log("test/accuracy" if self.trainer.testing else "val/accuracy", self.accuracy)

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def view(x: Tensor) -> Tensor:
    """Signals (N, C, L), shifted in a circle by up to 4 steps, stretched in height, with noise."""
    shift = int(torch.randint(-4, 5, ()))
    return x.roll(shift, -1) * (0.7 + 0.6 * torch.rand(len(x), 1, 1, device=x.device)) + 0.2 * torch.randn_like(x)


def nt_xent(views: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding the other view of each sample, (2N, F), among all others."""
    z = normalize(views, dim=1)
    similarity = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return cross_entropy(similarity, torch.arange(len(z), device=z.device).roll(len(z) // 2))
