"""Fully connected networks: the linear baseline, the multilayer perceptron in two styles, wide and deep."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from lab.architectures.layers import Activation, Norm, activation_layer, norm_layer
from lab.config.types import NonNegativeFloat, PositiveInt, Probability

MakeLayer = Callable[[], nn.Module]


class Linear(nn.Module):
    """One linear layer: the baseline that every other architecture must beat.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.head = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        return self.head(x.flatten(1))


class _Perceptron(nn.Module):
    """The constructor of a multilayer perceptron; a subclass says how the layers are put together."""

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
        self._assemble(
            [nn.Linear(hidden if index else in_features, hidden) for index in range(layers)],
            [norm_layer(norm, hidden) for _ in range(layers)],
            partial(activation_layer, activation, negative_slope),
            partial(nn.Dropout, dropout),
        )
        self.head = nn.Linear(hidden, out_features)

    def _assemble(
        self, linears: list[nn.Linear], norms: list[nn.Module], activation: MakeLayer, dropout: MakeLayer
    ) -> None:
        raise NotImplementedError


class MLP(_Perceptron):
    """Multilayer perceptron as a subclass of nn.Module: `layers` hidden layers of `hidden` units.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def _assemble(
        self, linears: list[nn.Linear], norms: list[nn.Module], activation: MakeLayer, dropout: MakeLayer
    ) -> None:
        self.linears = nn.ModuleList(linears)
        self.norms = nn.ModuleList(norms)
        self.activation = activation()
        self.dropout = dropout()

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to logits or values (N, out_features)."""
        x = x.flatten(1)
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = self.dropout(self.activation(norm(linear(x))))
        return self.head(x)


class SequentialMLP(_Perceptron, nn.Sequential):
    """The same perceptron as `MLP`, built from nn.Sequential: same weights, same outputs.

    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
    """

    def _assemble(
        self, linears: list[nn.Linear], norms: list[nn.Module], activation: MakeLayer, dropout: MakeLayer
    ) -> None:
        self.flatten = nn.Flatten()
        for number, (linear, norm) in enumerate(zip(linears, norms, strict=True), start=1):
            self.add_module(f"layer{number}", nn.Sequential(linear, norm, activation(), dropout()))


class WideAndDeep(nn.Module):
    """The sum of a linear layer and a perceptron (Cheng et al. 2016, arXiv 1606.07792).

    The last layer of the perceptron is initialised to 0, so that training starts from the linear model.
    Shapes: (N, ...) with `in_features` values a sample, to (N, out_features).
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
