"""What goes on inside a network: how large its gradients are, and which units never fire."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lab.data.loaders import Batch

SAMPLES_PER_EPOCH = 8  # each costs about as much as a small layer
RECTIFIERS = (nn.ReLU, nn.LeakyReLU)


class GradientSamples:
    """Norms of all gradients, and ratios of the first layer's norm to the last's, since they were last taken."""

    def __init__(self) -> None:
        self._norms: list[Tensor] = []
        self._ratios: list[Tensor] = []

    def due(self, batch: int, batches: int) -> bool:
        """Whether the next sample is due at a batch (from 0) of an epoch of so many."""
        return batch // math.ceil(batches / SAMPLES_PER_EPOCH) >= len(self._norms)

    def sample(self, *networks: Iterable[nn.Parameter]) -> None:
        """Look at the gradients as they are now; of several networks the means."""
        norms, ratios = zip(*map(_norm_and_ratio, networks), strict=True)
        self._norms.append(torch.stack(norms).mean())
        self._ratios.append(torch.stack(ratios).mean())

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


def _norm_and_ratio(parameters: Iterable[nn.Parameter]) -> tuple[Tensor, Tensor]:
    gradients = [p.grad for p in parameters if p.grad is not None]
    weights = [gradient for gradient in gradients if gradient.dim() > 1] or gradients
    return nn.utils.get_total_norm(gradients).detach(), (weights[0].norm() / weights[-1].norm()).detach()


@torch.no_grad()
def dead_fraction(network: nn.Module, batches: Iterable[Batch]) -> float | None:
    """The share of rectified units whose input is negative for every sample; None without such units.

    A dead ReLU unit has no gradient and never comes back (Lu et al. 2019, arXiv 1903.06733); a leaky one does.
    """
    fired: list[list[Tensor]] = []  # for each batch, one mask for each call of a rectifier, in their order

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        fired[-1].append((output > 0).transpose(0, 1).flatten(1).any(1))

    rectifiers = [module for module in network.modules() if isinstance(module, RECTIFIERS)]
    if not rectifiers:
        return None
    hooks = [module.register_forward_hook(note) for module in rectifiers]
    network.eval()
    try:
        for samples, *_ in batches:
            fired.append([])
            network(samples)
    finally:
        for hook in hooks:
            hook.remove()
    alive = torch.cat([torch.stack(masks).any(0) for masks in zip(*fired, strict=True)])
    return 1 - float(alive.double().mean())
