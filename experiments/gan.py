"""A generative adversarial network: two networks, two optimizers, one step each a batch (Goodfellow et al. 2014)."""

import lightning as L
import torch
from torch import Tensor, nn


class GAN(L.LightningModule):
    """A generator learns to draw samples that a discriminator takes for real ones."""

    directions = {"energy_distance": "min"}  # between drawn and real samples; the losses say little about the drawings

    def __init__(self, in_features: int, latent: int = 16, hidden: int = 256, lr: float = 0.0002):
        super().__init__()
        self.automatic_optimization = False
        self.latent, self.lr = latent, lr
        self.generator = nn.Sequential(
            nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, in_features)
        )
        layers = nn.Linear(in_features, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2)
        self.discriminator = nn.Sequential(nn.Flatten(), *layers, nn.Linear(hidden, 1))

    def forward(self, x: Tensor) -> Tensor:
        """How real each sample looks, a logit, (N, 1)."""
        return self.discriminator(x)

    def draw(self, count: int) -> Tensor:
        """Drawn samples, (count, in_features)."""
        return self.generator(torch.randn(count, self.latent, device=self.device))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """One step of the discriminator, one of the generator (non-saturating loss)."""
        for optimizer, part in zip(self.optimizers(), (self.discriminator, self.generator), strict=True):
            drawn = self.draw(len(batch[0]))
            if part is self.discriminator:
                loss = (
                    nn.functional.softplus(-self(batch[0])).mean() + nn.functional.softplus(self(drawn.detach())).mean()
                )
            else:
                loss = nn.functional.softplus(-self(drawn)).mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.log("discriminator_loss" if part is self.discriminator else "generator_loss", loss)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Compare drawn samples with those of the batch."""
        self.log("energy_distance", energy_distance(batch[0].flatten(1), self.draw(len(batch[0]))))

    test_step = validation_step

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for each network."""
        parameters = self.discriminator.parameters(), self.generator.parameters()
        return [torch.optim.Adam(each, lr=self.lr, betas=(0.5, 0.999)) for each in parameters]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| of samples (N, F) and (M, F), without bias (Székely & Rizzo 2013)."""
    return 2 * torch.cdist(x, y).mean() - sum(torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y))
