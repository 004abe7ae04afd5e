"""Activation and normalisation layers by name."""

from typing import Literal

from torch import Tensor, nn

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu"]
Norm = Literal["none", "batch", "layer"]


def activation_layer(name: Activation, negative_slope: float = 0.01) -> nn.Module:
    """The activation of that name; `negative_slope` applies to leaky_relu only."""
    if name == "leaky_relu":
        return nn.LeakyReLU(negative_slope)
    return {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "gelu": nn.GELU}[name]()


def norm_layer(name: Norm, channels: int, spatial_dims: int = 0) -> nn.Module:
    """Normalisation of features (N, C), (N, C, L) or (N, C, H, W), for 0, 1 or 2 spatial dimensions.

    Batch norm: Ioffe & Szegedy 2015 (arXiv 1502.03167); layer norm, over the channels at each position:
    Ba et al. 2016 (arXiv 1607.06450).
    """
    if name == "batch":
        return (nn.BatchNorm2d if spatial_dims == 2 else nn.BatchNorm1d)(channels)
    if name == "layer":
        layer = nn.LayerNorm(channels)
        return ChannelsLast(layer) if spatial_dims else layer
    return nn.Identity()


class ChannelsLast(nn.Module):
    """Applies a layer that expects (N, ..., C) to features with channels in the second dimension, (N, C, ...)."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to (N, C, ...)."""
        return self.layer(x.movedim(1, -1)).movedim(-1, 1)
