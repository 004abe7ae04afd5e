"""How large the gradients are: samples of an epoch, and what they tell."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

SAMPLES_PER_EPOCH = 8  # each costs about as much as a small layer


class GradientSamples:
    """Norms of all gradients, and ratios of the first layer's norm to the last's, since they were last taken."""

    def __init__(self) -> None:
        self._norms: list[Tensor] = []
        self._ratios: list[Tensor] = []

    def due(self, batch: int, batches: int) -> bool:
        """Whether a batch (from 0) of an epoch of so many is one to sample at."""
        return batch % math.ceil(batches / SAMPLES_PER_EPOCH) == 0

    def sample(self, parameters: Iterable[nn.Parameter]) -> None:
        """Look at the gradients as they are now."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        weights = [gradient for gradient in gradients if gradient.dim() > 1] or gradients
        self._norms.append(nn.utils.get_total_norm(gradients).detach())
        self._ratios.append((weights[0].norm() / weights[-1].norm()).detach())

    def take(self) -> dict[str, float]:
        """Means of what was sampled since the last call: norm, and ratio of first to last layer.

        A ratio far below 1 tells of vanishing gradients (Glorot & Bengio 2010).
        """
        sampled = {"gradient_norm": self._norms, "gradient_ratio": self._ratios}
        self._norms, self._ratios = [], []
        return {name: float(torch.stack(values).mean()) if values else math.nan for name, values in sampled.items()}

    def state_dict(self) -> dict[str, list[Tensor]]:
        """What was sampled, for a checkpoint."""
        return {"gradient_norms": list(self._norms), "gradient_ratios": list(self._ratios)}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a checkpoint."""
        self._norms = [norm.to(device) for norm in state["gradient_norms"]]
        self._ratios = [ratio.to(device) for ratio in state["gradient_ratios"]]
