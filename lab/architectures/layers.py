"""What the architectures share: activation and normalisation by name, and what stands in front of a network."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu"]
Norm = Literal["none", "batch", "layer"]
FURTHEST = 10.0  # standard deviations from the mean; what lies beyond is a slip more often than a measurement


def activation_layer(name: Activation, negative_slope: float = 0.01) -> nn.Module:
    """The activation of that name; `negative_slope` is that of leaky_relu."""
    if name == "leaky_relu":
        return nn.LeakyReLU(negative_slope)
    return {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "gelu": nn.GELU}[name]()


class ChannelsLast(nn.Module):
    """Apply a layer for (N, ..., C) to features whose channels are the second dimension, (N, C, ...)."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to (N, C, ...)."""
        return self.layer(x.movedim(1, -1)).movedim(-1, 1)


def norm_layer(name: Norm, channels: int, spatial_dims: int = 0) -> nn.Module:
    """Normalisation of features (N, C), (N, C, L) or (N, C, H, W), for 0, 1 or 2 spatial dimensions.

    Batch norm: Ioffe & Szegedy 2015 (arXiv 1502.03167); layer norm, over the channels of each position:
    Ba et al. 2016 (arXiv 1607.06450).
    """
    if name == "batch":
        return (nn.BatchNorm2d if spatial_dims == 2 else nn.BatchNorm1d)(channels)
    if name == "layer":
        layer = nn.LayerNorm(channels)
        return ChannelsLast(layer) if spatial_dims else layer
    return nn.Identity()


class Embedded(nn.Module):
    """Replaces columns that hold the number of a value by an embedding (Guo & Berkhahn 2016, arXiv 1604.06737).

    `embedded` has the place of each such column and how many values are known; the number after the last stands
    for every unknown value, and gets the mean of the known embeddings. Other columns come first, cut at ±10.
    Shapes: (N, columns) to what `architecture` makes of (N, width).
    """

    plain: Tensor

    def __init__(self, architecture: nn.Module, columns: int, embedded: Mapping[int, int]):
        super().__init__()
        plain = [place for place in range(columns) if place not in embedded]
        self.register_buffer("plain", torch.tensor(plain, dtype=torch.int64), persistent=False)
        self.places = list(embedded)
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.randn(values, embedding_width(values)) / embedding_width(values) ** 0.5)
            for values in embedded.values()
        )
        self.architecture = architecture

    @staticmethod
    def width(columns: int, embedded: Mapping[int, int]) -> int:
        """The number of features that the architecture gets."""
        return columns - len(embedded) + sum(map(embedding_width, embedded.values()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, columns) to logits or values (N, out_features)."""
        parts = [x[:, self.plain].clamp(-FURTHEST, FURTHEST)]
        for place, known in zip(self.places, self.embeddings, strict=True):
            with_unknown = torch.cat([known, known.mean(0, keepdim=True)])
            parts.append(with_unknown[x[:, place].long()])
        return self.architecture(torch.cat(parts, dim=1))


def embedding_width(values: int) -> int:
    """How many numbers stand for one of so many values: about 1.6 · values^0.56, as fastai does, 50 at most."""
    return min(50, round(1.6 * values**0.56))


class FromLastValue(nn.Module):
    """Subtracts the last value of each target from its window, and adds it to what the architecture returns.

    So an output of zero is the last-value forecast, and a level that was never seen in training is none to the
    architecture (Zeng et al. 2023, arXiv 2205.13504, call it NLinear). Channels behind the targets stay.
    Shapes: (N, C, window) to (N, targets · horizon).
    """

    def __init__(self, architecture: nn.Module, targets: int, horizon: int):
        super().__init__()
        self.architecture = architecture
        self.targets = targets
        self.horizon = horizon

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, window) to values (N, targets · horizon)."""
        last = x[:, : self.targets, -1:]
        shift = nn.functional.pad(last, (0, 0, 0, x.shape[1] - self.targets))
        return self.architecture(x - shift) + last.expand(-1, -1, self.horizon).flatten(1)
