"""Convolutional networks for sequences and images."""

from torch import Tensor, nn

from lab.architectures.layers import Activation, Norm, activation_layer, norm_layer
from lab.config.types import NonNegativeFloat, PositiveInt, Probability


class _ConvNet(nn.Module):
    """Blocks of convolution, norm, activation and dropout; every second block halves the resolution."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_features: int,
        channels: int,
        layers: int,
        kernel_size: int,
        activation: Activation,
        negative_slope: float,
        dropout: float,
        norm: Norm,
    ):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"model.kernel_size must be odd, not {kernel_size}")
        convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv1d
        pool = nn.AdaptiveAvgPool2d if spatial_dims == 2 else nn.AdaptiveAvgPool1d
        blocks: list[nn.Module] = []
        for index in range(layers):
            blocks += [
                convolution(
                    in_channels if index == 0 else channels,
                    channels,
                    kernel_size,
                    stride=1 + index % 2,
                    padding=kernel_size // 2,
                ),
                norm_layer(norm, channels, spatial_dims),
                activation_layer(activation, negative_slope),
                nn.Dropout(dropout),
            ]
        self.features = nn.Sequential(*blocks)
        self.pool = pool(1)
        self.head = nn.Linear(channels, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) or (N, C, H, W) to logits or values (N, out_features)."""
        return self.head(self.pool(self.features(x)).flatten(1))


class Conv1dNet(_ConvNet):
    """Convolutions along a sequence, averaged over its length.

    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    input_shape = ("N", "C", "L")

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        channels: PositiveInt = 64,
        layers: PositiveInt = 4,
        kernel_size: PositiveInt = 5,
        activation: Activation = "relu",
        negative_slope: NonNegativeFloat = 0.01,
        dropout: Probability = 0.0,
        norm: Norm = "batch",
    ):
        super().__init__(
            1,
            in_channels,
            out_features,
            channels,
            layers,
            kernel_size,
            activation,
            negative_slope,
            dropout,
            norm,
        )


class Conv2dNet(_ConvNet):
    """Convolutions over an image, averaged over its area.

    Shapes: (N, in_channels, H, W) to (N, out_features), for any H and W.
    """

    input_shape = ("N", "C", "H", "W")

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        channels: PositiveInt = 32,
        layers: PositiveInt = 4,
        kernel_size: PositiveInt = 3,
        activation: Activation = "relu",
        negative_slope: NonNegativeFloat = 0.01,
        dropout: Probability = 0.0,
        norm: Norm = "batch",
    ):
        super().__init__(
            2,
            in_channels,
            out_features,
            channels,
            layers,
            kernel_size,
            activation,
            negative_slope,
            dropout,
            norm,
        )
