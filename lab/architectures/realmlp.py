"""A perceptron for tables, after RealMLP (Holzmüller, Grinsztajn & Steinwart 2024, arXiv 2407.04491)."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.architectures.layers import Activation, activation_layer
from lab.architectures.perceptron import Linear
from lab.config.types import NonNegativeFloat, PositiveInt, Probability

LIMIT = 3.0  # of the inputs of the perceptron, which approach it
COSINES = 16  # of each number
SLOW = 0.1  # how much slower than other parameters those of the cosines learn


class RealMLP(nn.Module):
    """The sum of a linear layer, and of a perceptron in which numbers are embedded.

    The perceptron sees inputs clipped smoothly to ±3; those at the positions `number_columns` (by default all) are
    replaced by `embedding` features each, unless that is 1. Its last layer starts at 0, so that training starts from
    the linear model, as that of `wide_deep` does.
    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: PositiveInt = 64,
        layers: PositiveInt = 3,
        activation: Activation = "relu",
        dropout: Probability = 0.0,
        embedding: PositiveInt = 4,
        frequency: NonNegativeFloat = 0.1,
        number_columns: Sequence[int] | None = None,
    ):
        super().__init__()
        self.wide = Linear(in_features, out_features)
        self.inputs = EmbeddedNumbers(in_features, number_columns, embedding, frequency)
        widths = [self.inputs.width, *[hidden] * layers]
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, out_features)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        x = x.flatten(1)
        hidden = self.inputs(smooth_clip(x))
        for linear in self.linears:
            hidden = self.dropout(self.activation(linear(hidden)))
        return self.wide(x) + self.head(hidden)


def smooth_clip(x: Tensor) -> Tensor:
    """Clip to x / √(1 + (x/3)²): close to x around 0, and never beyond ±3."""
    return x / torch.sqrt(1 + (x / LIMIT).square())


class EmbeddedNumbers(nn.Module):
    """Replaces each number z by z and `embedding` − 1 features, linear in the cosines of 16 learned frequencies.

    The embeddings come first, the other features after them (Gorishniy et al. 2022, arXiv 2203.05556; PBLD of RealMLP).
    Their parameters are multiplied by 0.1, and so learn a tenth as fast as others with Adam, whose steps are as long
    for any gradient.
    Shapes: (N, F) to (N, width).
    """

    numbers: Tensor
    others: Tensor

    def __init__(self, in_features: int, numbers: Sequence[int] | None, embedding: int, frequency: float):
        super().__init__()
        chosen = list(range(in_features) if numbers is None else numbers) if embedding > 1 else []
        others = [index for index in range(in_features) if index not in {*chosen}]
        self.register_buffer("numbers", torch.tensor(chosen, dtype=torch.int64), persistent=False)
        self.register_buffer("others", torch.tensor(others, dtype=torch.int64), persistent=False)
        self.width = len(others) + len(chosen) * embedding
        count, extra = len(chosen), embedding - 1
        if chosen:
            self.frequency = nn.Parameter(torch.randn(count, COSINES) * frequency / SLOW)
            self.phase = nn.Parameter(torch.empty(count, COSINES).uniform_(-math.pi, math.pi) / SLOW)
            bound = COSINES**-0.5 / SLOW
            self.weight = nn.Parameter(torch.empty(count, COSINES, extra).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(count, extra).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, width)."""
        if not len(self.numbers):
            return x
        z = x[:, self.numbers]
        waves = torch.cos(SLOW * (2 * math.pi * z.unsqueeze(2) * self.frequency + self.phase))
        features = SLOW * (torch.einsum("nfk,fke->nfe", waves, self.weight) + self.bias)
        return torch.cat([torch.cat([z.unsqueeze(2), features], dim=2).flatten(1), x[:, self.others]], dim=1)
