"""A loss and a layer of one's own, as ideas in tests/benchmarks/ideas/ name them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class FocalLoss(nn.Module):
    """Cross-entropy, each sample weighted by (1 - p)^gamma of its class (Lin et al. 2017, equation 4)."""

    def __init__(self, gamma: float = 2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Logits (N, classes), classes (N,)."""
        losses = cross_entropy(logits, y, reduction="none")
        return ((1 - torch.exp(-losses)) ** self.gamma * losses).mean()


class Gated(nn.Module):
    """One hidden layer whose units are multiplied by gates (Dauphin et al. 2017)."""

    def __init__(self, in_features: int, out_features: int, hidden: int = 128):
        super().__init__()
        self.units, self.gates = nn.Linear(in_features, hidden), nn.Linear(in_features, hidden)
        self.head = nn.Linear(hidden, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits (N, out_features)."""
        x = x.flatten(1)
        return self.head(self.units(x) * torch.sigmoid(self.gates(x)))
