"""Several networks of one architecture, each trained by its own loss and all of them evaluated as one.

Lakshminarayanan, Pritzel & Blundell 2017 (arXiv 1612.01474): their probabilities, or values, are averaged. The networks
are computed one after the other: for four of them on one CPU core `torch.func.vmap` over stacked weights took 0.9 to
1.6 times as long.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

Mean = Callable[[Sequence[Tensor]], Tensor]


class Members(nn.Module):
    """Networks that give K outputs in training, and their `mean` in evaluation.

    Of the random numbers of a batch, such as those of dropout, the first one draws those of the network that is trained
    alone, and the others those that follow. Shapes: (N, ...) to a tuple of K outputs (N, ...), or to one of them.
    """

    def __init__(self, networks: Sequence[nn.Module], mean: Mean):
        super().__init__()
        self.members = nn.ModuleList(networks)
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The outputs of each network, or their mean."""
        outputs = tuple(member(x) for member in self.members)
        return outputs if self.training else self.mean(outputs)


def networks_of(network: nn.Module) -> list[nn.Module]:
    """The members, each of which is trained by itself; a single network is its own."""
    return list(network.members) if isinstance(network, Members) else [network]


def as_one(network: nn.Module, outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What a network gives in training, as in evaluation: one output (N, ...) for each sample."""
    return network.mean(outputs) if isinstance(network, Members) and isinstance(outputs, tuple) else outputs  # type: ignore[return-value]


def mean_of_losses(losses: Sequence[Tensor]) -> Tensor:
    """The mean () of the losses (); back-propagated is their sum, so that each network learns as it would alone."""
    each = torch.stack(tuple(losses))
    total = each.sum()
    return each.mean().detach() + (total - total.detach())


def mean_of_classes(outputs: Sequence[Tensor]) -> Tensor:
    """Logits (N, C, ...) of each network to the logarithm of the mean of their softmax, which are logits too."""
    return _stacked(outputs).log_softmax(2).logsumexp(0) - math.log(len(outputs))


def mean_of_yes(outputs: Sequence[Tensor]) -> Tensor:
    """Logits (N, K) of each network, each of a yes or no of its own, to the logit of their mean probability."""
    logits = _stacked(outputs)
    return logsigmoid(logits).logsumexp(0) - logsigmoid(-logits).logsumexp(0)


def mean_of_values(outputs: Sequence[Tensor]) -> Tensor:
    """Values, or quantiles, (N, T) of each network to their mean."""
    return torch.stack(tuple(outputs)).mean(0)


def _stacked(outputs: Sequence[Tensor]) -> Tensor:
    """(K, N, ...), in single precision at least: logarithms of probabilities need more digits than logits."""
    stacked = torch.stack(tuple(outputs))
    return stacked if stacked.dtype == torch.float64 else stacked.float()
