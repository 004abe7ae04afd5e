"""Networks of fully connected layers: the linear baseline and the multilayer perceptron, written twice."""

import itertools
from collections import OrderedDict

from torch import Tensor, nn

from lab.architectures.layers import Activation, Norm, activation_layer, norm_layer
from lab.config.types import NonNegativeFloat, PositiveInt, Probability


class Linear(nn.Module):
    """One linear layer: the baseline that every other architecture has to beat.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.head = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        return self.head(x.flatten(1))


class MLP(nn.Module):
    """Multilayer perceptron as a subclass of nn.Module: `layers` hidden layers of `hidden` units.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: PositiveInt = 128,
        layers: PositiveInt = 2,
        activation: Activation = "relu",
        negative_slope: NonNegativeFloat = 0.01,
        dropout: Probability = 0.0,
        norm: Norm = "none",
    ):
        super().__init__()
        widths = [in_features] + [hidden] * layers
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.norms = nn.ModuleList(norm_layer(norm, hidden) for _ in range(layers))
        self.activation = activation_layer(activation, negative_slope)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        x = x.flatten(1)
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = self.dropout(self.activation(norm(linear(x))))
        return self.head(x)


class SequentialMLP(nn.Sequential):
    """The same perceptron as `MLP`, built from nn.Sequential: same weights, same outputs.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: PositiveInt = 128,
        layers: PositiveInt = 2,
        activation: Activation = "relu",
        negative_slope: NonNegativeFloat = 0.01,
        dropout: Probability = 0.0,
        norm: Norm = "none",
    ):
        widths = [in_features] + [hidden] * layers
        blocks: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for index in range(layers):
            blocks[f"layer{index + 1}"] = nn.Sequential(
                nn.Linear(widths[index], widths[index + 1]),
                norm_layer(norm, hidden),
                activation_layer(activation, negative_slope),
                nn.Dropout(dropout),
            )
        blocks["head"] = nn.Linear(hidden, out_features)
        super().__init__(blocks)


class WideAndDeep(nn.Module):
    """A linear layer and a perceptron side by side, added up (Cheng et al. 2016, arXiv 1606.07792).

    What a linear model can say of a table is learned at once, and the perceptron, whose last layer begins at 0,
    adds the rest. Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: PositiveInt = 128,
        layers: PositiveInt = 2,
        activation: Activation = "relu",
        dropout: Probability = 0.0,
        norm: Norm = "none",
    ):
        super().__init__()
        self.wide = Linear(in_features, out_features)
        self.deep = MLP(in_features, out_features, hidden, layers, activation, dropout=dropout, norm=norm)
        nn.init.zeros_(self.deep.head.weight)
        nn.init.zeros_(self.deep.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        return self.wide(x) + self.deep(x)
