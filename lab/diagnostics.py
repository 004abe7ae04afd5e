"""What goes on inside a network: units that never fire."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lab.data.batches import Batch

RECTIFIERS = (nn.ReLU, nn.LeakyReLU)


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
        for samples, _ in batches:
            fired.append([])
            network(samples)
    finally:
        for hook in hooks:
            hook.remove()
    alive = torch.cat([torch.stack(masks).any(0) for masks in zip(*fired, strict=True)])
    return 1 - float(alive.double().mean())
