"""Convolutional networks for sequences and images."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from lab.architectures.layers import Activation, Norm, activation_layer, norm_layer
from lab.architectures.masking import masked, mean_of_real, norm_of_real, strided, without_padding
from lab.config.types import NonNegativeFloat, PositiveInt, Probability


# A dataclass, so that a subclass overrides the default of one argument without repeating the others.
@dataclass(eq=False, repr=False)
class _ConvNet(nn.Module):
    """Blocks of convolution, norm, activation and dropout; every second block halves the resolution."""

    in_channels: int
    out_features: int
    channels: PositiveInt
    layers: PositiveInt = 4
    kernel_size: PositiveInt = 3
    activation: Activation = "relu"
    negative_slope: NonNegativeFloat = 0.01
    dropout: Probability = 0.0
    norm: Norm = "batch"

    input_shape: ClassVar[tuple[str, ...]]
    convolution: ClassVar[type[nn.Conv1d | nn.Conv2d]]
    pooling: ClassVar[type[nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d]]

    def __post_init__(self) -> None:
        super().__init__()
        if self.kernel_size % 2 == 0:
            raise ValueError(f"model.kernel_size must be odd, not {self.kernel_size}")
        self.features = nn.Sequential(*(layer for index in range(self.layers) for layer in self._block(index)))
        self.pool = self.pooling(1)
        self.head = nn.Linear(self.channels, self.out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) or (N, C, H, W) to logits or values (N, out_features)."""
        return self.head(self.pool(self.features(x)).flatten(1))

    def _block(self, index: int) -> list[nn.Module]:
        return [
            self.convolution(
                self.channels if index else self.in_channels,
                self.channels,
                self.kernel_size,
                stride=1 + index % 2,
                padding=self.kernel_size // 2,
            ),
            norm_layer(self.norm, self.channels, len(self.input_shape) - 2),
            activation_layer(self.activation, self.negative_slope),
            nn.Dropout(self.dropout),
        ]


@dataclass(eq=False, repr=False)
class Conv1dNet(_ConvNet):
    """Convolutions along a sequence, averaged over its length.

    With `padded`, sequences may end in NaN: each convolution sees zeros there, as behind the end of the tensor.
    Shapes: (N, in_channels, L) to (N, out_features), for any L.
    """

    channels: PositiveInt = 64
    kernel_size: PositiveInt = 5
    padded: bool = False

    input_shape = ("N", "C", "L")
    masks_padding = True
    convolution = nn.Conv1d
    pooling = nn.AdaptiveAvgPool1d

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, L) to logits or values (N, out_features)."""
        if not self.padded:
            return super().forward(x)
        x, real = without_padding(x, exported=2 ** (self.layers // 2))
        for layer in self.features:
            if isinstance(layer, nn.Conv1d):
                x = layer(masked(x, real))
                real = strided(real, layer.stride[0], x.shape[2])
            else:
                x = norm_of_real(layer, x, real)
        return self.head(mean_of_real(x, real))


@dataclass(eq=False, repr=False)
class Conv2dNet(_ConvNet):
    """Convolutions over an image, averaged over its area.

    Shapes: (N, in_channels, H, W) to (N, out_features), for any H and W.
    """

    channels: PositiveInt = 32

    input_shape = ("N", "C", "H", "W")
    convolution = nn.Conv2d
    pooling = nn.AdaptiveAvgPool2d
