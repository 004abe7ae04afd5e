"""An autoencoder: the input is its own target."""

import lightning as L
import torch
from torch import Tensor, nn


class Autoencoder(L.LightningModule):
    """Squeezes flattened samples through `latent` numbers, and restores them.

    Loss: mean squared error, over all values of a sample.
    """

    def __init__(self, in_features: int, latent: int = 8, hidden: int = 128, lr: float = 0.003, noise: float = 0.0):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, in_features))
        self.lr, self.noise = lr, noise

    def forward(self, x: Tensor) -> Tensor:
        """Restored samples, (N, in_features)."""
        return self.decoder(self.encoder(x))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Restore samples from which `noise` has taken something (Vincent et al. 2008)."""
        x, _ = batch
        loss = self.loss(x, self(x + self.noise * torch.randn_like(x)))
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Restore unseen samples."""
        self.log("val_loss", self.loss(batch[0], self(batch[0])))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Restore test samples."""
        self.log("test_loss", self.loss(batch[0], self(batch[0])))

    def loss(self, x: Tensor, restored: Tensor) -> Tensor:
        """Mean squared error."""
        return nn.functional.mse_loss(restored, x.flatten(1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr)
